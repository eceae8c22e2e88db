import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { ask, findProgram, fractionIn, run } from "./command.mjs";
import { canInstall, commandFor, install, isDebian } from "./debian.mjs";
import { Problem } from "./problem.mjs";
import { registrySources, targetDir } from "./site.mjs";

const TARGET = "wasm32-unknown-unknown";
const LINK_NAME = "elanus-wasm";
const DEBIAN_PACKAGES = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];
const DEBIAN_LINKER = "/usr/bin/wasm-ld-19";
const DEBIAN_LIBRARIES = `/usr/lib/rustlib/${TARGET}/lib`;
/** Says how the library there was built; change it when that changes, and it is built anew. */
const RECIPE = "objects with bitcode beside; no path of the machine";
const RECIPE_FILE = `${DEBIAN_LIBRARIES}/elanus-recipe.txt`;

/** Uses the allocator, and a division that the compiler leaves to its own support library. */
const PROBE = `#[unsafe(no_mangle)]
pub extern "C" fn probe(n: usize) -> u64 { (vec![n as u128; n].iter().sum::<u128>() / (n as u128 + 1)) as u64 }
`;

/**
 * Rust's standard library for WebAssembly.
 *
 * The ordinary way is one rustup command. Where rustup's server can't be reached, Debian has a
 * compiler with the library's source; the library is then built once into /usr/lib/rustlib, and
 * that compiler is linked into rustup under a name of its own, so the user's default stays as it is.
 */
export const wasmStd = {
  id: "wasm-std",
  title: "Rust standard library for WebAssembly",
  estimate: 130,
  needs: ["rust"],

  async check(site) {
    site.found.wasm = await find(site);
    if (!site.found.wasm) return undefined;
    await clearStale(site, site.found.wasm);
    return site.found.wasm.toolchain ? `in toolchain ${site.found.wasm.toolchain}` : "in the default toolchain";
  },

  async run(site, tell) {
    const refusal = await addWithRustup(site, tell);
    if (!refusal && (await this.check(site))) return;

    if (findProgram("rustup", site.env) && canInstall(site)) {
      await makeFromDebian(site, tell, refusal);
      if (await this.check(site)) return;
    }
    throw new Problem(`Rust can't compile to ${TARGET} here.${refusal ? ` rustup said: ${refusal}` : ""}`, { remedy: remedy(site) });
  },
};

/** The toolchain that compiles, links and optimises a WebAssembly module here, or undefined. */
async function find(site) {
  if (await works(site, {})) return {};
  if (!findProgram("rustup", site.env)) return undefined;
  const linked = { toolchain: LINK_NAME, linker: DEBIAN_LINKER };
  if (!existsSync(DEBIAN_LIBRARIES) || !existsSync(DEBIAN_LINKER)) return undefined;
  if (canInstall(site) && !(existsSync(RECIPE_FILE) && readFileSync(RECIPE_FILE, "utf8").trim() === RECIPE)) return undefined;
  const toolchains = (await ask("rustup", ["toolchain", "list"], { env: site.env, cwd: site.root })) ?? "";
  if (!toolchains.split(/\s/).includes(LINK_NAME)) await linkDebian(site);
  return (await works(site, linked)) ? linked : undefined;
}

/**
 * Only compiled programs prove it: files may be left over from another compiler version, lack the
 * bitcode that link-time optimisation reads, or hold nothing but bitcode, which an older linker
 * can't read where it takes the library as it is.
 */
