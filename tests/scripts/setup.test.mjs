import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fractionIn, run } from "../../scripts/setup/command.mjs";
import { Forecast, duration } from "../../scripts/setup/progress.mjs";
import { isRecent } from "../../scripts/setup/rust.mjs";
import { openSite } from "../../scripts/setup/site.mjs";
import { Stamps } from "../../scripts/setup/stamps.mjs";
import { STEPS, stepsFor } from "../../scripts/setup/steps.mjs";
import { wasmEnvironment } from "../../scripts/setup/wasm-environment.mjs";

function temporaryFolder(t) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "elanus-setup-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

const flagsOf = (env) => env.CARGO_ENCODED_RUSTFLAGS?.split("\x1f");

test("compiler flags of the user's environment are joined with the SIMD flags, never put in their place", () => {
  const site = (env) => openSite({ PATH: "", ...env });
  const simd = ["-C", "target-feature=+simd128"];
  assert.equal(flagsOf(wasmEnvironment(site({}), {})), undefined, "cargo's configuration is left to speak");

  const spaced = wasmEnvironment(site({ RUSTFLAGS: "-C debuginfo=1  --cfg fast" }), {});
  assert.deepEqual(flagsOf(spaced), [...simd, "-C", "debuginfo=1", "--cfg", "fast"]);
  assert.equal(spaced.RUSTFLAGS, undefined);

  const encoded = wasmEnvironment(site({ CARGO_ENCODED_RUSTFLAGS: "--cfg\x1fa b", RUSTFLAGS: "--cfg ignored" }), {});
  assert.deepEqual(flagsOf(encoded), [...simd, "--cfg", "a b"]);

  const extra = wasmEnvironment(site({}), {}, ["-Dwarnings"]);
  assert.deepEqual(flagsOf(extra), [...simd, "-Dwarnings"]);
});

test("only commands that compile to WebAssembly get the other toolchain", () => {
  const site = openSite({ PATH: "" });
  const env = wasmEnvironment(site, { toolchain: "linked", linker: "/bin/wasm-ld" });
  assert.equal(env.RUSTUP_TOOLCHAIN, "linked");
  assert.equal(env.CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER, "/bin/wasm-ld");
  assert.equal(site.env.RUSTUP_TOOLCHAIN, undefined);
});

test("a stamp holds while inputs have the same content and the outputs are there", (t) => {
  const root = temporaryFolder(t);
  const stamps = new Stamps(root, path.join(root, "build"));
  mkdirSync(path.join(root, "src/deep"), { recursive: true });
  writeFileSync(path.join(root, "src/deep/a"), "1");
  writeFileSync(path.join(root, "made"), "");
  const what = { files: ["src", "absent"], values: ["rustc 1"], makes: ["made"] };
  assert.equal(stamps.isCurrent("step", what), false);
  stamps.set("step", stamps.hash(what));
  assert.equal(stamps.isCurrent("step", what), true);
  assert.equal(stamps.isCurrent("step", { ...what, values: ["rustc 2"] }), false);
  assert.equal(stamps.isCurrent("step", { ...what, makes: ["made", "also"] }), false);

  writeFileSync(path.join(root, "src/deep/a"), "2");
  assert.equal(stamps.isCurrent("step", what), false);
  writeFileSync(path.join(root, "src/deep/a"), "1");
  assert.equal(stamps.isCurrent("step", what), true, "times of files don't count");
  writeFileSync(path.join(root, "src/deep/b"), "");
  assert.equal(stamps.isCurrent("step", what), false, "a new file counts, even an empty one");
  rmSync(path.join(root, "src/deep/b"));
  writeFileSync(path.join(root, "absent"), "no more");
  assert.equal(stamps.isCurrent("step", what), false);
});

test("every step comes after the ones it needs, and brings them along", () => {
  for (const [at, step] of STEPS.entries()) {
    for (const id of step.needs) assert.ok(STEPS.findIndex((other) => other.id === id) < at, `${step.id} before ${id}`);
  }
  const ids = stepsFor(["wasm"]).map((step) => step.id);
  assert.deepEqual(ids, ["dependencies", "rust", "wasm-std", "wasm-pack", "wasm-bindgen", "wasm"]);
  assert.throws(() => stepsFor(["none"]), /no step is called none/);
});

test("time left follows the table, the pace so far, and measured progress", () => {
  const forecast = new Forecast();
  forecast.plan([
    { id: "a", estimate: 100, pending: true },
    { id: "b", estimate: 50, pending: true },
    { id: "c", estimate: 999, pending: false },
  ]);
  assert.equal(forecast.left(), 150);
  forecast.start("a", 100);
  assert.equal(forecast.left(40), 110);
  assert.ok(Math.abs(forecast.left(60, 0.25) - (50 + 0.25 * 180 + 0.75 * 40)) < 1e-9);
  forecast.finish(230);
  assert.equal(forecast.pace(), 2);
  assert.equal(forecast.left(), 100);
  forecast.skip("b");
  assert.equal(forecast.left(), 0);
});

test("a step that takes a short cut doesn't make the rest look short", () => {
  const forecast = new Forecast();
  forecast.plan([
    { id: "a", estimate: 1000, pending: true },
    { id: "b", estimate: 100, pending: true },
  ]);
  forecast.start("a", 1000);
  forecast.finish(1);
  assert.ok(forecast.left() >= 60);
});

test("progress is read from what cargo prints, and from nothing else", () => {
  assert.equal(fractionIn("   Building [=======>            ] 30/120: serde"), 0.25);
  assert.equal(fractionIn("embedded 500/1000 senses"), 0.5);
  assert.equal(fractionIn("   Compiling wasm/pack v0.15.1"), undefined);
  assert.equal(fractionIn("see /usr/1/2/3"), undefined);
  assert.equal(fractionIn("10/5 of them"), undefined);
});

test("versions of the compiler are compared as numbers", () => {
  assert.equal(isRecent("rustc 1.95.0 (59807616e 2026-04-14)", "1.88"), true);
  assert.equal(isRecent("rustc 1.88.0", "1.88"), true);
  assert.equal(isRecent("rustc 1.9.0", "1.88"), false);
  assert.equal(isRecent("rustc 2.0.0", "1.88"), true);
  assert.equal(isRecent("something else", "1.88"), false);
});

test("a command that fails says what it printed last, and where the rest is", async (t) => {
  const log = path.join(temporaryFolder(t), "logs/command.log");
  const options = { env: process.env, cwd: ".", log };
  const script = "console.log('first'); console.error('the reason'); process.exit(3)";
  await assert.rejects(run(process.execPath, ["-e", script], options), (problem) => {
    assert.equal(problem.name, "Problem");
    assert.match(problem.message, /ended with 3/);
    assert.match(problem.output, /the reason/);
    assert.equal(problem.log, log);
    return true;
  });
  await assert.rejects(run("no-such-program-anywhere", [], options), /could not be started/);
  assert.equal(await run(process.execPath, ["-e", "console.log('fine')"], options), "fine\n");
});

test("durations read as a person says them", () => {
  assert.equal(duration(0.25), "0.3 s");
  assert.equal(duration(9.97), "10 s");
  assert.equal(duration(59.4), "59 s");
  assert.equal(duration(59.6), "1 min 00 s");
  assert.equal(duration(3599.6), "60 min 00 s");
});
