#!/usr/bin/env node
import { mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Progress } from "../scripts/setup/progress.mjs";
import { openSite } from "../scripts/setup/site.mjs";
import { ensure } from "../scripts/setup/steps.mjs";
import { Browser } from "./browser.mjs";
import { count, knownDatasets, machine, readArguments, reportFolder, runMain } from "./command.mjs";
import { DATASETS, prepare } from "./datasets.mjs";
import { Files } from "./files.mjs";
import { Native } from "./native.mjs";
import { installPeers } from "./peers.mjs";
import { Random } from "./random.mjs";
import { aligned, micros, piped } from "./report.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const USAGE = "npm run bench:foreign -- --help";
const LIMIT = 10;

/** Distances that differ by no more than this, relatively, are a tie. */
const TIE = 1e-5;

/** Queries that are run in one go before the other side, or the next setting, has its turn. */
const CHUNK = 25;

/** What is searched on both sides, and how many times as long it may take in Chromium. */
const ENGINES = [
  { engine: "hnswlib HNSW (M 16, efC 200)", hints: { metric: "IP" }, most: 1.5 },
  { engine: "Faiss IVF-PQ FastScan alone", hints: {}, most: 2 },
];

const HELP = `Usage: npm run bench:foreign [-- options]

Files of other libraries, searched as they are by the built npm package in Chromium, in the page's own thread, next to
the library that wrote them: the same file, the same queries, one thread each, in turns. Median time a query, and the share of
(query, rank) pairs that have the same id, ties aside.

Options:
  --dataset A,B    ${Object.keys(DATASETS).join(", ")}; default: clusters, which takes some minutes
  --queries N      queries a setting; default 200
  --rounds N       how often each query is timed on each side; default 5
  --out FOLDER     where the report goes; default benches/results/<date>-foreign
  --quick          a smoke run: 5,000 vectors, one round, and any ratio will do
  -h, --help       this text

Writes report.md and results.json, and prints the table. If Chromium takes longer than it may (${ENGINES.map(({ engine, most }) => `${engine}: ${most} times`).join(", ")}; the median over the settings), or
fewer than 99.9 % of the ids are the same, it says so, and the exit code is 1.
`;

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
  const datasets = knownDatasets(dataset.split(","), DATASETS);
  return {
    datasets,
    quick,
    queries: count("queries", values.queries ?? "200", USAGE),
    rounds: count("rounds", values.rounds ?? (quick ? "1" : "5"), USAGE),
    out: reportFolder(values.out, path.join(HERE, "results"), "foreign"),
  };
}

/** The same setting on both sides. */
async function pairs({ dataset, files, native, browser, log }) {
  const versions = await native.versions();
  const found = [];
  for (const { engine, hints, most } of ENGINES) {
    const key = [engine, versions.hnswlib, versions.faiss, versions.usearch];
    const { file, bytes } = await files.kept(dataset, key, engine, (into) => native.build(engine, into));
    await native.load(engine, file);
    const { openMs } = await browser.open(engine, file, "main", hints);
    log(`${engine}: ${(bytes / 1e6).toFixed(1)} MB, open in Chromium in ${openMs.toFixed(0)} ms`);
    for (const setting of await native.settings(engine)) {
      const sides = [
        (first, last) => native.search(engine, setting, first, last, LIMIT),
        (first, last) => browser.search(engine, { limit: LIMIT, ...setting }, first, last),
      ];
      const text = Object.entries(setting).map(([key, value]) => `${key} ${value}`).join(", ");
      found.push({ engine, most, setting: text, sides, ms: [[], []], same: 0, ranks: 0 });
    }
  }
  return found;
}

async function measureAll(all, dataset, rounds, log) {
  const random = new Random(11);
  for (const { sides } of all) for (const side of sides) await side(0, Math.min(5, dataset.queries));
  for (let round = 0; round < rounds; round++) {
    log(`measuring ${all.length} settings on both sides, round ${round + 1} of ${rounds}`);
    for (let first = 0; first < dataset.queries; first += CHUNK) {
      const last = Math.min(first + CHUNK, dataset.queries);
      for (const turn of random.permutation(all.length)) {
        const pair = all[turn];
        // Which side is first changes: the second finds the machine as the first leaves it.
        const order = round % 2 === 0 ? [0, 1] : [1, 0];
        const answers = [];
        for (const side of order) {
          answers[side] = await pair.sides[side](first, last);
          pair.ms[side].push(...answers[side].ms);
        }
        if (round > 0) continue;
        for (const [query, ids] of answers[0].ids.entries()) {
          pair.ranks += ids.length;
          const { ids: found, similarities } = answers[1];
          pair.same += ids.filter((id, rank) => isSame(id, rank, found[query], similarities[query])).length;
        }
      }
    }
  }
}

