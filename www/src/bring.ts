// The page that opens files: one file at a time, what it is, and a search in it.

import { ElanusError, type Hit, type Index } from "elanus";
import { byId, html, svg } from "./dom.ts";
import { fileSize, megabytes, milliseconds, whole } from "./numbers.ts";
import { asElanus, canSave, openFile, type Opened, type Told } from "./opening.ts";
import { themeToggle } from "./theme.ts";

const METRICS = ["L2", "IP", "COSINE", "ANGULAR", "MANHATTAN", "HAMMING"];
const LIMIT = 10;

const input = byId<HTMLInputElement>("file");
const drop = byId("drop");
const state = byId("state");
const place = byId("opened");
const again = byId<HTMLButtonElement>("again");
const metric = byId<HTMLSelectElement>("metric");
const hints = byId<HTMLDetailsElement>("hints");

let chosen: File | undefined;
let current: Index | undefined;
let stop: AbortController | undefined;

function told(): Told {
  const [format, dimension] = [byId<HTMLSelectElement>("format").value as Told["format"] | "", Number(byId<HTMLInputElement>("dimension").value)];
  return { ...(format && { format }), ...(metric.value && { metric: metric.value }), ...(dimension > 0 && { dimension }) };
}

function progress(what: string): (done: number, total: number | undefined) => void {
  const bar = html("progress", { "aria-label": what });
  const line = html("p", { class: "small" }, what);
  const end = html("button", { type: "button", class: "quiet" }, "Stop");
  end.addEventListener("click", () => stop?.abort());
  state.replaceChildren(line, bar, end);
  return (done, total) => {
    if (!total) return;
    bar.max = total;
    bar.value = done;
  };
}

function fault(error: unknown): void {
  if (stop?.signal.aborted) return state.replaceChildren(html("p", { class: "small" }, "Stopped."));
  const code = error instanceof ElanusError ? error.code : undefined;
  const text = error instanceof Error ? error.message : String(error);
  // What is missing can be given right here.
  if (code === "INVALID_ARGUMENT" || code === "UNSUPPORTED_FORMAT") hints.open = true;
  state.replaceChildren(html("p", { class: "fault", role: "alert" }, text.replace(/^./, (first) => first.toUpperCase()), text.endsWith(".") ? "" : "."));
}

async function start(file: File): Promise<void> {
  stop?.abort();
  const mine = (stop = new AbortController());
  chosen = file;
  again.disabled = false;
  byId("file-name").textContent = `${file.name}, ${fileSize(file.size)}`;
  place.hidden = true;
  await current?.close();
  current = undefined;
  const report = progress(`Opening ${file.name}`);
  try {
    const began = performance.now();
    const opened = await openFile(file, told(), report, mine.signal);
    if (mine.signal.aborted) return void opened.index.close();
    current = opened.index;
    state.replaceChildren();
    await show(file, opened, performance.now() - began);
  } catch (error) {
    if (mine === stop) fault(error);
  }
}

/** Least, middle and largest list on one scale. */
function sizes(least: number, median: number, most: number): SVGSVGElement {
  const at = (size: number) => 6 + (188 * size) / Math.max(1, most);
  const label = `from ${whole(least)} to ${whole(most)} vectors a list, half of the lists below ${whole(median)}`;
  return svg(
    "svg",
    { class: "spread-bar", viewBox: "0 0 200 30", role: "img", "aria-label": label },
    svg("line", { x1: 6, x2: 194, y1: 10, y2: 10 }),
    svg("line", { class: "range", x1: at(least), x2: at(most), y1: 10, y2: 10 }),
    svg("circle", { cx: at(median), cy: 10, r: 4 }),
    svg("text", { x: 6, y: 27 }, whole(0)),
    svg("text", { x: at(median), y: 27, "text-anchor": "middle" }, median > most / 8 && median < (most * 7) / 8 ? whole(median) : ""),
    svg("text", { x: 194, y: 27, "text-anchor": "end" }, whole(most)),
  );
}

/** How many rows reach each level of a graph, from the highest down, as bars on one scale: the root, since levels shrink so fast. */
function pyramid(levels: readonly number[]): SVGSVGElement {
  const [line, most] = [16, Math.sqrt(Math.max(1, ...levels))];
  const label = levels.map((rows, level) => `level ${level}: ${whole(rows)}`).join(", ");
  const bars = levels.flatMap((rows, level) => {
    const y = (levels.length - 1 - level) * line;
    const width = Math.max(2, (120 * Math.sqrt(rows)) / most);
    return [
      svg("text", { x: 0, y: y + 12 }, String(level)),
      svg("rect", { x: 14, y: y + 3, width, height: line - 5 }),
      svg("text", { x: 20 + width, y: y + 12 }, whole(rows)),
    ];
  });
  return svg("svg", { class: "pyramid", viewBox: `0 0 200 ${levels.length * line}`, role: "img", "aria-label": label }, ...bars);
}

