import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Problem } from "./problem.mjs";
import { Stamps } from "./stamps.mjs";

const OLDEST_NODE = 20;
const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

/**
 * Where things are on this machine, and what the steps have found out so far.
 * Made once for a run and handed to every step.
 */
export function openSite(env = process.env) {
  if (Number(process.versions.node.split(".")[0]) < OLDEST_NODE) {
    throw new Problem(`This is Node ${process.versions.node}; Elanus is built with Node ${OLDEST_NODE} or newer.`, {
      remedy: "Install a newer Node and run this command again.",
    });
  }
  const build = path.join(ROOT, "build");
  return {
    root: ROOT,
    build,
    logs: path.join(build, "logs"),
    // Tools that take minutes to compile outlive a clone: the next one on this machine finds them.
    cache: env.ELANUS_CACHE ?? path.join(env.XDG_CACHE_HOME ?? path.join(os.homedir(), ".cache"), "elanus"),
    env: withCargoOnPath(env),
    stamps: new Stamps(ROOT, path.join(build, "stamps")),
    /** Filled by the steps: rust, wasm, tools, browser. */
    found: {},
  };
}

/** Where cargo unpacks the sources of crates. */
export function registrySources(site) {
  return path.join(site.env.CARGO_HOME ?? path.join(os.homedir(), ".cargo"), "registry", "src");
}

/** rustup puts its programs on PATH only for shells started after it; this finds them at once. */
function withCargoOnPath(env) {
  const bin = path.join(env.CARGO_HOME ?? path.join(os.homedir(), ".cargo"), "bin");
  const folders = (env.PATH ?? "").split(path.delimiter);
  return { ...env, PATH: folders.includes(bin) ? env.PATH : [...folders, bin].join(path.delimiter) };
}

/** The version of a package that Cargo.lock settles on. */
export function lockedVersion(root, name) {
  const lock = readFileSync(path.join(root, "Cargo.lock"), "utf8");
  return new RegExp(`name = "${name}"\\nversion = "([^"]+)"`).exec(lock.replaceAll("\r\n", "\n"))?.[1];
}

/** Where cargo puts what it builds. */
export function targetDir(site) {
  return path.resolve(site.root, site.env.CARGO_TARGET_DIR ?? "target");
}

/** The native command line tool that the `cli` step builds. */
export function cliPath(site) {
  return path.join(targetDir(site), "release", process.platform === "win32" ? "elanus.exe" : "elanus");
}

/** npm's own program, run by this very Node: on Windows `npm` is a script that can't be spawned. */
export function npm(site, ...args) {
  const cli = site.env.npm_execpath;
  return cli?.endsWith(".js") ? [process.execPath, [cli, ...args]] : ["npm", args];
}
