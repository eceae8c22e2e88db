// The page: wires the question, the answers, the map and the figures together.

import { Asker, type Outcome } from "./ask.ts";
import { CLUES } from "./clues.ts";
import { byId, html } from "./dom.ts";
import { Entries, linkTo, opened } from "./entries.ts";
import { Fetched } from "./fetched.ts";
import { Figures } from "./figures.ts";
import { explain, load, type Loaded } from "./load.ts";
import { NeighbourhoodMap } from "./map.ts";
import { megabytes, whole } from "./numbers.ts";
import { Offline } from "./offline.ts";
import { PARTS, fromHash, toHash, type Query } from "./query.ts";
import { measureRecall, type Recall } from "./recall.ts";
import type { Sense } from "./sense.ts";
import { LoadingState, failure, invitation, unknownWords } from "./states.ts";
import { lacking } from "./support.ts";
import { themeToggle } from "./theme.ts";

const PAGE = 20;
const MOST = 100;
/** Milliseconds without a key stroke after which what was written is asked: each question may fetch something. */
const PAUSE = 180;

interface Crumb {
  label: string;
  hash: string;
}

const input = byId<HTMLInputElement>("q");
const clear = byId<HTMLButtonElement>("clear");
const status = byId("status");
const answers = byId("answers");
const announce = byId("announce");
const notice = byId("notice");
const offlineLine = byId("offline");

const offline = new Offline();
const fetched = new Fetched(byId("fetched"));
const loading = new LoadingState();
const more = html("button", { type: "button", class: "quiet more" }, "More senses");
const head = html("div", { class: "running-head" });
const entries = new Entries({ onOpen: openSense, onHighlight: highlight, onLeave: () => input.focus() });
const map = new NeighbourhoodMap(byId("map"), highlight, openSense);

let query: Query = fromHash(location.hash);
let trail: Crumb[] = (history.state as { trail?: Crumb[] } | null)?.trail ?? [];
let limit = PAGE;
let machine: { loaded: Loaded; asker: Asker; figures: Figures } | undefined;
/** A sense that was chosen here, to be shown while the index looks for its neighbours. */
let chosen: Sense | undefined;
let focusNearest = false;
const own = new Set<string>();
const recalls = new Map<string, Recall>();

// ---------------------------------------------------------------- asking

let frame = 0;
let pausing = 0;
let settling = 0;
/** After so many milliseconds without another question. */
function ask(pause = 0): void {
  // The address waits for the answer.
  clearTimeout(settling);
  // Several key strokes in one frame are one question.
  cancelAnimationFrame(frame);
  clearTimeout(pausing);
  frame = requestAnimationFrame(() => {
    clear.hidden = input.value === "";
    entitle();
    if (!machine) return;
    stopMeasuring();
    if (query.text.trim()) pausing = window.setTimeout(askNow, pause);
    else {
      machine.asker.drop();
      map.hide();
      answers.replaceChildren(invitation());
    }
  });
}

function askNow(): void {
  if (!machine) return;
  const { asker, figures } = machine;
  const { setting } = figures;
  if (setting.exact && !fetched.isWhole) void bring(ask, figures);
  else void fetched.during(asker.ask(query, limit, setting));
}

/** Brings the rest of the dictionary, and then goes on; what can't be done without it is taken back if that fails. */
async function bring(then: () => void, figures: Figures): Promise<void> {
  try {
    await fetched.bring();
    notice.replaceChildren();
    if (machine?.figures === figures) then();
  } catch (error) {
    if (machine?.figures !== figures) return;
    const { title, text } = explain(error);
    notice.replaceChildren(html("p", {}, `The rest of the dictionary didn’t come. ${title}: ${text}`));
    if (figures.setting.exact) {
      figures.reset();
      ask();
    }
  } finally {
    if (machine?.figures === figures) figures.showRecall(recalls.get(recallKey()), query.part);
    sayWhatIsKept();
  }
}

function entitle(): void {
  document.title = query.text ? `${chosen?.lemma ?? query.text} · Elanus` : "Elanus: a reverse dictionary";
}

