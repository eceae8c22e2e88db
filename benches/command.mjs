/** What the benchmarks' commands share. */
import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Problem, showProblem } from "../scripts/setup/problem.mjs";

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
