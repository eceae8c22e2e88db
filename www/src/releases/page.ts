// The page of several releases: wires the registry, the search that follows it, the shadow, and the visitors.

import { ElanusError, openRegistry, type LiveHit, type LiveIndex, type RegistryEvent, type Team } from "elanus";
import type { Embedder } from "elanus/embed";
import { byId, html, svg } from "../dom.ts";
import { fileSize, megabytes, milliseconds, whole } from "../numbers.ts";
import { themeToggle } from "../theme.ts";
import { Host, type Manifest } from "./host.ts";
import type { Fetching } from "./minilm.ts";
import { embedders } from "./models.ts";
import { percent, plot, send, verdictText, type Point } from "./visitors.ts";

const VISITORS = 1500;
const LIMIT = 7;
const OUTPUT = { limit: LIMIT, outputFields: ["lemma", "pos", "gloss"] };

const host = new Host();
const input = byId<HTMLInputElement>("q");
const rollback = byId<HTMLButtonElement>("rollback");
const run = byId<HTMLButtonElement>("run");
const slider = byId<HTMLInputElement>("preference");
/** Overlap of the answers so far, in order. */
let agreement: number[] = [];
let live: LiveIndex;
/** The challenger by itself, for the second column. */
let beside: LiveIndex;
let models: Embedder[];
let visiting: AbortController | undefined;

function say(text: string): void {
  byId("told").textContent = text;
}

function note(text: string): void {
  const log = byId("log");
  log.prepend(html("li", {}, html("time", {}, new Date().toLocaleTimeString("en-GB")), " ", text));
  while (log.childElementCount > 40) log.lastElementChild?.remove();
}

function onEvent(event: RegistryEvent): void {
  switch (event.type) {
    case "ready":
      return note(`The ${event.alias} is ${event.release}, ${event.from === "kept" ? "kept from an earlier visit" : "fetched and checked"}.`);
    case "swapped":
      return note(`${event.alias === "champion" ? "Searches go" : "The challenger goes"} over from ${event.from} to ${event.release}.`);
    case "refused":
    case "unanswered":
      return note(`${event.release} was refused: ${event.error instanceof ElanusError ? event.error.code : String(event.error)}.`);
    case "unreachable":
      return note("The registry can’t be reached; what is here goes on.");
    case "drift":
      return note(`The queries aren’t like those that ${event.release} was made for: ${event.rang.join(", ")}.`);
    case "shadow":
      agreement.push(event.overlap);
      return printAgreement();
  }
}

function shelf(): void {
  const champion = live.release;
  const challenger = host.names("challenger");
  const act = (label: string, name: string, go: () => void, disabled: boolean) => {
    const button = html("button", { type: "button", class: "quiet", disabled, "aria-label": `${label}: ${name}` }, label);
    button.addEventListener("click", go);
    return button;
  };
  const row = ({ release, notes, files, index, evaluations }: Manifest) => {
    const role = release === champion ? "champion" : release === challenger ? "challenger" : "";
    const recall = evaluations.at(-1)?.measures["knn_recall@10"]?.mean;
    return html(
      "tr",
      { class: role },
      html("th", { scope: "row" }, release, role && html("span", { class: "role" }, role), html("span", { class: "small" }, notes)),
      html("td", {}, `${index.dimension}`),
      html("td", {}, fileSize(files[0]?.bytes ?? 0)),
      html("td", {}, recall === undefined ? "–" : percent(recall)),
      html(
        "td",
        { class: "acts" },
        act("Promote", release, () => void promote(release), release === champion),
        act("Try", release, () => void challenge(release), release === champion || release === challenger),
      ),
    );
  };
  const head = ["Release", "Dimensions", "Size", "Finds of its nearest 10", "What to do"].map((name) => html("th", { scope: "col" }, name));
  byId("shelf").replaceChildren(html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...host.manifests.map(row)));
}

async function changed(text: string): Promise<void> {
  agreement = [];
  printAgreement();
  await beside.check().catch(() => undefined);
  shelf();
  say(text);
  await ask();
}

