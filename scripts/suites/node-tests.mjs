import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { tarballPath } from "../setup/artefacts.mjs";
import { browserArguments } from "../setup/browser.mjs";
import { runInView } from "../setup/command.mjs";
import { cliPath } from "../setup/site.mjs";
import { judged, NONE, one } from "./counts.mjs";

const REPORTER = new URL("count-reporter.mjs", import.meta.url).href;

/**
 * Runs the *.test.mjs files of a folder with node:test.
 *
 * @param {{ minutes?: number }} [limits] how long one file may take, and so each test in it
 */
export async function runNodeTests(site, folder, { minutes = 20 } = {}) {
  const full = path.join(site.root, folder);
  const files = existsSync(full) ? readdirSync(full).filter((name) => name.endsWith(".test.mjs")).sort() : [];
  if (files.length === 0) {
    process.stdout.write(`There is no test in ${folder}.\n`);
    return one(false);
  }
  const countsFile = path.join(site.logs, `${folder.replaceAll("/", "-")}.counts.json`);
  mkdirSync(site.logs, { recursive: true });
  rmSync(countsFile, { force: true });
  const args = ["--test", `--test-timeout=${minutes * 60_000}`, "--test-reporter=spec", "--test-reporter-destination=stdout"];
  args.push(`--test-reporter=${REPORTER}`, `--test-reporter-destination=${countsFile}`);
  const { code } = await runInView(process.execPath, [...args, ...files.map((name) => path.join(full, name))], {
    env: { ...site.env, ...testEnvironment(site) },
    cwd: site.root,
  });
  const { empty = [], ...counts } = existsSync(countsFile) ? readCounts(countsFile) : NONE;
  for (const file of empty) process.stdout.write(`${path.relative(site.root, file)} declares no test: counted as failed.\n`);
  return judged(counts, code);
}

/** What the test files are told about this machine and build. */
export function testEnvironment(site) {
  const env = {
    ELANUS_CLI: cliPath(site),
    ELANUS_WWW: path.join(site.root, "www/dist"),
    ELANUS_CHROMIUM_ARGS: JSON.stringify(browserArguments(site.root)),
  };
  if (site.found.chromium) env.ELANUS_CHROMIUM = site.found.chromium;
  if (existsSync(path.join(site.root, "pkg/package.json"))) env.ELANUS_TARBALL = tarballPath(site);
  return env;
}

function readCounts(file) {
  const text = readFileSync(file, "utf8").trim();
  return text ? JSON.parse(text) : NONE;
}
