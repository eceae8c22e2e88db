import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { writeCapabilities } from "../setup/browser.mjs";
import { ask, runInView } from "../setup/command.mjs";
import { wasmEnvironment } from "../setup/wasm-environment.mjs";
import { withWasmTools } from "../setup/wasm-tools.mjs";
import { judged, neverBegan, readLibtest, readNextest, sum } from "./counts.mjs";

/** Native tests and the examples in the documentation. */
export async function runRustTests(site) {
  const options = { env: { ...site.env, CARGO_TERM_COLOR: "never" }, cwd: site.root };
  const common = ["--all-features", "--locked", "--no-fail-fast"];
  if (!(await hasNextest(site))) {
    const { code, output } = await runInView("cargo", ["test", ...common], options);
    return judged(readLibtest(output), code);
  }
  const tests = await runInView("cargo", ["nextest", "run", ...common], options);
  const examples = await runInView("cargo", ["test", "--doc", ...common], options); // nextest leaves these out
  return sum(judged(readNextest(tests.output), tests.code), judgedExamples(readLibtest(examples.output), examples.code));
}

/** Native tests that are marked #[ignore] because they take long; what they print is shown, as some print tables. */
export async function runIgnoredRustTests(site) {
  const options = { env: { ...site.env, CARGO_TERM_COLOR: "never" }, cwd: site.root };
  const common = ["--all-features", "--locked", "--no-fail-fast"];
  if (await hasNextest(site)) {
    const { code, output } = await runInView("cargo", ["nextest", "run", ...common, "--run-ignored", "only", "--success-output", "final"], options);
    return judged({ ...readNextest(output), skipped: 0 }, code);
  }
  const { code, output } = await runInView("cargo", ["test", ...common, "--", "--ignored", "--show-output"], options);
  return judged({ ...readLibtest(output), skipped: 0 }, code);
}

/** Tests that run in a browser, by wasm-pack. */
export async function runWasmTests(site) {
  const env = {
    ...withWasmTools(site, wasmEnvironment(site, site.found.wasm)),
    CARGO_TERM_COLOR: "never",
    WASM_BINDGEN_TEST_WEBDRIVER_JSON: writeCapabilities(site),
    WASM_BINDGEN_TEST_TIMEOUT: "300",
    // The runner's own five seconds are too few for a driver that starts beside a busy compiler.
    WASM_BINDGEN_TEST_DRIVER_TIMEOUT: "60",
  };
  const args = ["test", "--headless", "--chrome", "--chromedriver", site.found.chromedriver, "--mode", "no-install"];
  // wasm-pack hands these to `cargo build` as well, which doesn't know --no-fail-fast.
  args.push("--", "--no-default-features", "--locked", ...wasmTargets(site));
  const run = () => runInView(site.found.wasmPack, args, { env, cwd: site.root });
  let { code, output } = await run();
  if (code !== 0 && neverBegan(output)) {
    process.stdout.write("No test began: the browser or its driver didn't start. Once more.\n");
    ({ code, output } = await run());
  }
  return judged(readLibtest(output), code);
}

/** The parts of the crate that are meant for a browser: the library, and the test files that say so. */
export function wasmTargets(site) {
  const folder = path.join(site.root, "tests");
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".rs")) : [];
  const inBrowser = files.filter((name) => readFileSync(path.join(folder, name), "utf8").includes("wasm_bindgen_test"));
  return ["--lib", ...inBrowser.sort().flatMap((name) => ["--test", name.replace(/\.rs$/, "")])];
}

async function hasNextest(site) {
  return Boolean(await ask("cargo", ["nextest", "--version"], { env: site.env, cwd: site.root }));
}

/** A crate may have no example yet: that they all ran well is enough. */
function judgedExamples(counts, code) {
  return code === 0 ? counts : judged(counts, code);
}