async function promote(release: string): Promise<void> {
  const before = live.release;
  visiting?.abort();
  host.point("champion", release);
  await live.check();
  rollback.disabled = false;
  await changed(`${release} took over from ${before}, without a reload.`);
}

async function challenge(release: string): Promise<void> {
  visiting?.abort();
  host.point("challenger", release);
  await live.check();
  await changed(`${release} is tried.`);
}

async function back(): Promise<void> {
  const before = live.release;
  visiting?.abort();
  try {
    const now = await live.rollback();
    await changed(`Back from ${before} to ${now}, from this device: no network is needed.`);
  } catch (error) {
    say(error instanceof ElanusError && error.code === "NO_RELEASE" ? "There is nothing further back." : String(error));
  }
}

/** The question that is being answered, and whether another text was typed meanwhile. */
let asking: Promise<void> | undefined;
let waiting = false;
let wake: (() => void) | undefined;

/** So long the champion's answer waits for the challenger's, so that one usually sees both at once. */
const TOGETHER_MS = 150;

/** One question at a time, and after it the latest: a model may take longer for a text than one takes to type on. */
function ask(): Promise<void> {
  waiting = true;
  wake?.();
  asking ??= (async () => {
    while (waiting) {
      waiting = false;
      await answer(input.value.trim());
    }
  })()
    .catch((error: unknown) => say(`This couldn’t be answered: ${error instanceof Error ? error.message : String(error)}`))
    .finally(() => (asking = undefined));
  return asking;
}

async function answer(text: string): Promise<void> {
  if (!text) return byId("beside").replaceChildren();
  const column = async (of: LiveIndex) => {
    const begun = performance.now();
    const hits = await of.ask(text, OUTPUT);
    return { name: of.release, hits, took: performance.now() - begun };
  };
  const newer = new Promise<undefined>((resolve) => (wake = () => resolve(undefined)));
  // The champion answers first; the column beside it is only for looking.
  const one = await column(live);
  const later = host.names("challenger") && beside.release !== one.name ? column(beside) : undefined;
  const show = (other: typeof one | undefined) => {
    // Alone, nothing is in one list only.
    const common = new Set(one.hits.map(({ id }) => id).filter((id) => !other || other.hits.some((hit) => hit.id === id)));
    byId("beside").replaceChildren(answers("Champion", one, common), other ? answers("Challenger", other, common) : "");
  };
  if (!later) return show(undefined);
  const soon = await Promise.race([later, new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), TOGETHER_MS))]);
  show(soon);
  if (soon) return;
  const other = await Promise.race([later, newer]);
  // Nobody looks at an older text's answer any more, nor at why there is none.
  if (!other) later.catch(() => undefined);
  else show(other);
}

function onFetching(state: Fetching | undefined): void {
  const place = byId("fetching");
  place.hidden = !state;
  if (!state) return;
  byId<HTMLProgressElement>("fetched").value = state.fetched / state.bytes;
  byId("fetched-text").textContent = state.fetched >= state.bytes ? "Starting all-MiniLM-L6-v2 …" : `Fetching all-MiniLM-L6-v2: ${megabytes(state.fetched)} of ${megabytes(state.bytes)}`;
}

function answers(role: string, { name, hits, took }: { name: string; hits: LiveHit[]; took: number }, common: ReadonlySet<unknown>): HTMLElement {
  const item = ({ id, fields }: LiveHit) =>
    html("li", { class: common.has(id) ? "" : "alone" }, html("b", {}, String(fields?.["lemma"])), " ", html("span", { class: "small" }, String(fields?.["gloss"])));
  return html("div", {}, html("h3", {}, `${role}: ${name} `, html("span", { class: "small" }, milliseconds(took))), html("ol", {}, ...hits.map(item)));
}

