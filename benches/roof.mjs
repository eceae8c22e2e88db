#!/usr/bin/env node
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { WASM_FEATURES } from "../scripts/setup/artefacts.mjs";
import { browserArguments } from "../scripts/setup/browser.mjs";
import { run } from "../scripts/setup/command.mjs";
import { showProblem } from "../scripts/setup/problem.mjs";
import { Progress } from "../scripts/setup/progress.mjs";
import { relaxed } from "../scripts/setup/relaxed.mjs";
import { openSite, targetDir } from "../scripts/setup/site.mjs";
import { ensure } from "../scripts/setup/steps.mjs";
import { wasmEnvironment } from "../scripts/setup/wasm-environment.mjs";
import { host } from "./host.mjs";

const HELP = `Usage: npm run bench:roof [-- DIMENSION]

How fast the scan over 1-bit codes reads memory in Chromium, next to a loop that does nothing but read, over the same
buffer in the same run: once in a core's own cache, once in the shared one, once past both. Default dimension: 384.
`;

/** Rows whose codes are read: 0.5, 7 and 120 MB of them in 384 dimensions. */
const ROWS = [8_192, 117_792, 2_000_000];
const BUILDS = ["simd128", "relaxed-simd"];
const ROUNDS = 40;

/** The benchmark's module, as it is compiled and with relaxed SIMD; returns the folder. */
async function buildModules(site) {
  const folder = path.join(site.build, "bench", "roof");
  mkdirSync(folder, { recursive: true });
  process.stderr.write("compiling the module\n");
  const target = "wasm32-unknown-unknown";
  const options = { env: wasmEnvironment(site, site.found.wasm), cwd: site.root, log: path.join(site.logs, "roof.log") };
  await run("cargo", ["build", "--release", "--example", "roof", "--target", target, "--no-default-features", "--locked"], options);
  const built = path.join(targetDir(site), target, "release/examples/roof.wasm");
  const strict = path.join(folder, "simd128.wasm");
  await run(process.execPath, [path.join(site.root, "node_modules/binaryen/bin/wasm-opt"), built, "-O3", ...WASM_FEATURES, "-o", strict], options);
  writeFileSync(path.join(folder, "relaxed-simd.wasm"), await relaxed(strict));
  writeFileSync(path.join(folder, "page.html"), "<!doctype html><title>roof</title>");
  return folder;
}

/** Runs in the page: the least times of the loops over each buffer, in turns. */
async function measure({ builds, rows, dimension, rounds }) {
  const found = [];
  for (const build of builds) {
    const module = await WebAssembly.compileStreaming(fetch(`/roof/${build}.wasm`));
    const imports = {};
    // The crate's calls to JavaScript, none of which is made here.
    for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = () => 0;
    for (const count of rows) {
      const { exports } = await WebAssembly.instantiate(module, imports);
      const bytes = exports.reserve(count / 32, dimension);
      const times = { scan: Infinity, scan_two: Infinity, read: Infinity };
      const together = Math.max(1, Math.round(8e6 / bytes));
      for (let round = 0; round < rounds; round++) {
        for (const name of Object.keys(times)) {
          const began = performance.now();
          for (let n = 0; n < together; n++) exports[name]();
          times[name] = Math.min(times[name], (performance.now() - began) / together);
        }
      }
      found.push({ build, count, bytes, ...times });
    }
  }
  return found;
}

async function main() {
  const [wanted] = process.argv.slice(2);
  const dimension = Number(wanted ?? 384);
  if (wanted === "-h" || wanted === "--help" || !Number.isSafeInteger(dimension) || dimension < 1) {
    process.stdout.write(HELP);
    process.exitCode = wanted?.startsWith("-") ? 0 : 2;
    return;
  }
  const site = openSite();
  await ensure(["dependencies", "wasm-std", "browser"], site, new Progress({ out: process.stderr }));
  const folder = await buildModules(site);
  const { chromium } = await import("playwright-core");
  const server = await host({ roof: folder });
  const args = browserArguments(site.root).filter((argument) => !argument.startsWith("--headless"));
  const browser = await chromium.launch({ executablePath: site.found.chromium, args });
  try {
    const page = await browser.newPage();
    await page.goto(`${server.origin}/roof/page.html`);
    const found = await page.evaluate(measure, { builds: BUILDS, rows: ROWS, dimension, rounds: ROUNDS });
    process.stdout.write(`Chromium ${browser.version()}, ${dimension} dimensions\n\n`);
    process.stdout.write("| module | rows | MB | scan ns a row | two queries at once, each | scan GB/s | read GB/s | share |\n|---|---|---|---|---|---|---|---|\n");
    for (const { build, count, bytes, scan, scan_two: both, read } of found) {
      const row = (ms) => ((ms * 1e6) / count).toFixed(2);
      const speed = (ms) => (bytes / ms / 1e6).toFixed(1);
      const cells = [build, count, (bytes / 1e6).toFixed(1), row(scan), row(both / 2), speed(scan), speed(read), `${((100 * read) / scan).toFixed(0)} %`];
      process.stdout.write(`| ${cells.join(" | ")} |\n`);
    }
  } finally {
    await browser.close();
    server.close();
  }
}

try {
  await main();
} catch (error) {
  showProblem(error);
  process.exitCode = 1;
}
