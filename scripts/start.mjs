#!/usr/bin/env node
import path from "node:path";
import { parseArgs } from "node:util";
import { serve } from "./serve.mjs";
import { duration, Progress } from "./setup/progress.mjs";
import { Problem, showProblem } from "./setup/problem.mjs";
import { openSite } from "./setup/site.mjs";
import { ensure } from "./setup/steps.mjs";

const DEFAULT_PORT = 8080;
const HELP = `Usage: npm start -- [options]

Builds Elanus and its demo from what is here, installing what is missing, and serves the demo.
What is up to date is left alone, so the second time takes seconds.

Options:
  --port N      serve on this port (default: ${DEFAULT_PORT}, or the next free one)
  --host NAME   serve on this address (default: 127.0.0.1, which only this machine reaches)
  --no-serve    stop when everything is built
  -h, --help    this text

Full outputs of the commands it runs are in build/logs. Tools that are compiled once are kept in
~/.cache/elanus (or ELANUS_CACHE).
`;

async function main() {
  const options = readOptions();
  const begun = performance.now();
  const site = openSite();
  const { ran } = await ensure(["www"], site, new Progress());
  process.stdout.write(`\n${ran.length === 0 ? "Everything was up to date" : "Built"} in ${duration((performance.now() - begun) / 1000)}.\n`);
  if (!options.serve) return;
  const server = await listen(path.join(site.root, "www/dist"), options);
  process.stdout.write(`\nThe demo is at ${server.url}\nPress Ctrl-C to stop.\n`);
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      help: { type: "boolean", short: "h" },
      port: { type: "string" },
      host: { type: "string", default: "127.0.0.1" },
      "no-serve": { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  const port = values.port === undefined ? undefined : Number(values.port);
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65535)) {
    throw new Problem(`--port is "${values.port}", which is no port.`, { remedy: "Give a number from 0 to 65535." });
  }
  return { port, host: values.host, serve: !values["no-serve"] };
}

/** A port that was asked for is taken or refused; otherwise any free one near the default will do. */
async function listen(folder, { port, host }) {
  const candidates = port === undefined ? Array.from({ length: 20 }, (_, i) => DEFAULT_PORT + i) : [port];
  for (const candidate of candidates) {
    try {
      return await serve(folder, { port: candidate, host });
    } catch (error) {
      if (error.code !== "EADDRINUSE" && error.code !== "EACCES") throw new Problem(`Can't serve on ${host}: ${error.message}`);
    }
  }
  throw new Problem(`Port ${candidates[0]}${candidates.length > 1 ? " and the ones after it are" : " is"} in use or not allowed.`, {
    remedy: "Name a free one: npm start -- --port 9000",
  });
}

try {
  await main();
} catch (error) {
  showProblem(error.code?.startsWith("ERR_PARSE_ARGS") ? new Problem(error.message, { remedy: "See npm start -- --help" }) : error);
  process.exit(1);
}
