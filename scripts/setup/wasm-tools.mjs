import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { ask, canRun, findProgram, fractionIn, run } from "./command.mjs";
import { lockedVersion } from "./site.mjs";

const WASM_PACK_VERSION = "0.15.1";
const WASM_PACK_OLDEST = [0, 13];

// Compiling a tool that runs for a second takes minutes at full optimisation; this halves it.
const QUICK_BUILD = {
  CARGO_PROFILE_RELEASE_OPT_LEVEL: "1",
  CARGO_PROFILE_RELEASE_LTO: "off",
  CARGO_PROFILE_RELEASE_CODEGEN_UNITS: "16",
  CARGO_PROFILE_RELEASE_DEBUG: "0",
};

export const wasmPack = {
  id: "wasm-pack",
  title: "wasm-pack",
  estimate: 110,
  needs: ["rust"],

  async check(site) {
    for (const folder of [undefined, binFolder(site, "wasm-pack", WASM_PACK_VERSION)]) {
      const program = folder ? executable(folder, "wasm-pack") : findProgram("wasm-pack", site.env);
      const answer = program && (await ask(program, ["--version"], { env: site.env }));
      const version = answer && /(\d+)\.(\d+)/.exec(answer)?.slice(1).map(Number);
      if (!version || version[0] < WASM_PACK_OLDEST[0] || (version[0] === WASM_PACK_OLDEST[0] && version[1] < WASM_PACK_OLDEST[1])) continue;
      site.found.wasmPack = program;
      return answer;
    }
    return undefined;
  },

  async run(site, tell) {
    // With its own lock file: newer versions of its dependencies are not tried by its makers.
    await cargoInstall(site, "wasm-pack", WASM_PACK_VERSION, ["--locked"], tell);
    site.found.wasmPack = executable(binFolder(site, "wasm-pack", WASM_PACK_VERSION), "wasm-pack");
  },
};

/**
 * wasm-bindgen's program must be of the very version of the crate: it reads a private format that
 * the crate's macro writes. So it is kept by version, beside whatever else the machine has.
 */
export const wasmBindgen = {
  id: "wasm-bindgen",
  title: "wasm-bindgen",
  estimate: 130,
  needs: ["rust"],

  async check(site) {
    const version = lockedVersion(site.root, "wasm-bindgen");
    for (const folder of [path.dirname(findProgram("wasm-bindgen", site.env) ?? ""), binFolder(site, "wasm-bindgen-cli", version)]) {
      const answers = await Promise.all(
        ["wasm-bindgen", "wasm-bindgen-test-runner"].map((name) => ask(executable(folder, name), ["--version"], { env: site.env })),
      );
      if (!answers.every((answer) => answer?.split(" ").at(-1) === version)) continue;
      site.found.wasmBindgenFolder = folder;
      return answers[0];
    }
    return undefined;
  },

  async run(site, tell) {
    // Without --locked: the lock file it is published with names a version that has been withdrawn.
    const version = lockedVersion(site.root, "wasm-bindgen");
    await cargoInstall(site, "wasm-bindgen-cli", version, [], tell);
    site.found.wasmBindgenFolder = binFolder(site, "wasm-bindgen-cli", version);
    rmSync(compileFolder(site), { recursive: true, force: true }); // the last tool is in
  },
};

/** The environment in which wasm-pack finds the right wasm-bindgen before any other. */
export function withWasmTools(site, env) {
  return { ...env, PATH: [site.found.wasmBindgenFolder, env.PATH].join(path.delimiter) };
}

async function cargoInstall(site, name, version, flags, tell) {
  const env = { ...site.env, ...QUICK_BUILD, CARGO_TERM_PROGRESS_WHEN: "always", CARGO_TERM_PROGRESS_WIDTH: "60" };
  // The tools have dependencies in common; one folder for both compiles those once, and keeps what
  // was compiled if the run is broken off.
  env.CARGO_TARGET_DIR = compileFolder(site);
  mkdirSync(site.cache, { recursive: true });
  const args = ["install", name, "--version", `=${version}`, "--root", path.join(site.cache, "tools", `${name}-${version}`), ...flags];
  await run("cargo", args, {
    env,
    // Away from the crate, so that its cargo configuration has no say in how a tool is built.
    cwd: site.cache,
    log: path.join(site.logs, `${name}.log`),
    onLine: (line) => tell({ fraction: fractionIn(line), detail: /Downloading|Updating/.test(line) ? line.trim() : "compiling" }),
  }).catch((error) => {
    throw error.withRemedy(
      `Check that this machine reaches the crates registry, and that \`cargo install ${name} --version =${version} ${flags.join(" ")}\` works by hand: ` +
        "a copy on PATH is used as well.",
    );
  });
}

function compileFolder(site) {
  return path.join(site.cache, "tools-target");
}

function binFolder(site, name, version) {
  return path.join(site.cache, "tools", `${name}-${version}`, "bin");
}

function executable(folder, name) {
  const file = path.join(folder, process.platform === "win32" ? `${name}.exe` : name);
  return canRun(file) ? file : undefined;
}
