// What the page measured about itself, and the one control over how it searches.

import type { Answer, Setting, Times } from "./ask.ts";
import { html } from "./dom.ts";
import type { Loaded } from "./load.ts";
import { megabytes, milliseconds, percentile, whole } from "./numbers.ts";
import { PARTS, type Part } from "./query.ts";
import type { Recall } from "./recall.ts";

export const SETTINGS: readonly { name: string; setting: Setting }[] = [
  { name: "20", setting: { rerank: 20 } },
  { name: "100", setting: { rerank: 100 } },
  { name: "as needed", setting: {} },
  { name: "all, exact", setting: { exact: true } },
];

/** As many as the error bound of the codes asks for, which is what the index does unless told otherwise. */
const DEFAULT = 2;

const STEPS: readonly { step: keyof Times; name: string }[] = [
  { step: "embed", name: "Words to vector" },
  { step: "search", name: "Search" },
  { step: "read", name: "Reading the texts" },
];

export interface FiguresEvents {
  onSetting(position: number): void;
  onMeasure(): void;
}

export class Figures {
  #chosen = DEFAULT;
  // Times of one setting say nothing about another's.
  readonly #tallies = SETTINGS.map((): Times[] => []);
  readonly #times = html("tbody");
  readonly #count = html("caption");
  readonly #recall = html("p", { class: "recall-value" });
  readonly #recallNote = html("p", { class: "small" });
  readonly #measure = html("button", { type: "button", class: "quiet" }, "Measure now");
  readonly #memory = html("dd", {}, "…");

  constructor(
    readonly section: HTMLElement,
    readonly loaded: Loaded,
    events: FiguresEvents,
  ) {
    const { index, embedder, modelBytes } = loaded;
    const radios = SETTINGS.map(({ name }, i) => {
      const input = html("input", { type: "radio", name: "setting", value: i, checked: i === this.#chosen });
      input.addEventListener("change", () => {
        this.#chosen = i;
        this.#print();
        events.onSetting(i);
      });
      return html("label", { class: "choice" }, input, html("span", {}, name));
    });
    this.#measure.addEventListener("click", () => events.onMeasure());
    section.replaceChildren(
      html("h2", { id: "figures-title" }, "Measured in this tab"),
      html("fieldset", { class: "settings" }, html("legend", {}, "Rows reranked"), html("div", { class: "choices" }, ...radios)),
      html(
        "table",
        { class: "times" },
        this.#count,
        html(
          "thead",
          {},
          html("tr", {}, html("td"), ...["last", "p50", "p95"].map((name) => html("th", { scope: "col" }, name))),
        ),
        this.#times,
      ),
      html("h3", {}, "Recall at 10"),
      this.#recall,
      this.#recallNote,
      this.#measure,
      html(
        "dl",
        {},
        html("dt", {}, "Index"),
        html(
          "dd",
          {},
          `${megabytes(index.bytes)}: ${whole(index.count)} senses × ${index.dimension} dimensions, ${whole(index.bytes / index.count)} bytes a sense with its text`,
        ),
        html("dt", {}, "Kind"),
        html("dd", {}, `${index.indexType}, ${index.metric}, on ${index.thread === "worker" ? "a worker’s thread" : "the page’s own thread"}`),
        html("dt", {}, "Memory"),
        this.#memory,
        html("dt", {}, "Model"),
        html("dd", {}, `${embedder.card.name}, ${embedder.dimension} dimensions, ${megabytes(modelBytes)}`),
      ),
    );
    section.hidden = false;
    this.#print();
    void this.#readMemory();
  }

  get setting(): Setting {
    return SETTINGS[this.#chosen]!.setting;
  }

  get chosen(): number {
    return this.#chosen;
  }

  add(answer: Answer): void {
    const tally = this.#tallies[SETTINGS.findIndex(({ setting }) => setting === answer.setting)];
    tally?.push(answer.times);
    this.#print();
    if (tally?.length === 1) void this.#readMemory();
  }

  showRecall(recall: Recall | undefined, part: Part | undefined): void {
    const { exact } = this.setting;
    this.#measure.disabled = exact === true;
    if (exact) {
      this.#recall.textContent = "1.000";
      this.#recallNote.textContent = "By definition: this setting is the exact search that the others are compared with.";
      return;
    }
    this.#recall.textContent = recall ? recall.value.toFixed(3) : "";
    this.#measure.textContent = recall ? "Measure again" : "Measure now";
    const among = part ? ` among ${PARTS.find((known) => known.part === part)?.plural.toLowerCase()}` : "";
    this.#recallNote.textContent = recall
      ? `of the ten nearest senses${among} were found, over ${recall.queries} descriptions${recall.own ? `, ${recall.own} of them yours` : ""}. ` +
        "The measure is an exact search over the same stored rows; it says nothing about how well the model understands."
      : "Measured when the page is idle, against an exact search over the stored rows.";
  }

  showMeasuring(done: number, of: number): void {
    this.#recallNote.textContent = `Comparing with exact search: ${done} of ${of} descriptions.`;
  }

  #print(): void {
    const tally = this.#tallies[this.#chosen]!;
    const n = tally.length;
    this.#count.textContent =
      n === 0 ? "No query yet" : `${n === 1 ? "1 query" : `${whole(n)} queries`} of this visit${this.loaded.index.thread === "worker" ? ", the way to the worker included" : ""}`;
    const row = (name: string, values: number[]) =>
      html(
        "tr",
        {},
        html("th", { scope: "row" }, name),
        ...[values.at(-1), percentile(values, 50), percentile(values, 95)].map((value) =>
          html("td", {}, value === undefined ? "–" : milliseconds(value)),
        ),
      );
    this.#times.replaceChildren(...STEPS.map(({ step, name }) => row(name, tally.map((times) => times[step]))));
  }

  async #readMemory(): Promise<void> {
    const { wasmBytes } = await this.loaded.index.memory();
    this.#memory.textContent = `${megabytes(wasmBytes)} of WebAssembly memory`;
  }
}
