#!/usr/bin/env node
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Problem } from "../scripts/setup/problem.mjs";
import { Progress, duration } from "../scripts/setup/progress.mjs";
import { openSite } from "../scripts/setup/site.mjs";
import { ensure } from "../scripts/setup/steps.mjs";
import { answerRates } from "./answers.mjs";
import { Browser } from "./browser.mjs";
import { count, knownDatasets, machine, readArguments, reportFolder, runMain } from "./command.mjs";
import { DATASETS, prepare } from "./datasets.mjs";
import { Files } from "./files.mjs";
import { measure } from "./measure.mjs";
import { Native } from "./native.mjs";
import { installPeers } from "./peers.mjs";
import { PEER_MODULES, peerRunners, peerVersions } from "./browser-peers.mjs";
import { browserRunners, nativeRunners } from "./runners.mjs";
import { writeReport } from "./report.mjs";
import { nearest } from "./truth.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const LIMIT = 10;

const HELP = `Usage: npm run bench [-- options]

Measures every index type of the built npm package in Chromium, next to other engines on the same machine in the same
run, one thread each: hnswlib, Faiss and usearch natively, and what else runs in a browser. Recall@${LIMIT} against exact
search, time a query, build time, bytes, memory. Installs and builds what is missing. Built indexes are kept in
build/bench (not those that only a browser can build), so a second run is shorter; build times are those of the run that
built them.

Options:
  --dataset A,B    ${Object.keys(DATASETS).join(", ")}; default: ${defaults().join(", ")}
  --queries N      queries a data set; default 500
  --rounds N       how often each query is timed in each setting; default 3
  --out FOLDER     where the report goes; default benches/results/<date>
  --no-native      without hnswlib, Faiss and usearch
  --peers A,B      other engines in the browser: ${PEER_MODULES.join(", ")}; default: all. They
                   build their indexes anew in each run, which takes half an hour
  --no-peers       without those
  --quick          a smoke run: 5,000 synthetic vectors, 100 queries, one round
  -h, --help       this text

Writes report.md, results.json and a plot for each data set, and prints the tables. A row whose answers are wrong
(rows that don't exist or come twice, distances that aren't theirs, a recall below its type's floor) says so, and the
exit code is then 1.
`;

function defaults() {
  return Object.keys(DATASETS).filter((name) => !DATASETS[name].synthetic);
}

function readOptions() {
  const values = readArguments(
    {
      dataset: { type: "string" },
      queries: { type: "string" },
      rounds: { type: "string" },
      out: { type: "string" },
      "no-native": { type: "boolean", default: false },
      peers: { type: "string" },
      "no-peers": { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
    },
    HELP,
  );
  const { quick } = values;
  const datasets = knownDatasets(values.dataset?.split(",") ?? (quick ? ["synthetic"] : defaults()), DATASETS);
  const peers = values["no-peers"] ? [] : (values.peers?.split(",") ?? PEER_MODULES);
  const strange = peers.filter((name) => !PEER_MODULES.includes(name));
  if (strange.length > 0) {
    throw new Problem(`No engine is called ${strange.join(", ")}.`, { remedy: `Choose from ${PEER_MODULES.join(", ")}.` });
  }
  return {
    datasets,
    queries: count("queries", values.queries ?? (quick ? "100" : "500")),
    rounds: count("rounds", values.rounds ?? (quick ? "1" : "3")),
    out: reportFolder(values.out, path.join(HERE, "results")),
    native: !values["no-native"],
    peers,
  };
}

async function benchDataset(name, context) {
  const { site, options, browser, native, files, log } = context;
  const dataset = await prepare(name, site, options.queries, log);
  log(`${dataset.title}: ${dataset.count} × ${dataset.dimension}, ${dataset.queries} queries (${dataset.source})`);
  const began = performance.now();
  const truth = nearest(dataset, LIMIT);
  log(`exact neighbours: ${duration((performance.now() - began) / 1000)}`);
  await browser.useDataset(dataset);
  await native?.useDataset(dataset);
  const peers = await peerRunners({ dataset, browser, limit: LIMIT, modules: options.peers, log });
  const runners = [
    ...(await browserRunners({ dataset, files, browser, limit: LIMIT, log })),
    ...(native ? await nativeRunners({ dataset, files, native, limit: LIMIT, log }) : []),
    ...peers.runners,
  ];
  const loadBefore = os.loadavg()[0];
  const rows = await measure({ runners, dataset, truth, limit: LIMIT, rounds: options.rounds, log });
  await browser.closeAll();
  await native?.closeAll();
  const { title, source, count, dimension, queries, hash } = dataset;
  return { name, title, source, count, dimension, queries, hash, load: [loadBefore, os.loadavg()[0]], rows, failed: peers.failed };
}

async function main() {
  const options = readOptions();
  const site = openSite();
  const log = (text) => process.stderr.write(`${text}\n`);
  await ensure(["pkg", "cli", "browser"], site, new Progress({ out: process.stderr }));
  const python = await installPeers(site, options, log);
  const files = new Files(site, log);
  const browser = await Browser.launch(site);
  const native = python ? new Native(python) : undefined;
  const began = new Date();
  try {
    const context = { site, options, browser, native, files, log };
    const datasets = [];
    for (const name of options.datasets) datasets.push(await benchDataset(name, context));
    const versions = { chromium: browser.version, ...(native ? await native.versions() : {}), ...(options.peers.length > 0 ? peerVersions(site) : {}) };
    const report = { when: began.toISOString(), limit: LIMIT, rounds: options.rounds, machine: { ...machine(site), ...versions }, datasets };
    process.stdout.write(await writeReport(report, options.out));
    const wrong = answerRates(report);
    if (wrong.length > 0) {
      process.stderr.write(`\nWrong answers:\n${wrong.map((line) => `  ${line}\n`).join("")}`);
      process.exitCode = 1;
    }
  } finally {
    await browser.close();
    native?.close();
  }
}

await runMain(main, "npm run bench -- --help");
