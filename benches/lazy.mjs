#!/usr/bin/env node
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { browserArguments } from "../scripts/setup/browser.mjs";
import { Progress } from "../scripts/setup/progress.mjs";
import { openSite } from "../scripts/setup/site.mjs";
import { ensure } from "../scripts/setup/steps.mjs";
import { count, knownDatasets, machine, readArguments, reportFolder, runMain } from "./command.mjs";
import { DATASETS, prepare } from "./datasets.mjs";
import { Files } from "./files.mjs";
import { aligned } from "./report.mjs";
import { dot, nearest } from "./truth.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const USAGE = "npm run bench:lazy -- --help";
const LIMIT = 10;

const HELP = `Usage: npm run bench:lazy [-- options]

What a first answer costs of an index file that is searched in ranges: each query opens the file anew in Chromium, with nothing kept,
on a host that waits before each answer and counts. Says mean recall@${LIMIT} by exact search, and of bytes, requests and milliseconds
the middle and the largest; then the same of a page that goes on asking, and of one that finds on the disk what it asks for. Says of
the first, too, which sections of the file the bytes are of.

Options:
  --dataset NAME   ${Object.keys(DATASETS).join(", ")}; default: wordnet-minilm
  --queries N      queries in each setting; default 100
  --latency MS     the host waits so long; default 20
  --nlist N        lists of the file; default 512
  --nprobe LIST    lists that are looked into, a setting each; default 24,32,40
  --rerank N       rows that are compared exactly; default 40
  --out FOLDER     where the report goes; default benches/results/<date>-lazy
  -h, --help       this text

Writes results.json and report.md, and prints the table.
`;

function readOptions() {
  const values = readArguments(
    {
      dataset: { type: "string", default: "wordnet-minilm" },
      queries: { type: "string", default: "100" },
      latency: { type: "string", default: "20" },
      nlist: { type: "string", default: "512" },
      nprobe: { type: "string", default: "24,32,40" },
      rerank: { type: "string", default: "40" },
      out: { type: "string" },
    },
    HELP,
  );
  knownDatasets([values.dataset], DATASETS);
  return {
    dataset: values.dataset,
    queries: count("queries", values.queries, USAGE),
    latency: Number(values.latency),
    nlist: count("nlist", values.nlist, USAGE),
    nprobe: values.nprobe.split(",").map((text) => count("nprobe", text, USAGE)),
    rerank: count("rerank", values.rerank, USAGE),
    out: reportFolder(values.out, path.join(HERE, "results"), "lazy"),
  };
}

