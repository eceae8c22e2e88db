/**
 * Files of other libraries that are made now, of sizes, dimensions, seeds and versions that no fixture has: each must
 * answer as its library did, natively and in Chromium.
 *
 * ELANUS_PYTHON names the Pythons that have the libraries (faiss-cpu, hnswlib, annoy, usearch, nmslib or what of them there
 * is), several with a colon between: each adds what it has. A library that none has is skipped by name.
 */
import assert from "node:assert/strict";
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { launch, newPage } from "../package/support/browser.mjs";
import { cli } from "../package/support/cli.mjs";
import { ask, compare, fixtures } from "../package/support/foreign.mjs";
import { serve } from "../package/support/server.mjs";
import { projectWithPage, root, temporary } from "../package/support/tarball.mjs";

const PYTHONS = (process.env.ELANUS_PYTHON ?? "python3").split(":");
const TOOLS = path.join(root, "tools/fixtures");
/** Rows, dimensions and seeds. Dimensions that are no multiple of 4 leave out what Faiss can't do with them. */
const SHAPES = [
  { rows: 700, dimension: 24, seed: 101 },
  { rows: 1300, dimension: 40, seed: 202 },
  { rows: 450, dimension: 13, seed: 303 },
];
const QUERIES = 25;
const MODULES = { faiss: "faiss", hnswlib: "hnswlib", annoy: "annoy", usearch: "usearch", nmslib: "nmslib" };
/** So many of the ranks may differ, by format. */
const MOST_WRONG = 1 / 1000;

const run = promisify(execFile);

/** Which of the libraries a Python has: { faiss: "1.15.1", … }. */
function versions(python) {
  const found = {};
  for (const [library, module] of Object.entries(MODULES)) {
    const code = `import numpy, importlib.metadata as m, ${module}; print(getattr(${module}, "__version__", None) or m.version("${module}"))`;
    const { status, stdout } = spawnSync(python, ["-c", code], { encoding: "utf8" });
    if (status === 0) found[library] = stdout.trim();
  }
  return found;
}

/** Makes a library's files of one shape; returns the folder that has a folder of them. */
async function make(python, library, { rows, dimension, seed }, folder) {
  const shape = ["--rows", `${rows}`, "--dimension", `${dimension}`, "--seed", `${seed}`, "--queries", `${QUERIES}`];
  const env = { ...process.env, OMP_NUM_THREADS: "1" };
  mkdirSync(folder, { recursive: true });
  const [script, args] =
    library === "faiss" ? ["faiss_files.py", [path.join(folder, "faiss")]] : ["graph_files.py", [folder, "--library", library]];
  await run(python, [path.join(TOOLS, script), ...args, ...shape], { env, maxBuffer: 1 << 26 });
  return folder;
}

/** What `elanus search` and `elanus info` say of a fixture, as `ask` gives it. */
function askNatively(folder, { name, hints, queries, searches }) {
  const file = path.join(folder, name);
  const told = Object.entries(hints ?? {}).flatMap(([key, value]) => [`--${key}`, `${value}`]);
  const info = JSON.parse(execFileSync(cli, ["info", file, ...told, "--json"], { encoding: "utf8" }));
  writeFileSync(`${file}.jsonl`, queries.map((query) => `${JSON.stringify(query)}\n`).join(""));
  const found = searches.map(({ limit, ef, nprobe, search_k: searchK, k_factor: kFactor }) => {
    const wanted = { limit, ef, nprobe, "search-k": searchK, "k-factor": kFactor };
    const options = Object.entries(wanted).filter(([, value]) => value !== undefined).flatMap(([key, value]) => [`--${key}`, `${value}`]);
    const args = ["search", file, `${file}.jsonl`, ...told, ...options, "--json", "--quiet"];
    const lines = execFileSync(cli, args, { encoding: "utf8", maxBuffer: 1 << 28 }).trim().split("\n");
    return lines.map((line) => JSON.parse(line).hits.map(({ id, distance }) => [Number(id), distance]));
  });
  return { count: info.count, dimension: info.dimension, metric: info.metric, found };
}

/** What `compare` says of an answer; a file that isn't read at all is a rank that differs. */
async function judged(fixture, answer) {
  try {
    return compare(fixture, await answer());
  } catch (error) {
    return { ranks: 1, wrong: [`${fixture.name}: ${error.stdout || error.stderr || error.message}`] };
  }
}

const all = PYTHONS.map((python) => ({ python, has: versions(python) }));
const missing = Object.keys(MODULES).filter((library) => !all.some(({ has }) => has[library]));
for (const library of missing) {
  test(`${library} is installed`, { skip: `no Python of ELANUS_PYTHON has it: set it to what \`npm run --silent pythons\` makes` }, () => undefined);
}

const table = [["library", "version", "shape", "files", "ranks", "native", "Chromium"]];
const share = ({ ranks, wrong }) => `${((100 * (ranks - wrong.length)) / ranks).toFixed(3)} %`;

test("held-out files answer as their libraries did", { skip: missing.length === Object.keys(MODULES).length && "no library is installed" }, async (t) => {
  const { folder: pages, installed } = projectWithPage(t, "held-out");
  const files = temporary(t, "held-out-files");
  const { origin } = await serve(t, { "/": pages, "/elanus/": installed, "/files/": files });
  const { page } = await newPage(await launch(t), `${origin}/`);
  await page.waitForFunction(() => globalThis.elanus);
  await page.addScriptTag({ content: `globalThis.ask = ${ask}` });
  const sums = {};
  for (const [i, { python, has }] of all.entries()) {
    for (const [library, version] of Object.entries(has)) {
      for (const shape of SHAPES) {
        const name = `${i}-${library}-${shape.rows}`;
        const folder = await make(python, library, { ...shape, seed: shape.seed + i }, path.join(files, name));
        const own = fixtures(folder, library);
        const [native, chromium] = [[], []];
        for (const fixture of own) {
          const { hints, queries, searches } = fixture;
          native.push(await judged(fixture, () => askNatively(folder, fixture)));
          const what = { source: `/files/${name}/${fixture.name}`, hints, queries, searches, thread: "main" };
          chromium.push(await judged(fixture, () => page.evaluate((what) => globalThis.ask({ open: globalThis.elanus.open, ...what }), what)));
        }
        const total = (results) => ({ ranks: results.reduce((sum, { ranks }) => sum + ranks, 0), wrong: results.flatMap(({ wrong }) => wrong) });
        const both = { native: total(native), chromium: total(chromium) };
        table.push([library, version, `${shape.rows} × ${shape.dimension}`, `${own.length}`, `${both.native.ranks}`, share(both.native), share(both.chromium)]);
        for (const [place, { ranks, wrong }] of Object.entries(both)) {
          const sum = (sums[`${library} ${version}, ${place}`] ??= { ranks: 0, wrong: [] });
          sum.ranks += ranks;
          sum.wrong.push(...wrong);
        }
      }
    }
  }
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  for (const row of table) t.diagnostic(row.map((cell, at) => cell.padEnd(widths[at])).join("  "));
  const bad = Object.entries(sums).filter(([, { ranks, wrong }]) => wrong.length > MOST_WRONG * ranks);
  assert.deepEqual(bad.map(([what, { ranks, wrong }]) => `${what}: ${wrong.length} of ${ranks}, such as ${wrong.slice(0, 5).join("; ")}`), []);
});
