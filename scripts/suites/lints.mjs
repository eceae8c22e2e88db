import { readFileSync } from "node:fs";
import path from "node:path";
import { ask, runInView } from "../setup/command.mjs";
import { wasmEnvironment } from "../setup/wasm-environment.mjs";
import { one, sum } from "./counts.mjs";
import { wasmTargets } from "./rust.mjs";

const LOCK_FILES = ["package-lock.json", "benches/package-lock.json"];

/** Formatting, lints and documentation; each command counts as one test. */
export async function runLints(site) {
  const native = { env: site.env, cwd: site.root };
  const doc = { ...native, env: { ...site.env, RUSTDOCFLAGS: [site.env.RUSTDOCFLAGS, "-D warnings"].filter(Boolean).join(" ") } };
  const commands = [
    [["fmt", "--check"], native],
    [["clippy", "--all-targets", "--all-features", "--locked", "--", "-D", "warnings"], native],
    await wasmLint(site, wasmTargets(site)),
    await wasmLint(site, ["--lib", "--features", "web-foreign"]),
    await wasmLint(site, ["--lib", "--features", "web-lazy"]),
    await wasmLint(site, ["--lib", "--features", "web-build"]),
    await wasmLint(site, ["--lib", "--features", "web-collection"]),
    [["doc", "--no-deps", "--all-features", "--locked"], doc],
    // Fuzzing takes a nightly toolchain; that the targets still fit the crate shows without.
    [["check", "--manifest-path", "fuzz/Cargo.toml", "--no-default-features", "--bins", "--target-dir", "target/fuzz"], native],
  ];
  let counts = one(locksArePlain(site));
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
async function wasmLint(site, targets) {
  const target = ["--target", "wasm32-unknown-unknown", "--no-default-features", "--locked", ...targets];
  const env = wasmEnvironment(site, site.found.wasm);
  const clippy = await ask("cargo", ["clippy", "--version"], { env, cwd: site.root });
  if (clippy) return [["clippy", ...target, "--", "-D", "warnings"], { env, cwd: site.root }];
  // A folder of its own, since other flags would make cargo build everything anew each time.
  const strict = { ...wasmEnvironment(site, site.found.wasm, ["-Dwarnings"]), CARGO_TARGET_DIR: path.join(site.build, "lint-target") };
  return [["check", ...target], { env: strict, cwd: site.root }];
}

/** A lock file that names addresses works only where those are reached. */
function locksArePlain(site) {
  const named = LOCK_FILES.flatMap((file) => {
    const { packages } = JSON.parse(readFileSync(path.join(site.root, file), "utf8"));
    return Object.entries(packages).flatMap(([name, entry]) => (entry.resolved && !entry.link ? [`${file}: ${name}`] : []));
  });
  if (named.length === 0) {
    process.stdout.write(`${LOCK_FILES.join(" and ")} name no address.\n`);
    return true;
  }
  process.stdout.write(`An address is named for ${named.length} packages, such as ${named[0]}.\n`);
  process.stdout.write("Make the lock file anew with omit-lockfile-registry-resolved=true, which .npmrc sets.\n");
  return false;
}