async function works(site, { toolchain, linker }) {
  const env = toolchain ? { ...site.env, RUSTUP_TOOLCHAIN: toolchain } : site.env;
  const libraries = await ask("rustc", ["--print", "target-libdir", "--target", TARGET], { env, cwd: site.root });
  if (!libraries || !existsSync(libraries)) return false;
  const folder = mkdtempSync(path.join(os.tmpdir(), "elanus-probe-"));
  const compiles = async (lto) => {
    const output = path.join(folder, `${lto}.wasm`);
    const args = ["-", "--crate-name=probe", "--crate-type=cdylib", `--target=${TARGET}`, `-Clto=${lto}`, "-Copt-level=1", `-o${output}`];
    if (linker) args.push(`-Clinker=${linker}`);
    return (await ask("rustc", args, { env, cwd: folder, input: PROBE })) !== undefined && existsSync(output);
  };
  try {
    return (await Promise.all(["fat", "off"].map(compiles))).every(Boolean);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns {Promise<string | undefined>} why it did not work, or undefined when it did */
async function addWithRustup(site, tell) {
  if (!findProgram("rustup", site.env)) return "there is no rustup on this machine";
  tell({ detail: `rustup target add ${TARGET}` });
  try {
    await run("rustup", ["target", "add", TARGET], {
      env: site.env,
      cwd: site.root,
      log: path.join(site.logs, "wasm-std.log"),
      onLine: (line) => tell({ detail: line.slice(0, 60) }),
    });
    return undefined;
  } catch (error) {
    const lines = (error.output ?? error.message).split("\n");
    return lines.find((line) => line.startsWith("error"))?.slice(0, 200) ?? lines.at(-1);
  }
}

async function makeFromDebian(site, tell, refusal) {
  try {
    await install(site, DEBIAN_PACKAGES, tell);
  } catch (error) {
    throw new Problem(`${error.message} (rustup's way had failed before: ${refusal})`, {
      remedy: error.remedy ?? remedy(site),
      output: error.output,
      log: error.log,
    });
  }
  const folder = mkdtempSync(path.join(os.tmpdir(), "elanus-std-"));
  try {
    writeFileSync(path.join(folder, "Cargo.toml"), '[package]\nname = "nothing"\nversion = "0.0.0"\nedition = "2021"\n[lib]\npath = "lib.rs"\n');
    writeFileSync(path.join(folder, "lib.rs"), "");
    const env = { ...site.env };
    for (const name of ["RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_TARGET_DIR", "RUSTUP_TOOLCHAIN"]) delete env[name];
    Object.assign(env, {
      RUSTC: "/usr/bin/rustc",
      RUSTC_BOOTSTRAP: "1", // -Zbuild-std is not stable; this compiler and this source are of one version
      // Objects for the linker, and beside them bitcode for our link-time optimisation; and where the
      // library's dependencies lie on this machine is nobody's business who loads the module.
      CARGO_ENCODED_RUSTFLAGS: ["-Cembed-bitcode=yes", `--remap-path-prefix=${registrySources(site)}=/rust/deps`].join("\x1f"),
      CARGO_TERM_PROGRESS_WHEN: "always",
      CARGO_TERM_PROGRESS_WIDTH: "60",
    });
    await run("/usr/bin/cargo", ["build", "--release", "--target", TARGET, "-Zbuild-std=std,panic_abort,test"], {
      env,
      cwd: folder,
      log: path.join(site.logs, "wasm-std.log"),
      onLine: (line) => tell({ fraction: fractionIn(line), detail: "building it from Debian's source" }),
    }).catch((error) => {
      throw error.withRemedy(remedy(site));
    });
    const built = path.join(folder, "target", TARGET, "release", "deps");
    rmSync(DEBIAN_LIBRARIES, { recursive: true, force: true });
    mkdirSync(DEBIAN_LIBRARIES, { recursive: true });
    for (const name of readdirSync(built)) {
      if (name.endsWith(".rlib") && !name.startsWith("libnothing")) copyFileSync(path.join(built, name), path.join(DEBIAN_LIBRARIES, name));
    }
    writeFileSync(RECIPE_FILE, `${RECIPE}\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  await linkDebian(site);
}

/**
 * cargo knows a standard library by its compiler's version only. If the library was made anew, what
 * was compiled with the last one would be mixed with it, and fail to link: it is removed.
 */
async function clearStale(site, { toolchain }) {
  const env = toolchain ? { ...site.env, RUSTUP_TOOLCHAIN: toolchain } : site.env;
  const libraries = await ask("rustc", ["--print", "target-libdir", "--target", TARGET], { env, cwd: site.root });
  const sum = createHash("sha256").update(libraries);
  for (const name of readdirSync(libraries).sort()) sum.update(`\0${name} ${statSync(path.join(libraries, name)).mtimeMs}`);
  const identity = sum.digest("hex");
  const record = path.join(site.build, "wasm-std");
  if (existsSync(record) && readFileSync(record, "utf8") === identity) return;
  for (const folder of [path.join(targetDir(site), TARGET), path.join(site.build, "lint-target")]) {
    rmSync(folder, { recursive: true, force: true });
  }
  mkdirSync(site.build, { recursive: true });
  writeFileSync(record, identity);
}

async function linkDebian(site) {
  await run("rustup", ["toolchain", "link", LINK_NAME, "/usr"], {
    env: site.env,
    cwd: site.root,
    log: path.join(site.logs, "wasm-std.log"),
  });
}

function remedy(site) {
  const ordinary = `Where rustup's server can be reached: \`rustup target add ${TARGET}\`.`;
  if (!isDebian(site)) return ordinary;
  const rerun = "then run this command once as root, so that it can build the library into /usr/lib/rustlib";
  return `${ordinary} Otherwise, with rustup installed, as root: ${commandFor(DEBIAN_PACKAGES)}; ${rerun}.`;
}
