import { spawn } from "node:child_process";
import { accessSync, constants, createWriteStream, mkdirSync, statSync } from "node:fs";
import path from "node:path";
import { Problem } from "./problem.mjs";

const TAIL_LINES = 15;

/**
 * Runs a command to its end with its output in a log file, and throws a Problem when it fails.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {object} options
 * @param {NodeJS.ProcessEnv} options.env
 * @param {string} options.cwd
 * @param {string} options.log file that the output is appended to
 * @param {(line: string) => void} [options.onLine] sees each line, and each progress-bar refresh
 * @returns {Promise<string>} what it wrote to stdout
 */
export async function run(program, args, { env, cwd, log, onLine }) {
  mkdirSync(path.dirname(log), { recursive: true });
  const file = createWriteStream(log, { flags: "a" });
  file.write(`\n$ ${[program, ...args].join(" ")}\n`);
  const tail = [];
  let stdout = "";
  const sawLine = (line) => {
    if (line.trim() === "") return;
    if (!isProgressBar(line)) {
      tail.push(line);
      if (tail.length > TAIL_LINES) tail.shift();
    }
    onLine?.(line);
  };
  const code = await new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, cwd, stdio: ["ignore", "pipe", "pipe"] });
    endWithParent(child);
    const splitOut = lineSplitter(sawLine);
    const splitErr = lineSplitter(sawLine);
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
      file.write(text);
      splitOut.push(text);
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      file.write(text);
      splitErr.push(text);
    });
    child.on("error", reject);
    child.on("close", (exit, signal) => {
      splitOut.end();
      splitErr.end();
      resolve(exit ?? signal);
    });
  }).catch((error) => {
    throw new Problem(`${path.basename(program)} could not be started: ${error.message}`);
  });
  await new Promise((resolve) => file.end(resolve));
  if (code !== 0) {
    throw new Problem(`\`${[path.basename(program), ...args].join(" ")}\` ended with ${code}.`, {
      output: tail.join("\n"),
      log,
    });
  }
  return stdout;
}

/**
 * Runs a command in full view: its output goes to the terminal as it comes, and is returned too.
 * A test runner's own words are what a reader wants to see, so nothing is folded away.
 *
 * @returns {Promise<{ code: number | string, output: string }>}
 */
export async function runInView(program, args, { env, cwd }) {
  process.stdout.write(`$ ${[path.basename(program), ...args].join(" ")}\n`);
  return new Promise((resolve) => {
    const child = spawn(program, args, { env, cwd, stdio: ["ignore", "pipe", "pipe"] });
    endWithParent(child);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        output += text;
        process.stdout.write(text);
      });
    }
    child.on("error", (error) => resolve({ code: error.message, output }));
    child.on("close", (code, signal) => resolve({ code: code ?? signal, output }));
  });
}

/**
 * Asks a program something small, such as its version.
 *
 * @param {string | undefined} program undefined where none was found: the answer is then undefined too
 * @returns {Promise<string | undefined>} its output without white space at the ends, or undefined when it failed
 */
export async function ask(program, args, { env, cwd, input } = {}) {
  if (!program) return undefined;
  return new Promise((resolve) => {
    const child = spawn(program, args, { env, cwd, stdio: ["pipe", "pipe", "ignore"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
    child.on("error", () => resolve(undefined));
    child.on("close", (code) => resolve(code === 0 ? output.trim() : undefined));
    child.stdin.on("error", () => {}); // a program that ends without reading its input is no fault
    child.stdin.end(input ?? "");
  });
}

/** The first file of this name in PATH that can be run, or undefined. */
export function findProgram(name, env) {
  const endings = process.platform === "win32" ? [".exe", ".cmd", ""] : [""];
  for (const folder of (env.PATH ?? "").split(path.delimiter).filter(Boolean)) {
    for (const ending of endings) {
      const file = path.join(folder, name + ending);
      if (canRun(file)) return file;
    }
  }
  return undefined;
}

export function canRun(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Reads "n/m" as cargo and our own builders print it; returns a fraction or undefined. */
export function fractionIn(line) {
  const match = /(?:^|[\s\]])(\d+)\/(\d+)(?=[:\s]|$)/.exec(line);
  if (!match) return undefined;
  const [done, all] = [Number(match[1]), Number(match[2])];
  return all > 0 && done <= all ? done / all : undefined;
}

function isProgressBar(line) {
  return /^\s*(Building|Fetch|Compiling) \[/.test(line);
}

// Ended by a signal, node would leave without its exit handlers. A Ctrl-C reaches the children by itself.
process.once("SIGTERM", () => process.exit(143));

/** Without this, ending these scripts would leave compilers running behind them. */
function endWithParent(child) {
  const end = () => child.kill();
  process.once("exit", end);
  child.once("close", () => process.removeListener("exit", end));
}

function lineSplitter(onLine) {
  let rest = "";
  return {
    push(text) {
      const parts = (rest + text).split(/\r\n|\n|\r/);
      rest = parts.pop();
      parts.forEach(onLine);
    },
    end() {
      if (rest) onLine(rest);
    },
  };
}
