// The answers, set like a dictionary's column.

import { html } from "./dom.ts";
import { toHash, type Part, type Query } from "./query.ts";
import type { Sense } from "./sense.ts";

export interface EntryEvents {
  onOpen(sense: Sense): void;
  onHighlight(id: string | undefined): void;
  /** Above the first entry: back to the question. */
  onLeave(): void;
}

/** The filter stays as it is when one goes from sense to sense. */
export const linkTo = (sense: Sense, part: Part | undefined) => toHash({ text: sense.gloss, part, sense: sense.id });

const also = (others: string[]) =>
  others.length > 0 && html("span", { class: "also" }, ". Also ", html("i", {}, others.slice(0, 5).join(", ")), ".");

function entry(sense: Sense, number: number, part: Part | undefined, events: EntryEvents): HTMLLIElement {
  const link = html(
    "a",
    { href: linkTo(sense, part), class: "headword", "aria-describedby": `gloss-${number}` },
    sense.lemma,
    html("span", { class: "unseen" }, `, ${sense.part.name}`),
  );
  const item = html(
    "li",
    { class: "entry", "data-id": sense.id },
    html(
      "p",
      {},
      link,
      " ",
      html("i", { class: "part", title: sense.part.name, "aria-hidden": "true" }, sense.part.short),
      " ",
      html("span", { class: "gloss", id: `gloss-${number}` }, sense.gloss),
      also(sense.others),
    ),
    html("span", { class: "similarity", title: "cosine similarity with what you asked" }, sense.similarity.toFixed(2)),
  );
  const open = (event: MouseEvent) => {
    // A modifier asks for a new tab, a selection for the text: both are the browser's.
    if (event.ctrlKey || event.metaKey || event.shiftKey || !getSelection()?.isCollapsed) return;
    event.preventDefault();
    events.onOpen(sense);
  };
  item.addEventListener("click", open);
  item.addEventListener("mouseenter", () => events.onHighlight(sense.id));
  item.addEventListener("mouseleave", () => events.onHighlight(undefined));
  link.addEventListener("focus", () => events.onHighlight(sense.id));
  link.addEventListener("blur", () => events.onHighlight(undefined));
  return item;
}

export class Entries {
  readonly list = html("ol", { class: "entries" });

  constructor(readonly events: EntryEvents) {
    this.list.addEventListener("keydown", (event) => this.#move(event));
  }

  show(senses: Sense[], label: string, part: Part | undefined): void {
    this.list.setAttribute("aria-label", label);
    this.list.replaceChildren(...senses.map((sense, i) => entry(sense, i, part, this.events)));
  }

  highlight(id: string | undefined): void {
    for (const item of this.list.children) item.classList.toggle("lit", (item as HTMLElement).dataset.id === id);
  }

  focus(position: number): void {
    this.#links()[position]?.focus();
  }

  #links = () => [...this.list.querySelectorAll<HTMLAnchorElement>("a.headword")];

  #move(event: KeyboardEvent): void {
    const links = this.#links();
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    if (at < 0) return;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (to < 0) this.events.onLeave();
    else links[Math.min(to, links.length - 1)]?.focus();
  }
}

/** The sense whose neighbours are shown, as an entry of its own, with the way that led to it. */
export function opened(sense: Sense | undefined, query: Query, trail: readonly { label: string; hash: string }[]): HTMLElement {
  const crumbs = [{ label: "Start", hash: "#" }, ...trail];
  return html(
    "header",
    { class: "opened" },
    html(
      "nav",
      { "aria-label": "The way here" },
      html(
        "ol",
        { class: "trail" },
        ...crumbs.map(({ label, hash }, i) => html("li", {}, html("a", { href: hash, "data-crumb": i - 1 }, label))),
        html("li", { "aria-current": "page" }, sense?.lemma ?? "a sense"),
      ),
    ),
    sense &&
      html(
        "p",
        { class: "entry-opened" },
        html("b", { class: "headword" }, sense.lemma),
        " ",
        html("i", { class: "part" }, sense.part.short),
        " ",
        html("span", { class: "gloss" }, sense.gloss),
        also(sense.others),
      ),
    html("h2", { tabindex: -1, id: "nearest" }, sense ? `Nearest in meaning to ${sense.lemma}` : `Nearest to “${query.text}”`),
  );
}
