/** Building in Node and in Chromium: the file is the native command's, byte for byte, and a build can be watched and ended. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { launch, newPage } from "./support/browser.mjs";
import { buildIndex } from "./support/cli.mjs";
import { clustered, exact } from "./support/data.mjs";
import { serve } from "./support/server.mjs";
import { projectWithPage } from "./support/tarball.mjs";

const DIMENSION = 40;
const [query, ...vectors] = clustered({ count: 901, dimension: DIMENSION, seed: 77 });
const flat = new Float32Array(vectors.length * DIMENSION);
vectors.forEach((vector, row) => flat.set(vector, row * DIMENSION));
const BIG = 9_007_199_254_740_993n;
const rows = vectors.map((_, row) => ({
  pos: ["noun", "verb"][row % 2],
  year: 1900 + row,
  share: row / 8,
  even: row % 2 === 0,
  gloss: `„what ${row} means“ \n ${"x".repeat(row % 150)}`,
  tags: row % 3 ? ["a", row] : null,
}));
let elanus;
let folder;
let installed;

before(async (t) => {
  ({ folder, installed } = projectWithPage(t, "build"));
  writeFileSync(path.join(folder, "main.mjs"), 'export * from "elanus";');
  elanus = await import(pathToFileURL(path.join(folder, "main.mjs")));
});

const same = (built, native, what) => assert.ok(Buffer.from(built).equals(Buffer.from(native)), `${what}: another file than the native command's`);
const native = (args, more) => buildIndex(folder, vectors, { args: ["--calibrate", "0", ...args], ...more });

test("the file is what the native command builds", async (t) => {
  for (const metric of ["COSINE", "IP", "L2"]) {
    for (const indexType of ["FLAT", "SCAN_RABITQ", "IVF_RABITQ", "IVF_PQ", "IVF_FLAT", "IVF_SQ8", "AUTOINDEX"]) {
      const index = await elanus.build(vectors, { metric, indexType, seed: 7, name: "ünïcode" });
      t.after(() => index.close());
      same(await index.toBytes(), native(["--metric", metric, "--index-type", indexType, "--seed", "7", "--name", "ünïcode"]), `${metric} ${indexType}`);
      const hits = await index.search(query, { exact: true });
      assert.equal(hits[0].id, exact(metric, vectors, query, 1)[0].row);
    }
  }
  const many = ["--index-type", "IVF_RABITQ", "--nlist", "40", "--rerank", "int8,f32"];
  const listed = await elanus.build(vectors, { indexType: "IVF_RABITQ", nlist: 40, rerank: ["int8", "f32"], fields: rows });
  same(await listed.toBytes(), native(many, { rows }), "lists, fields in their order");
  assert.ok(listed.lists.count > 30 && listed.lists.count <= 40, `${listed.lists.count} lists`);
  assert.deepEqual((await listed.search(query, { nprobe: 40, outputFields: ["year"] }))[0].fields, {
    year: 1900 + exact("COSINE", vectors, query, 1)[0].row,
  });
  await listed.close();
  const both = await elanus.build(flat, { dimension: DIMENSION, rerank: ["f32", "int8"], calibrate: 40 });
  same(await both.toBytes(), buildIndex(folder, vectors, { args: ["--rerank", "int8,f32", "--calibrate", "40"] }), "with a calibration");
  assert.equal((await both.search(query, { recall: 0.9 })).length, 10);
  await both.close();
  const codes = await elanus.build(vectors, { bits: 8, rerank: [] });
  same(await codes.toBytes(), native(["--bits", "8", "--rerank", "none"]), "codes of several bits");
  const nearest = exact("COSINE", vectors, query, 1)[0].row;
  assert.ok((await codes.search(query, { limit: 3 })).some(({ row }) => row === nearest));
  await codes.close();
  const parts = await elanus.build(vectors, { indexType: "IVF_PQ", m: 5, nbits: 4 });
  same(await parts.toBytes(), native(["--index-type", "IVF_PQ", "--m", "5", "--nbits", "4"]), "codes of parts");
  assert.equal((await parts.search(query, { limit: 1, nprobe: 1000 }))[0].id, nearest);
  await parts.close();
  for (const wrong of [{ m: 3 }, { nbits: 4 }, { indexType: "IVF_PQ", nbits: 5 }, { indexType: "IVF_PQ", m: DIMENSION + 1 }]) {
    await assert.rejects(elanus.build(vectors, wrong), { code: "INVALID_ARGUMENT" });
  }
});

test("fields and keys are those of the native command's file", async () => {
  const ids = vectors.map((_, row) => BIG + BigInt(row));
  const lines = rows.map((row, i) => JSON.stringify({ id: 0, ...row }).replace('"id":0', `"id":${ids[i]}`));
  const card = { model: { name: "m", revision: "1", fingerprint: "", dimension: DIMENSION, normalised: false } };
  const index = await elanus.build(vectors, { ids, fields: rows, card });
  same(await index.toBytes(), native(["--id-field", "id"], { rows: lines, card }), "inferred fields");
  const [hit] = await index.search(query, { limit: 1, filter: 'pos == "verb" and year > 1950', outputFields: ["*"] });
  assert.equal(hit.id, BIG + BigInt(hit.row));
  assert.deepEqual(hit.fields, rows[hit.row]);
  await index.close();
  const texts = vectors.map((_, row) => `w${row}`);
  const chosen = await elanus.build(vectors, { ids: texts, idField: "key", fields: rows, filterable: { year: "Double", pos: "VarChar" }, stored: ["pos", "tags"] });
  const native2 = native(["--id-field", "key", "--fields", "year:Double,pos:VarChar", "--store", "pos,tags"], { rows: rows.map((row, i) => ({ key: texts[i], ...row })) });
  same(await chosen.toBytes(), native2, "chosen fields");
  assert.deepEqual((await chosen.get("w7")).map(({ fields }) => fields), [{ pos: "verb", tags: ["a", 7] }]);
  const again = await elanus.open(await chosen.toBlob());
  assert.deepEqual(await again.search(query), await chosen.search(query));
  await again.close();
  await chosen.close();
});

test("graphs built here find what is near", async () => {
  for (const [indexType, rerank] of [["HNSW", ["f32"]], ["HNSW_SQ8", ["int8"]]]) {
    const index = await elanus.build(vectors, { indexType, metric: "L2", efConstruction: 60, rerank });
    const expected = exact("L2", vectors, query, 10).map(({ row }) => row);
    const found = (await index.search(query, { ef: 20 })).map(({ row }) => row);
    assert.ok(found.filter((row) => expected.includes(row)).length >= 9, `${indexType}: ${found} for ${expected}`);
    assert.equal(index.card.build.ef_construction, 60);
    await index.close();
  }
});

test("what can't be built is refused, with what to do", async () => {
  const refused = (options, code, text, given = vectors) =>
    assert.rejects(elanus.build(given, options), (error) => error.code === code && text.test(error.message) || assert.fail(`${error.code}: ${error.message}`));
  await refused({}, "INVALID_ARGUMENT", /need the option dimension/, flat);
  await refused({ dimension: 7 }, "INVALID_ARGUMENT", /no whole vectors of 7/, flat);
  await refused({ dimension: 40 }, "INVALID_ARGUMENT", /dimension is for vectors in one/);
  await refused({}, "INVALID_ARGUMENT", /a list of vectors/, []);
  await refused({}, "DIMENSION_MISMATCH", /vector 1 has 2/, [[1], [1, 2]]);
  await refused({}, "INVALID_VECTOR", /vector 1 has NaN/, [[1], [NaN]]);
  await refused({ dimension: 1 }, "INVALID_INPUT", /vector 0 has NaN/, new Float32Array([NaN]));
  await refused({ metric: "HAMMING" }, "INVALID_ARGUMENT", /metric must be one of/);
  await refused({ indexType: "IVF" }, "INVALID_ARGUMENT", /indexType must be one of/);
  await refused({ rerank: ["int4"] }, "INVALID_ARGUMENT", /rerank must be one of/);
  await refused({ indexType: "FLAT", rerank: [] }, "INVALID_ARGUMENT", /ask for int8 or f32/);
  await refused({ indexType: "IVF_FLAT", rerank: ["int8"] }, "INVALID_ARGUMENT", /ask for f32/);
  await refused({ nlist: 9 }, "INVALID_ARGUMENT", /for indexes of lists/);
  await refused({ indexType: "IVF_SQ8", nlist: 65_537 }, "INVALID_ARGUMENT", /nlist/);
  await refused({ bits: 9 }, "INVALID_ARGUMENT", /bits must be/);
  await refused({ indexType: "HNSW", bits: 2 }, "INVALID_ARGUMENT", /bits is for RaBitQ codes/);
  await refused({ maxBytesPerVector: 9 }, "INVALID_ARGUMENT", /is for AUTOINDEX/);
  await refused({ indexType: "AUTOINDEX", maxBytesPerVector: 9 }, "INVALID_ARGUMENT", /smallest/);
  await refused({ indexType: "AUTOINDEX", rerank: ["f32"] }, "INVALID_ARGUMENT", /leave out rerank/);
  await refused({ ids: [1, 2] }, "INVALID_ARGUMENT", /an entry for each of the 900/);
  await refused({ ids: vectors.map(() => 1) }, "INVALID_INPUT", /key/);
  await refused({ ids: vectors.map((_, row) => (row ? row : "a")) }, "INVALID_INPUT", /another type/);
  await refused({ fields: rows.slice(1) }, "INVALID_ARGUMENT", /an entry for each/);
  await refused({ fields: rows, stored: ["poz"] }, "INVALID_ARGUMENT", /no row has a field "poz"/);
  await refused({ fields: rows, filterable: { tags: "VarChar" } }, "INVALID_ARGUMENT", /can't be filtered by/);
  await refused({ fields: rows, filterable: { pos: "Int64" } }, "INVALID_INPUT", /pos/);
  await refused({ card: { build: {} } }, "INVALID_ARGUMENT", /writes itself/);
  await refused({ speed: 9 }, "INVALID_ARGUMENT", /no option "speed"/);
});

test("on this thread a build can be ended from its progress", async () => {
  const reason = new Error("enough");
  const stop = new AbortController();
  const seen = [];
  const onProgress = (progress) => {
    seen.push(progress.phase);
    if (progress.phase === "build") stop.abort(reason);
  };
  await assert.rejects(elanus.build(vectors, { signal: stop.signal, onProgress }), reason);
  assert.equal(seen.at(-1), "build");
  await assert.rejects(elanus.build(vectors, { onProgress: () => { throw reason; } }), reason);
  await assert.rejects(elanus.build(vectors, { signal: AbortSignal.abort(reason) }), reason);
});

test("in a page a worker builds, tells how far it is, and is ended with its memory", async (t) => {
  const browser = await launch(t);
  const { origin } = await serve(t, { "/": folder, "/elanus/": installed });
  const { page, complaints } = await newPage(browser, `${origin}/`);
  await page.waitForFunction(() => globalThis.elanus);
  const expected = native(["--seed", "3"]);
  const result = await page.evaluate(
    async ({ rows, dimension }) => {
      const flat = new Float32Array(rows);
      const seen = [];
      const index = await elanus.build(flat, { dimension, seed: 3, onProgress: (progress) => seen.push(progress) });
      const bytes = Array.from(await index.toBytes());
      const memory = await index.memory();
      const { thread } = index;
      await index.close();
      // Large enough that the worker is still building when it is ended.
      const stop = new AbortController();
      const large = Float32Array.from({ length: 64 * 40_000 }, (_, i) => Math.sin(i * i));
      const started = performance.now();
      const reason = await elanus
        .build(large, { dimension: 64, indexType: "HNSW", signal: stop.signal, onProgress: ({ phase }) => phase === "build" && stop.abort("enough") })
        .catch((error) => error);
      return { seen, bytes, memory, thread, reason, took: performance.now() - started };
    },
    { rows: Array.from(flat), dimension: DIMENSION },
  );
  same(Uint8Array.from(result.bytes), expected, "in Chromium");
  assert.equal(result.thread, "worker");
  const phases = [...new Set(result.seen.map(({ phase }) => phase))];
  assert.deepEqual(phases, ["load", "build", "ready"]);
  assert.ok(result.seen.every(({ done, total }) => done > 0 && done <= total));
  assert.equal(result.memory.fileBytes, expected.length);
  // A module that only opened the file has a little over 1 MB besides.
  assert.ok(result.memory.wasmBytes < expected.length + 2_500_000, `${result.memory.wasmBytes} bytes for a file of ${expected.length}`);
  assert.equal(result.reason, "enough");
  assert.ok(result.took < 20_000, `ended after ${result.took} ms`);
  assert.deepEqual(complaints, []);
});
