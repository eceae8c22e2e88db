#!/usr/bin/env node
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Progress } from "../scripts/setup/progress.mjs";
import { openSite } from "../scripts/setup/site.mjs";
import { ensure } from "../scripts/setup/steps.mjs";
import { answerRates } from "./answers.mjs";
import { Browser } from "./browser.mjs";
import { count, knownDatasets, machine, readArguments, reportFolder, runMain } from "./command.mjs";
import { DATASETS, prepare } from "./datasets.mjs";
import { Files } from "./files.mjs";
import { measure } from "./measure.mjs";
import { installPeers } from "./peers.mjs";
import { plotFilters } from "./plot.mjs";
import { Random } from "./random.mjs";
import { aligned, micros, piped } from "./report.mjs";
import { nearest } from "./truth.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const USAGE = "npm run bench:filters -- --help";
const LIMIT = 10;

/** Shares of the rows that pass; the last filter passes one row. */
const SHARES = [1, 0.5, 0.1, 0.01, 1e-3, 1e-4, 0];

/** So few are compared one by one by every index, so the answer is exact. */
const FEW = 200;

const HELP = `Usage: npm run bench:filters [-- options]

Time a query against the share of rows that pass its filter, from all to a single one, for each index type in Chromium:
an index with a mask, a walk that passes over rows, or a comparison of the few that pass, as their number suggests. A
filter has been evaluated once before it is timed: an index remembers the rows of the last one. Recall@${LIMIT} against exact
search among the rows that pass.

Options:
  --dataset NAME   ${Object.keys(DATASETS).join(", ")}; default: clusters, which takes some minutes
  --queries N      queries in each setting; default 100
  --rounds N       how often each query is timed; default 3
  --out FOLDER     where the report goes; default benches/results/<date>-filters
  --quick          a smoke run: 5,000 vectors, one round
  -h, --help       this text

Writes report.md, results.json and a plot, and prints the table. If answers are wrong (rows that don't pass, fewer than
there are, a recall below what the index must reach, or below 1 where at most ${FEW} rows pass), it says so, and the exit code is 1.
`;

const ROWS = ["--rerank", "int8,f32"];
const INDEXES = [
  { engine: "FLAT", build: ["--index-type", "FLAT", "--rerank", "f32"], floor: 0.999 },
  { engine: "SCAN_RABITQ", build: ["--index-type", "SCAN_RABITQ", ...ROWS], floor: 0.95 },
  { engine: "IVF_RABITQ", build: ["--index-type", "IVF_RABITQ", ...ROWS], floor: 0.8 },
  { engine: "IVF_FLAT", build: ["--index-type", "IVF_FLAT", ...ROWS], floor: 0.8 },
  { engine: "HNSW", build: ["--index-type", "HNSW", ...ROWS], floor: 0.8 },
];

function readOptions() {
  const values = readArguments(
    {
      dataset: { type: "string" },
      queries: { type: "string" },
      rounds: { type: "string" },
      out: { type: "string" },
      quick: { type: "boolean", default: false },
    },
    HELP,
  );
  const { quick, dataset = quick ? "synthetic" : "clusters" } = values;
  knownDatasets([dataset], DATASETS);
  return {
    dataset,
    queries: count("queries", values.queries ?? "100", USAGE),
    rounds: count("rounds", values.rounds ?? (quick ? "1" : "3"), USAGE),
    out: reportFolder(values.out, path.join(HERE, "results"), "filters"),
  };
}

/** Gives each row a place in a random order, for filters like `place < 60`. */
function writePlaces(dataset) {
  const places = new Random(5).permutation(dataset.count);
  const file = path.join(dataset.folder, "places.jsonl");
  if (!existsSync(file)) writeFileSync(file, places.map((place) => `{"place":${place}}\n`).join(""));
  return { places, file };
}

/** The nearest among the rows that pass. */
function nearestAmong(dataset, passes) {
  const { base, dimension } = dataset;
  const rows = Array.from({ length: dataset.count }, (_, row) => row).filter(passes);
  const own = new Float32Array(rows.length * dimension);
  rows.forEach((row, at) => own.set(base.subarray(row * dimension, (row + 1) * dimension), at * dimension));
  return nearest({ ...dataset, base: own, count: rows.length }, LIMIT);
}