async function show(file: File, { index, made }: Opened, took: number): Promise<void> {
  const { wasmBytes } = await index.memory();
  const { lists, levels } = index;
  const facts: [string, (Node | string)[]][] = [
    ["Written by", [index.format === "elanus" ? "Elanus" : index.format, made ? `, ${made}` : ""]],
    ["Index", [index.indexType]],
    ["Vectors", [`${whole(index.count)} of ${whole(index.dimension)} ${index.binary ? "bits" : "dimensions"}`]],
    ["Metric", [index.metric]],
    ["File", [fileSize(file.size), made ? `, the index ${fileSize(index.bytes)}` : ""]],
    ["In memory", [`${megabytes(wasmBytes)}, open in ${milliseconds(took)}`]],
  ];
  if (lists) facts.push(["Lists", [whole(lists.count), sizes(lists.least, lists.median, lists.most)]]);
  if (levels?.length) facts.push(["Levels", [whole(levels.length), pyramid(levels)]]);
  const save = html("button", { type: "button", class: "quiet" }, "Save as .elanus");
  save.addEventListener("click", () => void keep(file, index));
  place.replaceChildren(
    html("h2", {}, "What it is"),
    html("dl", { class: "facts" }, ...facts.flatMap(([name, value]) => [html("dt", {}, name), html("dd", {}, ...value)])),
    html("p", { class: "saving" }, canSave(index) ? save : html("span", { class: "small" }, `An .elanus file knows no ${index.metric}: this one can’t be saved as such.`)),
    ...searching(index),
  );
  place.hidden = false;
  place.focus({ preventScroll: true });
}

function searching(index: Index): HTMLElement[] {
  const row = html("input", { type: "number", id: "row", min: 0, max: index.count - 1, value: 0, inputmode: "numeric" });
  const pasted = html("textarea", {
    id: "vector",
    rows: 2,
    spellcheck: false,
    placeholder: index.binary ? `${Math.ceil(index.dimension / 8)} bytes, such as 17, 255, 0 …` : `${index.dimension} numbers, such as 0.12, -0.5 …`,
  });
  const answers = html("div", { id: "answers", "aria-live": "polite" });
  const byRow = html("form", { class: "ask" }, html("label", {}, "Near the row", row), html("button", { class: "quiet" }, "Search"));
  const byVector = html("form", { class: "ask" }, html("label", { class: "wide" }, "Near a vector, pasted", pasted), html("button", { class: "quiet" }, "Search"));
  const ask = async (vector: () => Promise<Float32Array | Uint8Array | number[]>) => {
    try {
      const query = await vector();
      const began = performance.now();
      const hits = await index.search(query, { limit: LIMIT });
      answers.replaceChildren(table(hits, performance.now() - began, near));
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      answers.replaceChildren(html("p", { class: "fault", role: "alert" }, text));
    }
  };
  const near = (number: number) => {
    row.value = String(number);
    void ask(async () => (await index.vectors([number])).vectors);
  };
  byRow.addEventListener("submit", (event) => {
    event.preventDefault();
    near(Number(row.value));
  });
  byVector.addEventListener("submit", (event) => {
    event.preventDefault();
    const numbers = pasted.value.split(/[\s,;[\]()]+/).filter(Boolean).map(Number);
    void ask(async () => (index.binary ? Uint8Array.from(numbers) : numbers));
  });
  // Bits can't be had back from every library.
  return [html("h2", {}, "Search it"), ...(index.binary ? [] : [byRow]), byVector, answers];
}

function table(hits: readonly Hit[], took: number, near: (row: number) => void): HTMLElement {
  const caption = html("caption", { class: "small" }, `${hits.length} nearest, in ${milliseconds(took)}`);
  const rows = hits.map(({ id, row, distance }) => {
    const go = html("button", { type: "button", "aria-label": `Search near row ${row}` }, whole(row));
    go.addEventListener("click", () => near(row));
    return html("tr", {}, html("td", {}, String(id)), html("td", {}, go), html("td", {}, distance.toPrecision(6)));
  });
  const head = html("tr", {}, ...["Id", "Row", "Distance"].map((name) => html("th", { scope: "col" }, name)));
  return html("table", { class: "found" }, caption, html("thead", {}, head), html("tbody", {}, ...rows));
}

async function keep(file: File, index: Index): Promise<void> {
  const mine = (stop = new AbortController());
  try {
    const { blob, kept } = await asElanus(index, progress("Writing the .elanus file"), mine.signal);
    const how = kept ? "the same index, which answers alike" : "its vectors, indexed anew: an .elanus file has no place for this kind of index";
    state.replaceChildren(html("p", { class: "small" }, `Saved, ${fileSize(blob.size)}: ${how}.`));
    const url = URL.createObjectURL(blob);
    const link = html("a", { href: url, download: `${file.name.replace(/\.\w+$/, "")}.elanus` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    if (mine === stop) fault(error);
  }
}

metric.append(html("option", { value: "" }, "of itself"), ...METRICS.map((name) => html("option", {}, name)));
themeToggle(byId("theme"));
input.addEventListener("change", () => input.files?.[0] && void start(input.files[0]));
byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (chosen) void start(chosen);
});
for (const kind of ["dragenter", "dragover"]) {
  addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const kind of ["dragleave", "drop"]) addEventListener(kind, () => drop.classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  const file = event.dataTransfer?.files[0];
  if (file) void start(file);
});
