// What stands in the answers' place while there are none.

import { EXAMPLES } from "./clues.ts";
import { html } from "./dom.ts";
import type { Loading } from "./load.ts";
import { megabytes } from "./numbers.ts";
import { toHash } from "./query.ts";

export class LoadingState {
  readonly #bar = html("progress", { max: 100, "aria-labelledby": "loading-text" });
  readonly #text = html("span", { id: "loading-text" }, "Getting ready");
  readonly node = html("div", { class: "loading" }, html("p", {}, this.#text), this.#bar);

  show({ phase, loaded, total }: Loading): void {
    const percent = Math.floor((100 * loaded) / total);
    this.#bar.value = percent;
    this.#text.textContent =
      phase === "checking"
        ? "Checking the dictionary’s checksums"
        : loaded === 0
          ? `Fetching what understands words, ${megabytes(total)}, once`
          : `Fetching what understands words: ${megabytes(loaded)} of ${megabytes(total)}, ${percent} %`;
  }
}

export function failure({ title, text, detail }: { title: string; text: string; detail?: string | undefined }, retry?: () => void): HTMLElement {
  const button = retry && html("button", { type: "button", class: "loud" }, "Try again");
  if (button && retry) button.addEventListener("click", retry);
  return html("div", { class: "failure", role: "alert" }, html("h2", {}, title), html("p", {}, text), detail !== undefined && html("p", { class: "small" }, detail), button);
}

export function invitation(): HTMLElement {
  return html(
    "div",
    { class: "invitation" },
    html("h2", {}, "For instance"),
    html("ul", { class: "examples" }, ...EXAMPLES.map((text) => html("li", {}, html("a", { href: toHash({ text, part: undefined, sense: undefined }) }, text)))),
    html(
      "p",
      { class: "small" },
      "Every sense of WordNet is here as a point, and so is what you write. The nearest points are the answers. Choose one, and its own neighbours follow.",
    ),
  );
}

export function unknownWords(): HTMLElement {
  return html("p", { class: "invitation" }, "None of this is a word that the model knows. Try it in other words, in English.");
}