async function prepareRunners(dataset, files, browser, log) {
  const { places, file: metadata } = writePlaces(dataset);
  const counts = [...new Set(SHARES.map((share) => Math.max(1, Math.round(share * dataset.count))))];
  const settings = counts.map((pass) => {
    const passes = (row) => places[row] < pass;
    return { pass, passes, truth: nearestAmong(dataset, passes) };
  });
  const runners = [];
  for (const { engine, build, floor } of INDEXES) {
    const { file, bytes, buildSeconds } = await files.elanus(dataset, [...build, "--metadata", metadata, "--fields", "place:Int64"]);
    await browser.open(engine, file, "main");
    for (const { pass, passes, truth } of settings) {
      const options = { limit: LIMIT, filter: `place < ${pass}` };
      const run = (first, last) => browser.search(engine, options, first, last);
      const setting = `${pass} of ${dataset.count} pass`;
      runners.push({ engine, setting, place: "Chromium, main", floor: pass <= FEW ? 0.999 : floor, tolerance: 1e-4, about: { bytes, buildSeconds, pass }, truth, passes, run });
    }
  }
  log(`${dataset.title}: ${dataset.count} × ${dataset.dimension}, ${dataset.queries} queries, ${runners.length} settings`);
  return runners;
}

/** A row a share, a column an index: median time, and recall where it isn't 1. */
function table({ rows, count }) {
  const engines = [...new Set(rows.map((row) => row.engine))];
  const cell = ({ p50, recall, wrong }) => `${micros(p50)}${recall < 1 ? ` (${recall.toFixed(3)})` : ""}${wrong ? " WRONG" : ""}`;
  const shares = [...new Set(rows.map((row) => row.pass))];
  const lines = shares.map((pass) => [
    pass === 1 ? "one row" : `${Number((100 * pass / count).toPrecision(2))} %`,
    ...engines.map((engine) => cell(rows.find((row) => row.engine === engine && row.pass === pass))),
  ]);
  return [["rows that pass", ...engines.map((engine) => `${engine}, µs`)], ...lines];
}

async function writeFilterReport(report, folder) {
  const [dataset] = report.datasets;
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "results.json"), `${JSON.stringify(report, null, 1)}\n`);
  writeFileSync(path.join(folder, "filters.svg"), await plotFilters(dataset, LIMIT));
  const about = Object.entries(report.machine).map(([key, value]) => `${key} ${value}`).join("; ");
  const parts = [
    `# Filters, ${report.when.slice(0, 10)}`,
    `Median µs a query in Chromium, one thread, the filter's rows known; recall@${LIMIT} in brackets where it isn't 1. Load of the machine: ${dataset.load.map((x) => x.toFixed(1)).join(" before, ")} after.`,
    `${dataset.title}: ${dataset.count.toLocaleString("en")} × ${dataset.dimension} (${dataset.source}). Machine: ${about}.`,
    "![time against the share of rows that pass](filters.svg)",
    piped(table(dataset)),
  ];
  writeFileSync(path.join(folder, "report.md"), `${parts.join("\n\n")}\n`);
  return `\n${aligned(table(dataset))}\n\nWritten to ${folder}\n`;
}

async function main() {
  const options = readOptions();
  const site = openSite();
  const log = (text) => process.stderr.write(`${text}\n`);
  await ensure(["pkg", "cli", "browser"], site, new Progress({ out: process.stderr }));
  await installPeers(site, { native: false, datasets: [options.dataset], peers: [] }, log);
  const browser = await Browser.launch(site);
  const began = new Date();
  try {
    const dataset = await prepare(options.dataset, site, options.queries, log);
    await browser.useDataset(dataset);
    const runners = await prepareRunners(dataset, new Files(site, log), browser, log);
    const before = os.loadavg()[0];
    const rows = await measure({ runners, dataset, truth: undefined, limit: LIMIT, rounds: options.rounds, log });
    await browser.closeAll();
    const { title, source, count, dimension, queries, hash } = dataset;
    const measured = { name: options.dataset, title, source, count, dimension, queries, hash, load: [before, os.loadavg()[0]], rows };
    const report = { when: began.toISOString(), limit: LIMIT, rounds: options.rounds, machine: { ...machine(site), chromium: browser.version }, datasets: [measured] };
    process.stdout.write(await writeFilterReport(report, options.out));
    const wrong = answerRates(report);
    if (wrong.length > 0) {
      process.stderr.write(`\nWrong answers:\n${wrong.map((line) => `  ${line}\n`).join("")}`);
      process.exitCode = 1;
    }
  } finally {
    await browser.close();
  }
}

await runMain(main, USAGE);
