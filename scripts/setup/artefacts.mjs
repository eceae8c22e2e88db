import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ask, fractionIn, run } from "./command.mjs";
import { relaxed } from "./relaxed.mjs";
import { cliPath, npm, registrySources } from "./site.mjs";
import { wasmEnvironment } from "./wasm-environment.mjs";
import { withWasmTools } from "./wasm-tools.mjs";

const CRATE = ["src", "Cargo.toml", "Cargo.lock", ".cargo/config.toml"];
const CARGO_PROGRESS = { CARGO_TERM_PROGRESS_WHEN: "always", CARGO_TERM_PROGRESS_WIDTH: "60" };
/** What wasm-opt is told of the modules that the compiler writes. */
export const WASM_FEATURES = [
  "--enable-simd",
  "--enable-bulk-memory",
  "--enable-mutable-globals",
  "--enable-multivalue",
  "--enable-nontrapping-float-to-int",
  "--enable-reference-types",
  "--enable-sign-ext",
];

/** The module that searches `.elanus` files, also with relaxed SIMD; and what few pages need: searching parts of them, building them, files of other libraries, collections. */
const WASM_BUILDS = [
  { folder: "wasm", features: [], relax: true },
  { folder: "wasm-lazy", features: ["--features", "web-lazy"], relax: false },
  { folder: "wasm-build", features: ["--features", "web-build"], relax: false },
  { folder: "wasm-foreign", features: ["--features", "web-foreign"], relax: false },
  { folder: "wasm-collection", features: ["--features", "web-collection"], relax: false },
];

/** build/wasm and its likes: the crate as WebAssembly modules with their JavaScript glue. */
export const wasm = stamped({
  id: "wasm",
  title: "WebAssembly modules (wasm-pack, wasm-opt)",
  estimate: 250,
  needs: ["dependencies", "wasm-std", "wasm-pack", "wasm-bindgen"],

  async inputs(site) {
    const env = wasmEnvironment(site, site.found.wasm, withoutPaths(site));
    return {
      files: [...CRATE, "scripts/setup/artefacts.mjs", "scripts/setup/relaxed.mjs", "node_modules/binaryen/package.json"],
      values: [await ask("rustc", ["-vV"], { env, cwd: site.root }), env.CARGO_ENCODED_RUSTFLAGS],
      makes: WASM_BUILDS.flatMap(({ folder, relax }) =>
        ["elanus.js", "elanus_bg.wasm", "elanus.d.ts", ...(relax ? ["elanus_relaxed.wasm"] : [])].map((name) => `build/${folder}/${name}`),
      ),
    };
  },

  async build(site, tell) {
    for (const [done, build] of WASM_BUILDS.entries()) {
      const part = ({ fraction, detail }) => tell({ fraction: scaled(fraction, 1 / WASM_BUILDS.length, done / WASM_BUILDS.length), detail });
      await buildWasm(site, build, part);
    }
  },
});

async function buildWasm(site, { folder, features, relax }, tell) {
  const out = path.join(site.build, folder);
  const log = path.join(site.logs, `${folder}.log`);
  const env = withWasmTools(site, { ...wasmEnvironment(site, site.found.wasm, withoutPaths(site)), ...CARGO_PROGRESS });
  const args = ["build", site.root, "--target", "bundler", "--release", "--mode", "no-install", "--no-pack"];
  args.push("--out-dir", out, "--out-name", "elanus", "--", "--no-default-features", "--locked", ...features);
  rmSync(out, { recursive: true, force: true });
  await run(site.found.wasmPack, args, {
    env,
    cwd: site.root,
    log,
    onLine: (line) => tell({ fraction: scaled(fractionIn(line), 0.8), detail: "compiling" }),
  }).catch((error) => {
    throw error.withRemedy("If the compiler found a fault in src/, mend it. Otherwise `rm -r target build` and run this command again.");
  });
  tell({ fraction: 0.8, detail: "optimising" });
  const module = path.join(out, "elanus_bg.wasm");
  const optimiser = path.join(site.root, "node_modules/binaryen/bin/wasm-opt");
  const optimised = `${module}.optimised`;
  await run(process.execPath, [optimiser, module, "-O3", ...WASM_FEATURES, "-o", optimised], { env, cwd: site.root, log });
  renameSync(optimised, module);
  if (relax) writeFileSync(path.join(out, "elanus_relaxed.wasm"), await relaxed(module));
}

/** Panic messages name source files: by where they belong, and not by where this machine keeps them. */
function withoutPaths(site) {
  return [`--remap-path-prefix=${registrySources(site)}=`, `--remap-path-prefix=${site.root}=`];
}