function answered(outcome: Outcome): void {
  if ("error" in outcome) {
    const explained = explain(outcome.error, true);
    answers.replaceChildren(failure(explained, explained.lost || explained.damaged ? () => void reopen(explained) : () => ask()));
    map.hide();
    return;
  }
  if ("unknown" in outcome) {
    answers.replaceChildren(unknownWords());
    map.hide();
    say("None of this is a word that the model knows.");
    return;
  }
  const { answer } = outcome;
  const { loaded, figures } = machine!;
  const { senses } = answer;
  chosen = answer.self;
  entitle();
  const label = chosen ? `Senses near ${chosen.lemma}` : "Senses that fit the description";
  entries.show(senses, label, answer.query.part);
  head.replaceChildren(
    html("span", { "aria-hidden": "true" }, senses[0]?.lemma ?? ""),
    html("span", { class: "count" }, `${senses.length} of ${whole(loaded.index.count)} senses, nearest first`),
    html("span", { "aria-hidden": "true" }, senses.at(-1)?.lemma ?? ""),
    html("a", { href: "#margin", class: "to-margin" }, "Map"),
  );
  more.hidden = senses.length < answer.limit || answer.limit >= MOST;
  answers.replaceChildren(...(answer.query.sense ? [opened(chosen, answer.query, trail)] : []), head, entries.list, more);
  map.show(answer, loaded.embedder);
  figures.add(answer);
  figures.showRecall(recalls.get(recallKey()), query.part);
  if (focusNearest) {
    focusNearest = false;
    byId("nearest").focus({ preventScroll: true });
  }
  say(senses.length ? `${senses.length} senses. The nearest: ${senses.slice(0, 3).map((sense) => sense.lemma).join(", ")}.` : "No sense.");
  settle();
  measureWhenIdle();
}

let saying = 0;
/** To screen readers, once the typing pauses: a line for each key stroke would talk over the typing. */
function say(text: string): void {
  clearTimeout(saying);
  saying = window.setTimeout(() => (announce.textContent = text), 700);
}

/** The address follows the typing at a distance, and a settled question joins those that recall is measured with. */
function settle(): void {
  clearTimeout(settling);
  settling = window.setTimeout(() => {
    if (toHash(query) !== location.hash) history.replaceState({ trail }, "", toHash(query));
    if (query.text.trim().split(/\s+/).length > 1 && !query.sense && !CLUES.includes(query.text) && own.size < 40) own.add(query.text.trim());
  }, 400);
}

function highlight(id: string | undefined): void {
  entries.highlight(id);
  map.highlight(id);
}

// ---------------------------------------------------------------- going from sense to sense

function openSense(sense: Sense): void {
  const here: Crumb = { label: chosen?.lemma ?? `“${query.text}”`, hash: toHash(query) };
  if (toHash(query) !== location.hash) history.replaceState({ trail }, "", toHash(query));
  trail = [...trail, here].slice(-5);
  clearTimeout(settling);
  history.pushState({ trail }, "", linkTo(sense, query.part));
  chosen = sense;
  focusNearest = true;
  enter();
  scrollTo({ top: 0, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

/** Takes the question from the address. */
function enter(): void {
  query = fromHash(location.hash);
  if (!query.sense) chosen = undefined;
  else if (chosen?.id !== query.sense) chosen = undefined;
  input.value = query.text;
  for (const radio of document.querySelectorAll<HTMLInputElement>("input[name=part]")) radio.checked = radio.value === (query.part ?? "");
  limit = PAGE;
  ask();
}

addEventListener("popstate", () => {
  trail = (history.state as { trail?: Crumb[] } | null)?.trail ?? [];
  enter();
});

function go(hash: string, nextTrail: Crumb[]): void {
  clearTimeout(settling);
  trail = nextTrail;
  history.pushState({ trail }, "", hash);
  enter();
}

document.addEventListener("click", (event) => {
  const link = (event.target as Element).closest?.("a[href^='#']");
  if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const place = document.getElementById(link.getAttribute("href")!.slice(1));
  if (place) {
    // Within the page. The address stays: it holds the question.
    place.focus();
    place.scrollIntoView();
    return;
  }
  const crumb = Number(link.getAttribute("data-crumb") ?? -1);
  go(link.getAttribute("href")!, trail.slice(0, Math.max(0, crumb)));
  if (!query.sense) input.focus();
});

// ---------------------------------------------------------------- the question's controls

input.addEventListener("input", () => {
  // What is written over a sense's gloss is a new question; the sense stays in the history.
  if (query.sense) {
    trail = [];
    chosen = undefined;
    history.pushState({ trail }, "", location.hash);
  }
  query = { ...query, text: input.value, sense: undefined };
  limit = PAGE;
  ask(fetched.isWhole ? 0 : PAUSE);
});

function empty(): void {
  input.value = "";
  input.dispatchEvent(new Event("input"));
  input.focus();
  settle();
}

clear.addEventListener("click", empty);
byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  entries.focus(0);
});
input.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") {
    event.preventDefault();
    entries.focus(0);
  } else if (event.key === "Escape" && input.value) {
    event.preventDefault();
    empty();
  }
});
document.addEventListener("keydown", (event) => {
  const writing = event.target instanceof HTMLInputElement && event.target.type === "text";
  if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    input.focus();
    input.select();
  } else if (event.key === "Escape" && !writing) {
    input.focus();
  }
});

byId("parts").append(
  ...PARTS.map(({ part, plural }) => {
    const radio = html("input", { type: "radio", name: "part", value: part ?? "", checked: part === query.part });
    radio.addEventListener("change", () => {
      query = { ...query, part };
      limit = PAGE;
      ask();
    });
    return html("label", { class: "choice" }, radio, html("span", {}, plural));
  }),
);

