/** Vectors of every kind of number, in Node: the same numbers give the same file and the same answers. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { random } from "./support/data.mjs";
import { project } from "./support/tarball.mjs";

const [COUNT, DIMENSION] = [50, 12];
const next = random(3);
const integers = Int8Array.from({ length: COUNT * DIMENSION }, () => Math.floor(next() * 255) - 127);
const kinds = [Float32Array, Float64Array, Int8Array, ...(globalThis.Float16Array ? [globalThis.Float16Array] : [])];
let elanus;

before((t) => {
  const { folder } = project(t, "numbers");
  writeFileSync(path.join(folder, "main.mjs"), 'export * from "elanus";');
  return import(pathToFileURL(path.join(folder, "main.mjs"))).then((module) => (elanus = module));
});

const rowsOf = (all) => Array.from({ length: COUNT }, (_, row) => all.subarray(row * DIMENSION, (row + 1) * DIMENSION));

test("every kind of array gives the same file and finds the same", async () => {
  for (const metric of ["L2", "IP", "COSINE"]) {
    const answers = [];
    for (const Kind of kinds) {
      const vectors = Kind.from(integers);
      const options = { metric, indexType: "FLAT" };
      for (const index of [await elanus.build(vectors, { ...options, dimension: DIMENSION }), await elanus.build(rowsOf(vectors), options)]) {
        const query = vectors.subarray(5 * DIMENSION, 6 * DIMENSION);
        const hits = await index.search(query, { limit: 5 });
        const [batch] = await index.search([query], { limit: 5 });
        assert.deepEqual(batch, hits);
        if (metric === "L2") assert.deepEqual([hits[0].row, hits[0].distance], [5, 0]);
        answers.push({ bytes: Buffer.from(await index.toBytes()).toString("base64"), hits });
        await index.close();
      }
    }
    for (const answer of answers) assert.deepEqual(answer, answers[0], metric);
    assert.equal(answers.length, 2 * kinds.length);
  }
});

test("arrays of other numbers are refused", async () => {
  const index = await elanus.build(integers, { dimension: DIMENSION, metric: "L2", indexType: "FLAT" });
  for (const Kind of [Int16Array, Uint16Array, Int32Array, Uint32Array, BigInt64Array, Uint8ClampedArray]) {
    const code = (promise) => promise.then(() => "none", (error) => error.code);
    assert.equal(await code(index.search(new Kind(DIMENSION))), "INVALID_ARGUMENT", Kind.name);
    assert.equal(await code(elanus.build(new Kind(2 * DIMENSION), { dimension: DIMENSION })), "INVALID_ARGUMENT", Kind.name);
    assert.equal(await code(elanus.build([new Kind(DIMENSION)])), "INVALID_ARGUMENT", Kind.name);
  }
  await index.close();
});