/** Serves the page and the package at once, and the index file as a slow host does; counts what is asked of it. */
async function slowHost(site, file, latency) {
  const bytes = readFileSync(file);
  const pkg = path.join(site.root, "pkg");
  const told = { bytes: 0, requests: 0, page: 0, ranges: [] };
  const types = { ".js": "text/javascript", ".wasm": "application/wasm" };
  const server = createServer((request, response) => {
    const address = new URL(request.url, "http://host").pathname;
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    if (address === "/index.elanus") {
      const [from, to] = range ? [Number(range[1]), Math.min(Number(range[2]) + 1, bytes.length)] : [0, bytes.length];
      told.bytes += to - from;
      told.requests += 1;
      told.ranges.push([from, to]);
      const headers = { "content-length": to - from, "cache-control": "no-store", ...(range && { "content-range": `bytes ${from}-${to - 1}/${bytes.length}` }) };
      setTimeout(() => response.writeHead(range ? 206 : 200, headers).end(bytes.subarray(from, to)), latency);
      return;
    }
    if (address.startsWith("/elanus/") && !address.includes("..")) {
      const body = readFileSync(path.join(pkg, address.slice(8)));
      told.page += body.length;
      response.writeHead(200, { "content-type": types[path.extname(address)] ?? "application/octet-stream" }).end(body);
      return;
    }
    response.writeHead(200, { "content-type": "text/html" }).end('<!doctype html><link rel="icon" href="data:,"><script type="module">import * as elanus from "/elanus/index.js"; globalThis.elanus = elanus;</script>');
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${server.address().port}`, told, close: () => (server.closeAllConnections(), server.close()) };
}

/** In the page: answers each query from a file that is opened anew, or from one that stays open. */
async function ask({ queries, plan, keep, stay }) {
  const answers = [];
  let index;
  for (const query of queries) {
    const begun = performance.now();
    index ??= await elanus.open("/index.elanus", { load: "lazy", keep });
    const before = stay ? await index.traffic() : { bytes: 0, requests: 0, roundTrips: 0 };
    const asked = stay ? performance.now() : begun;
    const hits = await index.search(Float32Array.from(query), plan);
    const ms = performance.now() - asked;
    const { bytes, requests, roundTrips } = await index.traffic();
    const spent = { bytes: bytes - before.bytes, requests: requests - before.requests, roundTrips: roundTrips - before.roundTrips };
    answers.push({ rows: hits.map(({ id }) => Number(id)), ms, ...spent });
    if (!stay) {
      await index.close();
      index = undefined;
    }
  }
  await index?.close();
  return answers;
}

/** The sections of a file, and where each ends with its padding; what is before the first is the header and the table. */
function sectionsOf(file) {
  const names = { 0: "coarse", 1: "card", 2: "rotation", 3: "centroids", 4: "directory", 5: "codes", 6: "keys", 7: "rows_i8", 10: "fields", 12: "order", [0x80000080]: "bundles", [0x80000100]: "checks" };
  const bytes = readFileSync(file);
  const entries = Array.from({ length: bytes.readUInt32LE(48) }, (_, i) => 128 + 32 * i);
  const starts = entries.map((at) => Number(bytes.readBigUInt64LE(at + 8)));
  const named = entries.map((at, i) => ({ name: names[bytes.readUInt32LE(at)] ?? `section ${bytes.readUInt32LE(at)}`, from: starts[i], to: starts[i + 1] ?? bytes.length }));
  return [{ name: "header", from: 0, to: starts[0] }, ...named];
}

/** Of each section the bytes and the requests that touched it, of one query on average. */
function shares(ranges, sections, queries) {
  return sections.flatMap(({ name, from, to }) => {
    const parts = ranges.map((range) => Math.min(range[1], to) - Math.max(range[0], from)).filter((bytes) => bytes > 0);
    return parts.length ? [{ name, bytes: parts.reduce((sum, bytes) => sum + bytes, 0) / queries, requests: parts.length / queries }] : [];
  });
}

function summary(answers, dataset, truth) {
  const middle = (name) => answers.map((answer) => answer[name]).sort((a, b) => a - b)[answers.length >> 1];
  const most = (name) => Math.max(...answers.map((answer) => answer[name]));
  const found = answers.map(({ rows }, query) => {
    const last = truth[query].at(-1) - 1e-5;
    const at = query * dataset.dimension;
    return rows.filter((row) => dot(dataset.queryVectors, at, dataset.base, row * dataset.dimension, dataset.dimension) >= last).length / LIMIT;
  });
  const both = (name) => [middle(name), most(name)];
  return {
    recall: found.reduce((sum, share) => sum + share, 0) / found.length,
    bytes: both("bytes"), requests: both("requests"), roundTrips: both("roundTrips"), ms: both("ms"),
  };
}

async function main() {
  const options = readOptions();
  const site = openSite();
  await ensure(["pkg", "cli", "browser"], site, new Progress());
  const log = (text) => process.stdout.write(`${text}\n`);
  const dataset = await prepare(options.dataset, site, options.queries, log);
  const files = new Files(site, log);
  const { file, bytes } = await files.elanus(dataset, ["--index-type", "IVF_RABITQ", "--nlist", `${options.nlist}`, "--rerank", "int8", "--checks"]);
  const truth = nearest(dataset, LIMIT);
  const { chromium } = await import("playwright-core");
  const server = await slowHost(site, file, options.latency);
  const browser = await chromium.launch({
    executablePath: site.found.chromium,
    args: browserArguments(site.root).filter((argument) => !argument.startsWith("--headless")),
  });
  const queries = Array.from({ length: dataset.queries }, (_, query) =>
    Array.from(dataset.queryVectors.subarray(query * dataset.dimension, (query + 1) * dataset.dimension)));
  const results = [];
  let page;
  try {
    page = await (await browser.newContext()).newPage();
    await page.goto(server.origin);
    await page.waitForFunction(() => globalThis.elanus);
    // Modules are compiled, as they are after a page's first moments; what they weigh is told apart.
    await page.evaluate(ask, { queries: queries.slice(0, 3), plan: { limit: LIMIT }, keep: false, stay: false });
    const pageBytes = server.told.page;
    for (const nprobe of options.nprobe) {
      const plan = { limit: LIMIT, nprobe, rerank: options.rerank };
      for (const [setting, how] of [
        ["cold", { keep: false, stay: false }],
        ["next query", { keep: false, stay: true }],
        ["on the disk", { keep: true, stay: true }],
      ]) {
        // What is to be on the disk is brought there first, by an index that is closed again.
        if (how.keep) await page.evaluate(ask, { queries, plan, ...how });
        server.told.ranges.length = 0;
        const answers = await page.evaluate(ask, { queries, plan, ...how });
        const sections = setting === "cold" ? shares(server.told.ranges, sectionsOf(file), queries.length) : undefined;
        results.push({ nprobe, setting, ...summary(answers, dataset, truth), ...(sections && { sections }) });
      }
    }
    report(options, { dataset, bytes, pageBytes, results, about: { ...machine(site), chromium: browser.version() } }, log);
  } finally {
    await browser.close();
    server.close();
  }
}

function report(options, { dataset, bytes, pageBytes, results, about }, log) {
  const pair = ([middle, most], show) => `${show(middle)} (${show(most)})`;
  const rows = results.map(({ nprobe, setting, recall, ...spent }) => [
    `${nprobe}`, setting, recall.toFixed(3), pair(spent.bytes, (n) => (n / 1e6).toFixed(2)), pair(spent.requests, String),
    pair(spent.roundTrips, String), pair(spent.ms, (n) => n.toFixed(n < 10 ? 1 : 0)),
  ]);
  const table = aligned([["nprobe", "", `recall@${LIMIT}`, "MB", "requests", "round trips", "ms"], ...rows]);
  const title = `${dataset.title}, ${dataset.count} × ${dataset.dimension}, ${options.nlist} lists, ${options.rerank} rows compared, ` +
    `${(bytes / 1e6).toFixed(1)} MB; ${options.latency} ms before each answer; middle of ${dataset.queries} queries (largest)`;
  const cold = results.filter(({ sections }) => sections);
  const of = ({ name }, result) => result.sections.find((section) => section.name === name);
  const named = cold[0].sections.map((section) => [
    section.name,
    ...cold.map((result) => ((found) => (found ? `${(found.bytes / 1e3).toFixed(1)} KB, ${found.requests.toFixed(1)}` : "–"))(of(section, result))),
  ]);
  const byteTable = aligned([["cold: bytes, requests of", ...cold.map(({ nprobe }) => `nprobe ${nprobe}`)], ...named]);
  const foot = `Page, package and module beside that: ${(pageBytes / 1e3).toFixed(0)} KB, not compressed.`;
  mkdirSync(options.out, { recursive: true });
  writeFileSync(path.join(options.out, "results.json"), `${JSON.stringify({ options, about, bytes, pageBytes, results }, null, 2)}\n`);
  writeFileSync(path.join(options.out, "report.md"), `# Searching in ranges\n\n${title}\n\n\`\`\`\n${table}\n\n${byteTable}\n\`\`\`\n\n${foot}\n`);
  log(`${title}\n\n${table}\n\n${byteTable}\n\n${foot}\n${options.out}`);
}

await runMain(main, USAGE);
