// Visitors of whom it is known what they prefer, and the test that is to find it out.

import type { LiveHit, LiveIndex, Preference, Team } from "elanus";
import { html, svg } from "../dom.ts";
import { whole } from "../numbers.ts";
import { CLUES } from "../clues.ts";

export interface Point {
  clicks: number;
  share: number;
  low: number;
  high: number;
}

export interface Shown {
  hits: LiveHit[];
  teams: readonly Team[];
}

/** How many clicks lie between two points of the plot. */
const STEP = 10;

/**
 * Sends visitors, one question and one click each. They choose a place of the challenger with this probability, else one of the
 * champion: the first that they come to.
 *
 * @param shown what the last question showed
 * @returns after how many clicks the test had decided; `undefined` if it never did
 */
export async function send(
  live: LiveIndex,
  { visitors, preference, shown, signal }: { visitors: number; preference: number; shown: () => readonly Team[] | undefined; signal: AbortSignal },
  onPoint: (point: Point, now: Preference) => void,
): Promise<number | undefined> {
  let decided: number | undefined;
  let clicks = 0;
  // A question on whose list nothing is contested decides nothing, so there are more questions than clicks.
  for (let asked = 0; clicks < visitors && asked < 3 * visitors && !signal.aborted; asked++) {
    const clue = CLUES[asked % CLUES.length]!;
    const other = CLUES[(asked * 7 + Math.floor(asked / CLUES.length)) % CLUES.length]!;
    const hits = await live.ask(`${clue}, ${other}`);
    const wanted: Team = Math.random() < preference ? "challenger" : "champion";
    const rank = shown()?.indexOf(wanted) ?? -1;
    const hit = hits[rank];
    if (!hit || !live.feedback(hit)) continue;
    clicks++;
    const now = live.experiment?.interleaved;
    if (!now) break;
    if (now.preferred && decided === undefined) decided = clicks;
    if (clicks % STEP === 0 || clicks === visitors) {
      onPoint({ clicks, share: now.share, low: now.low, high: now.high }, now);
      // The page stays alive between two steps.
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
  return decided;
}

const [WIDTH, HEIGHT, LEFT, BOTTOM] = [640, 220, 46, 26];

/** The challenger's share and what isn't ruled out, click by click, with the truth. */
export function plot(points: readonly Point[], visitors: number, truth: number): SVGSVGElement {
  const x = (clicks: number) => LEFT + ((WIDTH - LEFT - 8) * clicks) / visitors;
  // From 20 to 80 %: what lies beyond was never plausible.
  const y = (share: number) => 8 + (HEIGHT - BOTTOM - 8) * (1 - (Math.min(0.8, Math.max(0.2, share)) - 0.2) / 0.6);
  const line = (value: (point: Point) => number) => points.map((point, i) => `${i ? "L" : "M"}${x(point.clicks).toFixed(1)} ${y(value(point)).toFixed(1)}`).join("");
  const band = points.length
    ? `${line((point) => point.high)}${[...points].reverse().map((point) => `L${x(point.clicks).toFixed(1)} ${y(point.low).toFixed(1)}`).join("")}Z`
    : "";
  const last = points.at(-1);
  const label = last
    ? `After ${whole(last.clicks)} clicks the challenger has ${percent(last.share)}, at any time within ${percent(last.low)} to ${percent(last.high)}`
    : "No clicks yet";
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label, class: "plot" },
    ...[0.2, 0.35, 0.5, 0.65, 0.8].flatMap((share) => [
      svg("line", { x1: LEFT, x2: WIDTH - 8, y1: y(share), y2: y(share), class: share === 0.5 ? "even" : "grid" }),
      svg("text", { x: LEFT - 8, y: y(share) + 4, "text-anchor": "end" }, percent(share)),
    ]),
    ...[0, 0.5, 1].map((part) => svg("text", { x: x(visitors * part), y: HEIGHT - 6, "text-anchor": part === 1 ? "end" : part ? "middle" : "start" }, whole(visitors * part))),
    svg("path", { d: band, class: "band" }),
    svg("line", { x1: LEFT, x2: WIDTH - 8, y1: y(truth), y2: y(truth), class: "truth" }),
    svg("path", { d: line((point) => point.share), class: "share" }),
  );
}

export const percent = (share: number) => `${(share * 100).toFixed(0)} %`;

export function verdictText(now: Preference, names: { champion: string; challenger: string }, decided: number | undefined): HTMLElement {
  const text = now.preferred ? `Visitors prefer ${names[now.preferred]}` : "Nothing can be said yet";
  const interval = `${percent(now.share)} of ${whole(now.wins + now.losses)} clicks for ${names.challenger}, at any time within ${percent(now.low)} – ${percent(now.high)}; p = ${now.p < 0.0001 ? "under 0.0001" : now.p.toFixed(4)}`;
  return html("figcaption", {}, html("strong", {}, text), decided === undefined ? "" : ` (known after ${whole(decided)} clicks)`, ". ", html("span", { class: "small" }, `${interval}. Dashed: what is true.`));
}
