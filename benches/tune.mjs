#!/usr/bin/env node
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Progress } from "../scripts/setup/progress.mjs";
import { cliPath, openSite } from "../scripts/setup/site.mjs";
import { ensure } from "../scripts/setup/steps.mjs";
import { count, knownDatasets, readArguments, runMain } from "./command.mjs";
import { DATASETS, prepare } from "./datasets.mjs";

const USAGE = "npm run bench:tune -- --help";
const LIMIT = 10;

/** Turns that the two chosen indexes take, so that other load hits both alike. */
const TURNS = 7;

const HELP = `Usage: npm run bench:tune [-- options]

\`elanus tune\` beside a search of the whole grid (\`--exhaustive\`): how long each takes, and how good what each chooses is, on
queries that neither has seen.

Options:
  --dataset NAME   ${Object.keys(DATASETS).join(", ")}; default: clusters
  --rows N         only the first N rows; default: 20000
  --queries N      queries to tune with; as many others measure what was chosen; default 300
  --recall R       default 0.95
  -h, --help       this text
`;

function readOptions() {
  const values = readArguments(
    {
      dataset: { type: "string", default: "clusters" },
      rows: { type: "string", default: "20000" },
      queries: { type: "string", default: "300" },
      recall: { type: "string", default: "0.95" },
    },
    HELP,
  );
  knownDatasets([values.dataset], DATASETS);
  return { ...values, rows: count("rows", values.rows, USAGE), queries: count("queries", values.queries, USAGE) };
}

/** Runs a command; the processor's seconds that it took, which other load of the machine doesn't change much. */
function timed(command, args) {
  const script = '"$@" > /dev/null && times';
  const text = execFileSync("sh", ["-c", script, "sh", command, ...args], { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" });
  // The last line is of the shell's children: user and system, as 1m2.34s.
  const parts = text.trim().split("\n").at(-1).match(/(\d+)m([\d.]+)s/g) ?? [];
  return parts.map((part) => part.split("m")).reduce((sum, [minutes, seconds]) => sum + 60 * minutes + Number.parseFloat(seconds), 0);
}

const bytesOf = (numbers) => new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);

async function main() {
  const options = readOptions();
  const site = openSite();
  const log = (text) => process.stderr.write(`${text}\n`);
  await ensure(["cli"], site, new Progress({ out: process.stderr }));
  mkdirSync(site.build, { recursive: true });
  const data = await prepare(options.dataset, site, 2 * options.queries, log);
  const { dimension } = data;
  const folder = mkdtempSync(path.join(os.tmpdir(), "elanus-tune-"));
  try {
    const put = (name, numbers) => {
      writeFileSync(path.join(folder, name), bytesOf(numbers));
      return path.join(folder, name);
    };
    const rows = Math.min(options.rows, data.count);
    const half = Math.floor(data.queries / 2);
    const base = put("base.f32", data.base.subarray(0, rows * dimension));
    const seen = put("seen.f32", data.queryVectors.subarray(0, half * dimension));
    const unseen = put("unseen.f32", data.queryVectors.subarray(half * dimension, 2 * half * dimension));
    const elanus = (...args) => JSON.parse(execFileSync(cliPath(site), [...args, "--json"], { stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 28 }));
    const tune = (name, ...more) => {
      const [output, kept] = [`${name}.elanus`, `${name}.json`].map((file) => path.join(folder, file));
      const asked = ["tune", base, "--dimension", String(dimension), "--queries", seen, "--recall", options.recall, "--report", kept, ...more];
      const processor = timed(cliPath(site), asked);
      const report = JSON.parse(readFileSync(kept, "utf8"));
      const { candidate, search, build } = report.chosen;
      log(`${name}: ${report.measurements} measurements in ${report.seconds.toFixed(1)} s; ${JSON.stringify(candidate)} ${JSON.stringify(search)}`);
      elanus("build", base, "--dimension", String(dimension), "--output", output, ...build);
      return { name, output, processor, ...report };
    };
    const both = [tune("tune"), tune("grid", "--exhaustive")];
    const taken = both.map(() => []);
    for (let turn = 0; turn < TURNS; turn++) {
      both.forEach(({ output, chosen }, i) => {
        const search = Object.entries(chosen.search).flatMap(([name, value]) => [`--${name}`, String(value)]);
        taken[i].push(elanus("evaluate", output, unseen, "--vectors", base, "-k", String(LIMIT), ...search).evaluation);
      });
    }
    const middle = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
    const [ours, grid] = both.map(({ seconds, processor, chosen, measurements }, i) => ({
      seconds,
      processor,
      measurements,
      recall: taken[i][0].measures[`knn_recall@${LIMIT}`].mean,
      us: middle(taken[i].map(({ latency }) => latency.mean_us)),
      bytes: chosen.bytes_per_vector,
    }));
    process.stdout.write(`${data.title}, ${rows} × ${dimension}, recall@${LIMIT} of at least ${options.recall}; chosen indexes on ${half} other queries\n`);
    for (const [name, { seconds, processor, measurements, recall, us, bytes }] of Object.entries({ tune: ours, grid })) {
      process.stdout.write(`${name.padEnd(5)} ${processor.toFixed(1).padStart(8)} s of the processor (${seconds.toFixed(1)} s)  ${String(measurements).padStart(6)} measurements  recall ${recall.toFixed(4)}  ${us.toFixed(1)} µs  ${bytes.toFixed(0)} bytes a vector\n`);
    }
    process.stdout.write(`tune took 1/${(grid.processor / ours.processor).toFixed(1)} of the processor's time; its index takes ${(ours.us / grid.us).toFixed(2)} times as long a query\n`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

await runMain(main, USAGE);
