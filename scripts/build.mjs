#!/usr/bin/env node
import { parseArgs } from "node:util";
import { Progress } from "./setup/progress.mjs";
import { showProblem } from "./setup/problem.mjs";
import { openSite } from "./setup/site.mjs";
import { ensure, STEPS } from "./setup/steps.mjs";

const HELP = `Usage: node scripts/build.mjs STEP...

Brings one or more steps up to date, with everything they need, and installs what is missing.
Steps: ${STEPS.map((step) => step.id).join(", ")}

Examples:
  npm run build:wasm               the WebAssembly module, in build/wasm
  npm run build:pkg                the npm package, in pkg/
  node scripts/build.mjs browser   only what the browser tests need
`;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { help: { type: "boolean", short: "h" } } });
if (values.help || positionals.length === 0) {
  process.stdout.write(HELP);
  process.exit(values.help ? 0 : 2);
}
const unknown = positionals.filter((id) => !STEPS.some((step) => step.id === id));
if (unknown.length > 0) {
  process.stderr.write(`No step is called ${unknown.join(", ")}.\n\n${HELP}`);
  process.exit(2);
}
try {
  await ensure(positionals, openSite(), new Progress());
} catch (error) {
  showProblem(error);
  process.exit(1);
}
