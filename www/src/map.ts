// The neighbourhood as a small map: the query and its hits in two dimensions.

import type { StaticEmbedder } from "elanus/embed";
import type { Answer } from "./ask.ts";
import { html, svg } from "./dom.ts";
import { placeLabels } from "./labels.ts";
import { layInPlane, orient } from "./plane.ts";
import { linkTo } from "./entries.ts";
import type { Part } from "./query.ts";
import type { Sense } from "./sense.ts";

const WIDTH = 400;
const HEIGHT = 330;
const SIDE = 54;
const TOP = 30;
const LINE = 15;
const MAPPED = 20;

interface Point {
  sense: Sense;
  x: number;
  y: number;
  link: SVGAElement;
}

export class NeighbourhoodMap {
  readonly #links = new Map<string, SVGAElement>();
  #points: Point[] = [];
  #asked = { x: 0, y: 0 };
  #before = new Map<string, [number, number]>();
  readonly #here = svg("g", { class: "here" });
  readonly #ray = svg("line", { class: "ray" });
  readonly #layer = svg("g");
  readonly #picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group" });
  readonly #held = html("span");
  readonly #words = html("ol");
  readonly #measure = document.createElement("canvas").getContext("2d");

  constructor(
    readonly figure: HTMLElement,
    readonly onHighlight: (id: string | undefined) => void,
    readonly onOpen: (sense: Sense) => void,
  ) {
    this.#here.append(svg("circle", { r: 9, class: "here-ring" }), svg("circle", { r: 3.5, class: "here-dot" }));
    this.#picture.append(this.#ray, this.#layer, this.#here);
    figure.append(
      this.#picture,
      html(
        "figcaption",
        {},
        html("b", {}, "The neighbourhood, laid flat."),
        " The red eye is what you asked. Nearer is more alike, as far as two dimensions can show it: ",
        this.#held,
        " of the spread.",
        html("details", {}, html("summary", {}, "The map in words"), this.#words),
      ),
    );
    this.#picture.addEventListener("keydown", (event) => this.#move(event));
  }

  show(answer: Answer, embedder: StaticEmbedder): void {
    const shown = answer.senses.slice(0, MAPPED);
    this.figure.hidden = shown.length < 2;
    if (this.figure.hidden) return;
    const vectors = [answer.vector, ...embedder.embed(shown.map((sense) => sense.gloss))];
    const { points, held } = layInPlane(vectors);
    const ids = ["", ...shown.map((sense) => sense.id)];
    const turned = orient(points, ids.map((id) => this.#before.get(id)));
    this.#before = new Map(ids.map((id, i) => [id, turned[i]!]));
    const placed = toFrame(turned);

    const [here, ...rest] = placed;
    this.#asked = here!;
    this.#here.style.transform = `translate(${here!.x}px, ${here!.y}px)`;
    this.#points = shown.map((sense, i) => ({ sense, ...rest[i]!, link: this.#link(sense, answer.query.part) }));
    for (const [id, link] of this.#links) {
      if (!shown.some((sense) => sense.id === id)) {
        link.remove();
        this.#links.delete(id);
      }
    }
    this.#label();
    this.#layer.replaceChildren(...this.#points.map((point) => point.link));
    this.#points.forEach((point, i) => point.link.setAttribute("tabindex", i === 0 ? "0" : "-1"));
    this.#picture.setAttribute("aria-label", `Map of ${shown.length} senses; arrow keys move between them`);
    this.#held.textContent = `${Math.round(held * 100)}\u00a0%`;
    this.#words.replaceChildren(...this.#points.map((point) => html("li", {}, inWords(point, this.#asked))));
    this.highlight(undefined);
  }

  hide(): void {
    this.figure.hidden = true;
  }

  highlight(id: string | undefined): void {
    for (const point of this.#points) {
      const lit = point.sense.id === id;
      point.link.classList.toggle("lit", lit);
      if (!lit) continue;
      // Drawn last is drawn on top; moving a focused element would take its focus away.
      if (document.activeElement !== point.link) this.#layer.append(point.link);
      for (const [name, value] of Object.entries({ x1: this.#asked.x, y1: this.#asked.y, x2: point.x, y2: point.y })) {
        this.#ray.setAttribute(name, String(value));
      }
    }
    this.#picture.classList.toggle("pointing", id !== undefined);
  }

  #link(sense: Sense, part: Part | undefined): SVGAElement {
    const known = this.#links.get(sense.id);
    const link = known ?? svg("a", { class: "point" }, svg("circle", { r: 12, class: "target" }), svg("circle", { r: 3.5 }), svg("text"));
    link.setAttribute("href", linkTo(sense, part));
    link.setAttribute("aria-label", `${sense.lemma}, ${sense.part.name}, similarity ${sense.similarity.toFixed(2)}`);
    if (!known) {
      this.#links.set(sense.id, link);
      link.addEventListener("mouseenter", () => this.onHighlight(sense.id));
      link.addEventListener("mouseleave", () => this.onHighlight(undefined));
      link.addEventListener("focus", () => this.onHighlight(sense.id));
      link.addEventListener("blur", () => this.onHighlight(undefined));
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        this.onOpen(sense);
      });
    }
    return link;
  }

  #label(): void {
    const font = getComputedStyle(this.#picture).fontFamily;
    if (this.#measure) this.#measure.font = `13.5px ${font}`;
    const widthOf = (text: string) => this.#measure?.measureText(text).width ?? text.length * 7;
    const labels = placeLabels(
      this.#points.map(({ sense, x, y }) => ({ x, y, width: widthOf(sense.lemma) })),
      LINE,
      { width: WIDTH, height: HEIGHT },
      this.#asked,
    );
    this.#points.forEach(({ sense, x, y, link }, i) => {
      const { dx, dy, anchor, crowded } = labels[i]!;
      const text = link.querySelector("text")!;
      text.textContent = sense.lemma;
      text.setAttribute("x", String(dx));
      text.setAttribute("y", String(dy));
      text.setAttribute("text-anchor", anchor);
      link.classList.toggle("crowded", crowded);
      link.style.transform = `translate(${x}px, ${y}px)`;
    });
  }

  /** To the nearest point in the arrow's direction, sideways steps counting double. */
  #move(event: KeyboardEvent): void {
    const arrows: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const arrow = arrows[event.key];
    const from = this.#points.find((point) => point.link === document.activeElement);
    if (!arrow || !from) return;
    event.preventDefault();
    let best: { point: Point; cost: number } | undefined;
    for (const point of this.#points) {
      const [dx, dy] = [point.x - from.x, point.y - from.y];
      const along = dx * arrow[0] + dy * arrow[1];
      const aside = Math.abs(dx * arrow[1]) + Math.abs(dy * arrow[0]);
      if (along <= 0.5) continue;
      const cost = along + 2 * aside;
      if (!best || cost < best.cost) best = { point, cost };
    }
    if (!best) return;
    from.link.setAttribute("tabindex", "-1");
    best.point.link.setAttribute("tabindex", "0");
    best.point.link.focus();
  }
}

