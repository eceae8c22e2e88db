#!/usr/bin/env node
import { parseArgs } from "node:util";
import { duration, Progress } from "./setup/progress.mjs";
import { Problem, showProblem } from "./setup/problem.mjs";
import { openSite } from "./setup/site.mjs";
import { ensure, stepsFor } from "./setup/steps.mjs";
import { closingLine, NONE, one, sum } from "./suites/counts.mjs";
import { runLints } from "./suites/lints.mjs";
import { runNodeTests } from "./suites/node-tests.mjs";
import { runIgnoredRustTests, runRustTests, runWasmTests } from "./suites/rust.mjs";

const SUITES = [
  {
    id: "scripts",
    title: "The scripts that build, test and serve",
    needs: ["dependencies"],
    run: (site) => runNodeTests(site, "tests/scripts"),
  },
  {
    id: "lint",
    title: "Formatting, lints, documentation",
    needs: ["lint-tools", "wasm-std"],
    run: runLints,
  },
  {
    id: "rust",
    title: "Rust, native",
    needs: ["rust"],
    run: runRustTests,
  },
  {
    id: "wasm",
    title: "Rust, in headless Chrome",
    needs: ["wasm-std", "wasm-pack", "wasm-bindgen", "browser", "driver"],
    run: runWasmTests,
  },
  {
    id: "js",
    title: "The package's JavaScript",
    needs: ["pkg"],
    run: (site) => runNodeTests(site, "tests/js"),
  },
  {
    id: "package",
    title: "The npm package, from its packed tarball",
    needs: ["dependencies", "tarball", "cli", "browser"],
    run: (site) => runNodeTests(site, "tests/package"),
  },
  {
    id: "bench",
    title: "The benchmark, on little data",
    needs: ["pkg", "cli", "browser"],
    run: (site) => runNodeTests(site, "tests/bench"),
  },
  {
    id: "demo",
    title: "The demo, in headless Chrome",
    needs: ["www", "browser"],
    run: (site) => runNodeTests(site, "tests/demo"),
  },
];

const LONG_SUITES = [
  {
    id: "long-rust",
    title: "Rust tests that take long",
    needs: ["rust"],
    run: runIgnoredRustTests,
  },
  {
    id: "long",
    title: "Tests of the package and the demo that take long",
    needs: ["www", "tarball", "browser"],
    run: (site) => runNodeTests(site, "tests/long", { minutes: 120 }),
  },
];

const HELP = `Usage: npm test [-- options]
       npm run test:long

Installs and builds what is missing, then runs every suite, each to its end whatever failed before.

Options:
  --only A,B   only these suites: ${SUITES.map((suite) => suite.id).join(", ")}
               (with --long: ${LONG_SUITES.map((suite) => suite.id).join(", ")})
  --long       the suites that take long instead
  -h, --help   this text

The last line is "N passed, N failed", with ", N skipped" if there are such. The exit code is 0 if
nothing failed, 1 if something did, 2 for a wrong option.
`;

function chooseSuites() {
  const { values } = parseArgs({
    options: {
      help: { type: "boolean", short: "h" },
      long: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  const suites = values.long ? LONG_SUITES : SUITES;
  const wanted = values.only.flatMap((list) => list.split(",")).filter(Boolean);
  const unknown = wanted.filter((id) => !suites.some((suite) => suite.id === id));
  if (unknown.length > 0) {
    throw new Problem(`No suite is called ${unknown.join(", ")}.`, { remedy: `Choose from ${suites.map((suite) => suite.id).join(", ")}.` });
  }
  return wanted.length > 0 ? suites.filter((suite) => wanted.includes(suite.id)) : suites;
}

async function runSuite(suite, site, failedSteps) {
  const broken = stepsFor(suite.needs).find((step) => failedSteps.has(step.id));
  if (broken) {
    process.stdout.write(`Not run: the step "${broken.title}" failed (see above). Counted as one failed test.\n`);
    return one(false);
  }
  try {
    return await suite.run(site);
  } catch (error) {
    showProblem(error);
    return one(false);
  }
}

function heading(text) {
  process.stdout.write(`\n${"=".repeat(72)}\n${text}\n${"=".repeat(72)}\n`);
}

function showTable(results) {
  const rows = [["suite", "passed", "failed", "skipped", "time"]];
  for (const { suite, counts, seconds } of results) {
    rows.push([suite.title, ...["passed", "failed", "skipped"].map((key) => String(counts[key])), duration(seconds)]);
  }
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows) {
    process.stdout.write(`${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at]))).join("  ")}\n`);
  }
}

async function main() {
  const suites = chooseSuites();
  const site = openSite();
  heading("Set-up");
  const steps = [...new Set(suites.flatMap((suite) => suite.needs))];
  const { failed } = await ensure(steps, site, new Progress(), { keepGoing: true });
  const results = [];
  for (const suite of suites) {
    heading(`${suite.title} (${suite.id})`);
    const begun = performance.now();
    const counts = await runSuite(suite, site, failed);
    results.push({ suite, counts, seconds: (performance.now() - begun) / 1000 });
  }
  heading("Summary");
  showTable(results);
  const total = sum(NONE, ...results.map((result) => result.counts));
  process.stdout.write(`\n${closingLine(total)}\n`);
  process.exitCode = total.failed > 0 ? 1 : 0;
}

try {
  await main();
} catch (error) {
  const wrongUse = error instanceof Problem || error.code?.startsWith("ERR_PARSE_ARGS");
  showProblem(error instanceof Problem || !wrongUse ? error : new Problem(error.message, { remedy: "See npm test -- --help" }));
  process.exitCode = wrongUse ? 2 : 1;
}