/** The native command line tool, which builds the demo's index. */
export const cli = stamped({
  id: "cli",
  title: "command line tool",
  estimate: 70,
  needs: ["rust"],

  async inputs(site) {
    return { files: CRATE, values: [await ask("rustc", ["-vV"], { env: site.env, cwd: site.root }), site.env.RUSTFLAGS], makes: [cliPath(site)] };
  },

  async build(site, tell) {
    await run("cargo", ["build", "--release", "--bin", "elanus", "--locked"], {
      env: { ...site.env, ...CARGO_PROGRESS },
      cwd: site.root,
      log: path.join(site.logs, "cli.log"),
      onLine: (line) => tell({ fraction: fractionIn(line), detail: "compiling" }),
    });
  },
});

/** pkg/: the npm package. */
export const pkg = stamped({
  id: "pkg",
  title: "npm package (pkg/)",
  estimate: 8,
  needs: ["dependencies", "wasm"],

  async inputs() {
    return {
      files: ["js", ...WASM_BUILDS.map(({ folder }) => `build/${folder}`), "package-lock.json", "README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"],
      makes: ["pkg/package.json"],
    };
  },

  build: (site, tell) => runScript(site, "build:js", tell),
});

/** The demo's index file, with the words and vectors that it is made from. */
export const demoIndex = stamped({
  id: "demo-index",
  title: "the demo's index",
  estimate: 60,
  needs: ["dependencies", "cli", "pkg"],

  async inputs() {
    return { files: ["www/build-index.mjs", "tools/demo-data", "models", "src", "js", "Cargo.lock", "package-lock.json"], makes: ["build/demo/words.elanus"] };
  },

  build: (site, tell) => runScript(site, "build:demo-index", tell),
});

/** Not there where the model couldn't be installed. */
const MINILM_CARD = "build/minilm/card.json";

/** The releases that the demo compares: a registry of the commonest senses. */
export const demoReleases = stamped({
  id: "demo-releases",
  title: "the demo's releases",
  estimate: 110,
  needs: ["dependencies", "cli", "demo-index", "minilm"],

  async inputs() {
    const models = ["www/src/releases/shorter.mjs", "www/src/releases/minilm.mjs", MINILM_CARD];
    return { files: ["www/build-releases.mjs", ...models, "build/demo/card.json", "build/demo/words.elanus"], makes: ["build/demo/registry/registry.json"] };
  },

  build: (site, tell) => runScript(site, "build:demo-releases", tell),
});

/** www/dist: the demo as any static host can serve it. */
export const www = stamped({
  id: "www",
  title: "the demo page",
  estimate: 8,
  needs: ["dependencies", "pkg", "demo-index", "demo-releases"],

  async inputs() {
    return { files: ["www", "models", "pkg", "build/demo/words.elanus", "build/demo/registry/registry.json", MINILM_CARD, "package-lock.json"], makes: ["www/dist/index.html"] };
  },

  build: (site, tell) => runScript(site, "build:www", tell),
});

/** build/pack: the tarball that `npm publish` would send, which is what the package tests load. */
export const tarball = stamped({
  id: "tarball",
  title: "packed npm package",
  estimate: 3,
  needs: ["pkg"],

  async inputs(site) {
    return { files: ["pkg"], makes: [path.join(site.build, "pack")] };
  },

  async build(site) {
    const folder = path.join(site.build, "pack");
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const [program, args] = npm(site, "pack", path.join(site.root, "pkg"), "--pack-destination", folder);
    await run(program, args, { env: site.env, cwd: site.root, log: path.join(site.logs, "tarball.log") });
  },
});

export function tarballPath(site) {
  const { name, version } = JSON.parse(readFileSync(path.join(site.root, "pkg/package.json"), "utf8"));
  return path.join(site.build, "pack", `${name}-${version}.tgz`);
}

/** A step that is skipped while its inputs hash to what they were when it last ended well. */
function stamped({ id, title, estimate, needs, inputs, build }) {
  return {
    id,
    title,
    estimate,
    needs,
    async check(site) {
      return site.stamps.isCurrent(id, await inputs(site)) ? "up to date" : undefined;
    },
    async run(site, tell) {
      // Taken before: what is edited during a build must be built again.
      const hash = site.stamps.hash(await inputs(site));
      await build(site, tell);
      site.stamps.set(id, hash);
    },
  };
}

async function runScript(site, script, tell) {
  const [program, args] = npm(site, "run", "--silent", script);
  await run(program, args, {
    env: { ...site.env, ELANUS_CLI: cliPath(site) },
    cwd: site.root,
    log: path.join(site.logs, `${script.replace(":", "-")}.log`),
    onLine: (line) => tell({ fraction: fractionIn(line), detail: line.trim().slice(0, 60) }),
  });
}

function scaled(fraction, share, start = 0) {
  return fraction === undefined ? undefined : start + fraction * share;
}