/** One scale for both axes, so that distances stay comparable; centred, with room for the labels. */
function toFrame(points: [number, number][]): { x: number; y: number }[] {
  const range = (axis: 0 | 1) => {
    const values = points.map((point) => point[axis]);
    return [Math.min(...values), Math.max(...values)] as const;
  };
  const [left, right] = range(0);
  const [low, high] = range(1);
  const scale = Math.min((WIDTH - 2 * SIDE) / (right - left || 1), (HEIGHT - 2 * TOP) / (high - low || 1));
  return points.map(([x, y]) => ({
    x: WIDTH / 2 + (x - (left + right) / 2) * scale,
    y: HEIGHT / 2 - (y - (low + high) / 2) * scale,
  }));
}

function inWords({ sense, x, y }: Point, here: { x: number; y: number }): string {
  const [dx, dy] = [x - here.x, y - here.y];
  const far = Math.hypot(dx, dy);
  const sides = [dy < -far * 0.38 ? "above" : dy > far * 0.38 ? "below" : "", dx < -far * 0.38 ? "left" : dx > far * 0.38 ? "right" : ""];
  const where = far < 12 ? "on the spot" : sides.filter(Boolean).join(" ");
  return `${sense.lemma}: ${where}, ${far < 60 ? "close" : far < 130 ? "some way off" : "far off"}`;
}