/** Whether an answer has this id at this rank, or at one that is as near; codes of few bits often are. */
function isSame(id, rank, ids, distances) {
  const tie = (other) => Math.abs(distances[other] - distances[rank]) <= TIE * Math.abs(distances[rank]);
  const at = ids.indexOf(id);
  // What isn't there can be as near as the last that is.
  return at === rank || tie(at >= 0 ? at : ids.length - 1);
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

function summary({ engine, most, setting, ms, same, ranks }) {
  const [native, chromium] = ms.map(median);
  return { engine, most, setting, native, chromium, ratio: chromium / native, same: same / ranks, timings: ms[0].length };
}

function verdicts(rows) {
  return ENGINES.map(({ engine, most }) => {
    const own = rows.filter((row) => row.engine === engine);
    return { engine, most, ratio: median(own.map((row) => row.ratio)), same: Math.min(...own.map((row) => row.same)) };
  });
}

function table({ rows }) {
  const lines = rows.map((row) => [row.engine, row.setting, micros(row.native), micros(row.chromium), row.ratio.toFixed(2), `${(100 * row.same).toFixed(2)} %`]);
  return [["file of", "setting", "native, µs", "Chromium, µs", "ratio", "same ids"], ...lines];
}

async function main() {
  const options = readOptions();
  const site = openSite();
  const log = (text) => process.stderr.write(`${text}\n`);
  await ensure(["pkg", "browser"], site, new Progress({ out: process.stderr }));
  const python = await installPeers(site, { native: true, datasets: options.datasets, peers: [] }, log);
  const browser = await Browser.launch(site);
  const native = new Native(python);
  const report = { when: new Date().toISOString(), limit: LIMIT, rounds: options.rounds, machine: { ...machine(site), chromium: browser.version, ...(await native.versions()) }, datasets: [] };
  const faults = [];
  try {
    for (const name of options.datasets) {
      const dataset = await prepare(name, site, options.queries, log);
      await native.useDataset(dataset);
      await browser.useDataset(dataset);
      const all = await pairs({ dataset, files: new Files(site, log), native, browser, log });
      const before = os.loadavg()[0];
      await measureAll(all, dataset, options.rounds, log);
      await native.closeAll();
      await browser.closeAll();
      const { title, source, count, dimension, queries } = dataset;
      const rows = all.map(summary);
      report.datasets.push({ name, title, source, count, dimension, queries, load: [before, os.loadavg()[0]], rows });
      for (const { engine, most, ratio, same } of verdicts(rows)) {
        if (!options.quick && ratio > most) faults.push(`${title}, ${engine}: ${ratio.toFixed(2)} times as long in Chromium, where ${most} is the most`);
        if (same < 0.999) faults.push(`${title}, ${engine}: ${(100 * same).toFixed(2)} % of the ids are the same`);
      }
    }
  } finally {
    native.close();
    await browser.close();
  }
  mkdirSync(options.out, { recursive: true });
  writeFileSync(path.join(options.out, "results.json"), `${JSON.stringify(report, null, 1)}\n`);
  const about = Object.entries(report.machine).map(([key, value]) => `${key} ${value}`).join("; ");
  const parts = report.datasets.map((dataset) => {
    const { title, source, count, dimension, queries, load } = dataset;
    const heading = `${title}: ${count.toLocaleString("en")} × ${dimension} (${source}), ${queries} queries, each timed ${options.rounds} times. Load: ${load.map((x) => x.toFixed(1)).join(" before, ")} after.`;
    return [heading, dataset];
  });
  const text = parts.map(([heading, dataset]) => `${heading}\n\n${piped(table(dataset))}\n`).join("\n");
  writeFileSync(path.join(options.out, "report.md"), `# Files of other libraries, ${report.when.slice(0, 10)}\n\nMedian time a query, one thread. ${about}.\n\n${text}`);
  for (const [heading, dataset] of parts) process.stdout.write(`\n${heading}\n\n${aligned(table(dataset))}\n`);
  process.stdout.write(`\nWritten to ${options.out}\n`);
  if (faults.length > 0) {
    process.stderr.write(`\nNot as it must be:\n${faults.map((line) => `  ${line}\n`).join("")}`);
    process.exitCode = 1;
  }
}

await runMain(main, USAGE);