function printAgreement(): void {
  const place = byId("agreement");
  const state = live.challenger ? live.experiment?.shadow : undefined;
  if (!state?.queries || state.overlap === undefined) return place.replaceChildren(html("p", { class: "small" }, "Type: each answer is compared with the challenger’s when the page is idle. Words in ruby are in one list only."));
  const [width, height] = [240, 44];
  const shown = agreement.slice(-60);
  const bars = shown.map((overlap, i) => svg("rect", { x: (i * width) / 60, y: height * (1 - overlap), width: width / 60 - 1, height: Math.max(1, height * overlap) }));
  const facts: [string, string][] = [
    ["questions compared", whole(state.queries)],
    ["hits in common", percent(state.overlap)],
    ["agreement by rank", (state.rbo ?? 0).toFixed(2)],
    ["champion’s time", milliseconds(state.championMs?.p50 ?? 0)],
    ["challenger’s", milliseconds(state.challengerMs?.p50 ?? 0)],
  ];
  place.replaceChildren(
    svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "bars", role: "img", "aria-label": `Hits in common, question by question; ${percent(state.overlap)} on average` }, ...bars),
    html("dl", { class: "facts" }, ...facts.flatMap(([name, value]) => [html("dt", {}, name), html("dd", {}, value)])),
  );
}

/** A live index of its own, so that what these visitors do isn't counted as yours. */
async function experiment(): Promise<void> {
  const mine = (visiting = new AbortController());
  run.disabled = true;
  const truth = Number(slider.value) / 100;
  let teams: readonly Team[] | undefined;
  const place = byId("verdict");
  const trial = await openRegistry(host.url, {
    checkEvery: 0,
    embedders: models,
    watch: false,
    experiment: { mode: "interleave", salt: "simulated", visitor: `${Math.random()}` },
    onEvent: (event) => event.type === "interleaved" && ({ teams } = event),
  });
  try {
    await trial.check();
    const names = { champion: trial.release, challenger: trial.challenger };
    if (!names.challenger) return place.replaceChildren(html("p", { class: "small" }, "There is nothing to be tried: choose a challenger."));
    const both = { champion: names.champion, challenger: names.challenger };
    const points: Point[] = [];
    const begun = performance.now();
    const decided = await send(trial, { visitors: VISITORS, preference: truth, shown: () => teams, signal: mine.signal }, (point, now) => {
      points.push(point);
      place.replaceChildren(plot(points, VISITORS, truth), verdictText(now, both, undefined));
    });
    const now = trial.experiment?.interleaved;
    if (mine.signal.aborted || !now) return place.replaceChildren();
    place.replaceChildren(plot(points, VISITORS, truth), verdictText(now, both, decided));
    note(`${whole(now.wins + now.losses)} simulated visitors in ${milliseconds(performance.now() - begun)}: ${now.preferred ? `they prefer ${both[now.preferred]}` : "undecided"}.`);
  } finally {
    await trial.close();
    run.disabled = false;
  }
}

async function start(): Promise<void> {
  say("Fetching the releases …");
  [models] = await Promise.all([embedders(onFetching), host.open()]);
  const options = { checkEvery: 0, embedders: models, watch: false };
  live = await openRegistry(host.url, { ...options, watch: true, onEvent, experiment: { mode: "shadow", share: 1 } });
  beside = await openRegistry(host.url, { ...options, alias: "challenger" });
  shelf();
  printAgreement();
  say("");
  for (const button of [input, run]) button.disabled = false;
}

themeToggle(byId("theme"));
input.addEventListener("input", () => void ask());
byId("form").addEventListener("submit", (event) => event.preventDefault());
rollback.addEventListener("click", () => void back());
slider.addEventListener("input", () => (byId("preference-value").textContent = `${slider.value} %`));
byId("trial").addEventListener("submit", (event) => {
  event.preventDefault();
  void experiment();
});
start().catch((error: unknown) => {
  say("");
  byId("shelf").replaceChildren(html("caption", { class: "fault", role: "alert" }, `The releases could not be opened: ${error instanceof Error ? error.message : String(error)}`));
});
