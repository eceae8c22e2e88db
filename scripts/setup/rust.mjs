import { readFileSync } from "node:fs";
import path from "node:path";
import { ask, findProgram, run } from "./command.mjs";
import { canInstall, commandFor, install, isDebian } from "./debian.mjs";
import { Problem } from "./problem.mjs";

/** A Rust compiler of the version the crate asks for, and the C linker it calls. */
export const rust = {
  id: "rust",
  title: "Rust compiler",
  estimate: 2,
  needs: [],

  async check(site) {
    const version = await ask("rustc", ["--version"], { env: site.env, cwd: site.root });
    if (!version || !isRecent(version, wanted(site)) || !findProgram("cargo", site.env) || lacksLinker(site)) return undefined;
    return version;
  },

  async run(site, tell) {
    const options = { env: site.env, cwd: site.root };
    const version = await ask("rustc", ["--version"], options);
    if (!version || !findProgram("cargo", site.env)) {
      throw new Problem("There is no working Rust compiler (rustc and cargo) on this machine.", {
        remedy: "Install Rust with rustup, from https://rustup.rs, then run this command again.",
      });
    }
    if (!isRecent(version, wanted(site))) {
      throw new Problem(`This machine's compiler is ${version}; Elanus needs ${wanted(site)} or newer.`, {
        remedy: findProgram("rustup", site.env) ? "Run `rustup update stable`." : "Install a newer Rust, for example with https://rustup.rs.",
      });
    }
    if (lacksLinker(site)) {
      const packages = ["gcc", "libc6-dev"];
      if (!canInstall(site)) {
        throw new Problem("Rust needs a C compiler to link programs, and there is no `cc` on this machine.", {
          remedy: isDebian(site) ? `As root: ${commandFor(packages)}` : "Install your system's C compiler (gcc or clang).",
        });
      }
      await install(site, packages, tell);
    }
  },
};

/** rustfmt and clippy, which only the tests need. */
export const lintTools = {
  id: "lint-tools",
  title: "rustfmt and clippy",
  estimate: 5,
  needs: ["rust"],

  async check(site) {
    const options = { env: site.env, cwd: site.root };
    const [fmt, clippy] = await Promise.all([ask("cargo", ["fmt", "--version"], options), ask("cargo", ["clippy", "--version"], options)]);
    return fmt && clippy ? `${fmt}, ${clippy}` : undefined;
  },

  async run(site) {
    await run("rustup", ["component", "add", "rustfmt", "clippy"], {
      env: site.env,
      cwd: site.root,
      log: path.join(site.logs, "lint-tools.log"),
    }).catch((error) => {
      throw error.withRemedy("Install rustfmt and clippy for your Rust toolchain (`rustup component add rustfmt clippy`).");
    });
  },
};

function wanted(site) {
  return /^rust-version = "([^"]+)"/m.exec(readFileSync(path.join(site.root, "Cargo.toml"), "utf8"))?.[1] ?? "1.85";
}

/** @param {string} version as `rustc --version` prints it @param {string} least such as "1.88" */
export function isRecent(version, least) {
  const [have, need] = [version, least].map((text) => /(\d+)\.(\d+)/.exec(text)?.slice(1).map(Number));
  if (!have || !need) return false;
  return have[0] > need[0] || (have[0] === need[0] && have[1] >= need[1]);
}

function lacksLinker(site) {
  return process.platform === "linux" && !["cc", "gcc", "clang"].some((name) => findProgram(name, site.env));
}
