// What the page measured about itself, and the one control over how it searches.

import type { Answer, Setting, Times } from "./ask.ts";
import { html } from "./dom.ts";
import type { Fetched } from "./fetched.ts";
import type { Loaded } from "./load.ts";
import { megabytes, milliseconds, percentile, whole } from "./numbers.ts";
import { PARTS, type Part } from "./query.ts";
import type { Recall } from "./recall.ts";

export const SETTINGS: readonly { name: string; setting: Setting }[] = [
  { name: "12", setting: { nprobe: 12, rerank: 40 } },
  { name: "32", setting: { nprobe: 32, rerank: 60 } },
  { name: "96", setting: { nprobe: 96, rerank: 120 } },
  { name: "all, exact", setting: { exact: true } },
];

/** Finds nearly all, and fetches little. */
const DEFAULT = 1;

const STEPS: readonly { step: keyof Times; name: string }[] = [
  { step: "embed", name: "Words to vector" },
  { step: "search", name: "Search, with texts" },
];

export interface FiguresEvents {
  onSetting(): void;
  onMeasure(): void;
}

export class Figures {
  #chosen = DEFAULT;
  readonly #radios: HTMLInputElement[];
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
    readonly fetched: Fetched,
    events: FiguresEvents,
  ) {
    const { index, embedder, modelBytes } = loaded;
    this.#radios = SETTINGS.map((_, i) => {
      const input = html("input", { type: "radio", name: "setting", value: i, checked: i === this.#chosen });
      input.addEventListener("change", () => {
        this.#choose(i);
        events.onSetting();
      });
      return input;
    });
    const choices = SETTINGS.map(({ name }, i) => html("label", { class: "choice" }, this.#radios[i], html("span", {}, name)));
    this.#measure.addEventListener("click", () => events.onMeasure());
    section.replaceChildren(
      html("h2", { id: "figures-title" }, "Measured in this tab"),
      html("fieldset", { class: "settings" }, html("legend", {}, "Lists looked into"), html("div", { class: "choices" }, ...choices)),
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
      : this.fetched.isWhole
        ? "Measured when the page is idle, against an exact search over the stored rows."
        : `Measured against an exact search, which needs all of the dictionary: ${megabytes(this.loaded.index.bytes)}, fetched if you ask for it.`;
  }

  /** Goes back to what is used unless another is chosen. */
  reset(): void {
    this.#radios[DEFAULT]!.checked = true;
    this.#choose(DEFAULT);
  }

  showMeasuring(done: number, of: number): void {
    this.#recallNote.textContent = `Comparing with exact search: ${done} of ${of} descriptions.`;
  }

  #choose(position: number): void {
    this.#chosen = position;
    this.#print();
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
