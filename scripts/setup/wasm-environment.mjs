import { readFileSync } from "node:fs";
import path from "node:path";

const SEPARATOR = "\x1f"; // how CARGO_ENCODED_RUSTFLAGS parts its flags
const RUSTFLAGS_SOURCES = [
  "CARGO_ENCODED_RUSTFLAGS",
  "RUSTFLAGS",
  "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
  "CARGO_BUILD_RUSTFLAGS",
];

/**
 * The environment for commands that compile to WebAssembly.
 *
 * The toolchain is chosen here and nowhere else, so that native commands keep the user's own. If
 * the user's environment carries compiler flags, cargo would let them replace the ones in
 * .cargo/config.toml and SIMD would be lost without a word: both are passed on, joined.
 *
 * @param {{ toolchain?: string, linker?: string }} wasm what the wasm-std step found
 * @param {string[]} [extra] more compiler flags
 */
export function wasmEnvironment(site, wasm, extra = []) {
  const env = { ...site.env };
  if (wasm.toolchain) env.RUSTUP_TOOLCHAIN = wasm.toolchain;
  if (wasm.linker) env.CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER = wasm.linker;
  const users = userFlags(env);
  if (users.length > 0 || extra.length > 0) {
    for (const name of RUSTFLAGS_SOURCES) delete env[name];
    env.CARGO_ENCODED_RUSTFLAGS = [...configuredFlags(site.root), ...users, ...extra].join(SEPARATOR);
  }
  return env;
}

/** The flags that cargo would take from the environment: the first source that is set. */
function userFlags(env) {
  const name = RUSTFLAGS_SOURCES.find((source) => env[source]);
  if (!name) return [];
  return env[name].split(name === "CARGO_ENCODED_RUSTFLAGS" ? SEPARATOR : /\s+/).filter(Boolean);
}

/** The wasm target's flags in .cargo/config.toml. */
export function configuredFlags(root) {
  const config = readFileSync(path.join(root, ".cargo/config.toml"), "utf8");
  const match = /\[target\.wasm32-unknown-unknown\][^[]*?rustflags = (\[[^\]]*\])/.exec(config);
  if (!match) throw new Error(".cargo/config.toml names no rustflags for wasm32-unknown-unknown on one line");
  return JSON.parse(match[1]);
}
