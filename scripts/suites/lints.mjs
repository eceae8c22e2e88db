import { readFileSync } from "node:fs";
import path from "node:path";
import { ask, runInView } from "../setup/command.mjs";
import { wasmEnvironment } from "../setup/wasm-environment.mjs";
import { one, sum } from "./counts.mjs";
import { wasmTargets } from "./rust.mjs";

/** Formatting, lints and documentation; each command counts as one test. */
export async function runLints(site) {
  const native = { env: site.env, cwd: site.root };
  const doc = { ...native, env: { ...site.env, RUSTDOCFLAGS: [site.env.RUSTDOCFLAGS, "-D warnings"].filter(Boolean).join(" ") } };
  const commands = [
    [["fmt", "--check"], native],
    [["clippy", "--all-targets", "--all-features", "--locked", "--", "-D", "warnings"], native],
    await wasmLint(site),
    [["doc", "--no-deps", "--all-features", "--locked"], doc],
  ];
  let counts = one(lockIsPlain(site));
  for (const [args, options] of commands) {
    const { code } = await runInView("cargo", args, options);
    counts = sum(counts, one(code === 0));
  }
  return counts;
}

/**
 * Clippy on what is compiled for browsers only. Debian's compiler comes without clippy: there the
 * compiler's own warnings have to do.
 */
async function wasmLint(site) {
  const target = ["--target", "wasm32-unknown-unknown", "--no-default-features", "--locked", ...wasmTargets(site)];
  const env = wasmEnvironment(site, site.found.wasm);
  const clippy = await ask("cargo", ["clippy", "--version"], { env, cwd: site.root });
  if (clippy) return [["clippy", ...target, "--", "-D", "warnings"], { env, cwd: site.root }];
  // A folder of its own, since other flags would make cargo build everything anew each time.
  const strict = { ...wasmEnvironment(site, site.found.wasm, ["-Dwarnings"]), CARGO_TARGET_DIR: path.join(site.build, "lint-target") };
  return [["check", ...target], { env: strict, cwd: site.root }];
}

/** A lock file that names addresses works only where those are reached. */
function lockIsPlain(site) {
  const { packages } = JSON.parse(readFileSync(path.join(site.root, "package-lock.json"), "utf8"));
  const named = Object.entries(packages).filter(([, entry]) => entry.resolved && !entry.link);
  process.stdout.write(`package-lock.json: ${named.length === 0 ? "names no address" : `${named.length} packages name an address, such as ${named[0][0]}`}\n`);
  if (named.length > 0) process.stdout.write("Set omit-lockfile-registry-resolved=true (.npmrc has it) and make the lock file anew.\n");
  return named.length === 0;
}