more.addEventListener("click", () => {
  const from = entries.list.children.length;
  limit = Math.min(MOST, limit + PAGE);
  ask();
  const watch = new MutationObserver(() => {
    watch.disconnect();
    entries.focus(from);
  });
  watch.observe(entries.list, { childList: true });
});

// ---------------------------------------------------------------- recall

let idle = 0;
let measuring: AbortController | undefined;
const recallKey = () => `${machine?.figures.chosen} ${query.part ?? ""}`;

function stopMeasuring(): void {
  clearTimeout(idle);
  measuring?.abort();
}

function measureWhenIdle(): void {
  clearTimeout(idle);
  // An exact search needs all of the dictionary, which nobody has asked for yet.
  if (recalls.has(recallKey()) || machine?.figures.setting.exact || !fetched.isWhole) return;
  idle = window.setTimeout(() => void measure(), 2500);
}

async function measure(): Promise<void> {
  stopMeasuring();
  if (!machine) return;
  const { loaded, figures } = machine;
  const key = recallKey();
  const { part } = query;
  const { signal } = (measuring = new AbortController());
  try {
    const recall = await measureRecall(
      loaded,
      { clues: CLUES, own: [...own] },
      figures.setting,
      part,
      (done, of) => {
        signal.throwIfAborted();
        figures.showMeasuring(done, of);
      },
      signal,
    );
    recalls.set(key, recall);
    if (key === recallKey()) figures.showRecall(recall, part);
  } catch (error) {
    if (!signal.aborted) throw error;
    figures.showRecall(recalls.get(recallKey()), query.part);
  }
}

// ---------------------------------------------------------------- starting

async function start(): Promise<void> {
  status.replaceChildren(loading.node);
  try {
    const loaded = await load((progress) => loading.show(progress), fetched.tell);
    fetched.show(loaded.index);
    const asker = new Asker(loaded.index, loaded.embedder, answered);
    const figures: Figures = new Figures(byId("figures"), loaded, fetched, {
      onSetting: () => {
        figures.showRecall(recalls.get(recallKey()), query.part);
        ask();
      },
      onMeasure: () => void bring(() => void measure(), figures),
    });
    figures.showRecall(undefined, query.part);
    machine = { loaded, asker, figures };
    if (loaded.index.thread === "main") {
      notice.replaceChildren(html("p", {}, "This browser starts no module workers, so the search runs in the page itself. It works; typing may stutter."));
    }
  } catch (error) {
    const explained = explain(error);
    const retry = async () => {
      if (explained.damaged) await offline.forget();
      await start();
    };
    status.replaceChildren(failure(explained, () => void retry()));
    return;
  }
  status.replaceChildren();
  ask();
  isKept = await offline.complete();
  sayWhatIsKept();
}

/** Page and model are kept. */
let isKept = false;

/** What works without a network from now on. */
function sayWhatIsKept(): void {
  if (!isKept || !machine) return;
  const { index } = machine.loaded;
  const stays = "What you type stays in this page. ";
  if (fetched.isWhole) {
    offlineLine.replaceChildren(`${stays}Everything is kept: it works without a network now.`);
    return;
  }
  const all = html("button", { type: "button", class: "quiet" }, `Keep all of it, ${megabytes(index.bytes)}`);
  const { figures } = machine;
  all.addEventListener("click", () => {
    all.disabled = true;
    void bring(measureWhenIdle, figures);
  });
  offlineLine.replaceChildren(`${stays}What was fetched is kept, and answers without a network as far as it goes. `, all);
}

/** After the index was lost (its worker died, or the system took its memory), or what came of it was damaged. */
async function reopen({ damaged }: { damaged: boolean }): Promise<void> {
  void machine?.loaded.index.close();
  machine = undefined;
  fetched.hide();
  answers.replaceChildren();
  if (damaged) await offline.forget();
  await start();
}

// What could not be had without a network is asked again with it.
addEventListener("online", () => {
  if (answers.querySelector(".failure")) ask();
});

function offerUpdate(takeOver: () => void): void {
  const button = html("button", { type: "button", class: "quiet" }, "Start it");
  button.addEventListener("click", takeOver);
  notice.replaceChildren(html("p", {}, "A newer version of this page is ready. ", button));
}

themeToggle(byId("theme"));
// What was typed before this script ran counts, unless the address asks something else.
query.text ||= input.value;
input.value = query.text;
const lack = lacking();
if (lack) {
  input.disabled = true;
  status.replaceChildren(failure({ title: "This browser can’t run the dictionary", text: lack }));
} else {
  status.replaceChildren(loading.node);
  await offline.start(offerUpdate);
  await start();
}
