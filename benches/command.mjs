/** What the benchmarks' commands share. */
import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { Problem, showProblem } from "../scripts/setup/problem.mjs";

/** What the command line says; with --help it is shown, and nothing else done. */
export function readArguments(options, help) {
  const { values } = parseArgs({ options: { ...options, help: { type: "boolean", short: "h", default: false } } });
  if (values.help) {
    process.stdout.write(help);
    process.exit(0);
  }
  return values;
}

/** Refuses names of data sets that aren't known; gives them back. */
export function knownDatasets(names, known) {
  const unknown = names.filter((name) => !Object.hasOwn(known, name));
  if (unknown.length > 0) {
    throw new Problem(`No data set is called ${unknown.join(", ")}.`, { remedy: `Choose from ${Object.keys(known).join(", ")}.` });
  }
  return names;
}

/** Where a report goes: the folder that was named, or one of the time and of what was measured. */
export function reportFolder(given, results, what) {
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  return path.resolve(given ?? path.join(results, what ? `${stamp}-${what}` : stamp));
}

/** The number that an option gives, from 1 up. */
export function count(name, text, help = "npm run bench -- --help") {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) {
    throw new Problem(`--${name} is ${text}; it must be a whole number from 1 up.`, { remedy: `See ${help}` });
  }
  return number;
}

/** What the numbers were measured on. */
export function machine(site) {
  const { version } = JSON.parse(readFileSync(path.join(site.root, "pkg/package.json"), "utf8"));
  return {
    cpu: os.cpus()[0]?.model ?? "unknown",
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()}`,
    node: process.version,
    elanus: version,
  };
}

/** Runs a command; shows what went wrong, and exits with 2 if it was called wrongly. */
export async function runMain(main, help) {
  try {
    await main();
  } catch (error) {
    const wrongUse = error.code?.startsWith("ERR_PARSE_ARGS");
    showProblem(wrongUse ? new Problem(error.message, { remedy: `See ${help}` }) : error);
    process.exitCode = wrongUse ? 2 : 1;
  }
}
