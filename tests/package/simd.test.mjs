/**
 * That the packed modules have their SIMD instructions. Compiler flags get lost without a word on the
 * way from a configuration file to a tarball, and the portable code that is left gives the same
 * answers, only several times slower: nothing but a count shows it.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import binaryen from "binaryen";

/** What the module for other libraries' files can't do without. */
const FOREIGN_FLOORS = { "f32x4.mul": 16, "f32x4.sub": 8 };

/** About half of what was counted when this was written: room for another compiler, none for a lost flag. */
const FLOOR_OF_ALL = 1000;

/** What the kernels can't do without. The last two a compiler doesn't come to by itself. */
const FLOORS = {
  "f32x4.mul": 48, // inner product and squared distance, 4 registers each, and the scan's bounds
  "f32x4.sub": 16, // squared distance
  "i32x4.dot_i16x8_s": 2, // 8-bit rows against a 16-bit query
};

/** What looks the tables of the 1-bit scan up, two groups a step and two halves each. */
const LOOK_UPS = {
  "elanus.wasm": "i8x16.swizzle",
  "elanus-lazy.wasm": "i8x16.swizzle",
  "elanus-build.wasm": "i8x16.swizzle",
  "elanus-collection.wasm": "i8x16.swizzle",
  "elanus-relaxed.wasm": "i8x16.relaxed_swizzle",
};

const { "elanus-foreign.wasm": foreign, ...packed } = unpack();

test("the packed modules have at least as many SIMD instructions as the kernels need", (t) => {
  for (const [file, bytes] of Object.entries(packed)) {
    const { all, byName } = countSimd(bytes);
    t.diagnostic(`${file}: ${all} SIMD instructions: ${JSON.stringify(byName)}`);
    assert.ok(all >= FLOOR_OF_ALL, `${file}: ${all} SIMD instructions, at least ${FLOOR_OF_ALL} expected`);
    for (const [name, floor] of Object.entries({ ...FLOORS, [LOOK_UPS[file]]: 4 })) {
      assert.ok((byName[name] ?? 0) >= floor, `${file}: ${name} is there ${byName[name] ?? 0} times, at least ${floor} expected`);
    }
  }
});

test("so has the module for files of other libraries", () => {
  const { byName } = countSimd(foreign);
  for (const [name, floor] of Object.entries(FOREIGN_FLOORS)) {
    assert.ok((byName[name] ?? 0) >= floor, `${name} is there ${byName[name] ?? 0} times, at least ${floor} expected`);
  }
});

test("of the packed modules all but one run where relaxed SIMD is missing", () => {
  for (const module of [packed["elanus.wasm"], packed["elanus-lazy.wasm"], packed["elanus-build.wasm"], packed["elanus-collection.wasm"], foreign]) {
    const relaxed = Object.keys(countSimd(module).byName).filter((name) => name.includes("relaxed"));
    assert.deepEqual(relaxed, []);
    assert.ok(WebAssembly.validate(module));
  }
});

test("the other has of relaxed SIMD only what gives the same bits everywhere", () => {
  const relaxed = Object.keys(countSimd(packed["elanus-relaxed.wasm"]).byName).filter((name) => name.includes("relaxed"));
  assert.deepEqual(relaxed, ["i8x16.relaxed_swizzle"]);
});

test("a module without SIMD is counted as such", () => {
  const bytes = binaryen.parseText("(module (func (export \"f\") (param f32) (result f32) local.get 0 local.get 0 f32.mul))").emitBinary();
  assert.equal(countSimd(bytes).all, 0);
});

/** Counts the instructions on vectors in a module's disassembly. */
function countSimd(bytes) {
  const module = binaryen.readBinary(bytes);
  const byName = {};
  let all = 0;
  for (const [, name] of module.emitText().matchAll(/\(((?:v128|i8x16|i16x8|i32x4|i64x2|f32x4|f64x2)\.\w+)/g)) {
    byName[name] = (byName[name] ?? 0) + 1;
    all += 1;
  }
  module.dispose();
  return { all, byName };
}

/** The modules in the tarball, by name. */
function unpack() {
  const tarball = process.env.ELANUS_TARBALL;
  assert.ok(tarball, "ELANUS_TARBALL names no tarball: run this with npm test -- --only package");
  const folder = mkdtempSync(path.join(os.tmpdir(), "elanus-simd-"));
  try {
    execFileSync("tar", ["-xzf", tarball, "-C", folder]);
    const modules = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".wasm"));
    assert.deepEqual(modules.map((name) => path.basename(name)).sort(), [...Object.keys(LOOK_UPS), "elanus-foreign.wasm"].sort());
    return Object.fromEntries(modules.map((name) => [path.basename(name), readFileSync(path.join(folder, name))]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
