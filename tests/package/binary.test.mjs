/**
 * Vectors of bits, through the packed package in Chromium: built there and by the command, to the same byte; searched in
 * both threads against the plain definition; and refused where floats are needed, or the other way round.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { launch, newPage } from "./support/browser.mjs";
import { cli } from "./support/cli.mjs";
import { random } from "./support/data.mjs";
import { serve } from "./support/server.mjs";
import { projectWithPage } from "./support/tarball.mjs";

const { k, binary, filters } = JSON.parse(readFileSync(new URL("../table.json", import.meta.url)));
const QUERIES = 4;

/** Rows around some centres, the first of them zero, the last copies of others; and queries like them. */
function draw({ count, dimension, ones, zeros, copies }) {
  const next = random(count);
  const bits = (bit) => Uint8Array.from({ length: dimension / 8 }, (_, at) => {
    let byte = 0;
    for (let i = 0; i < 8; i += 1) byte |= Number(bit(8 * at + i)) << i;
    return byte;
  });
  const centres = Array.from({ length: 10 }, () => bits(() => next() < ones));
  const rows = Array.from({ length: count + QUERIES }, () => {
    const centre = centres[Math.floor(next() * centres.length)];
    return bits((i) => (next() < 0.1 ? next() < ones : (centre[i >> 3] >> (i & 7)) & 1));
  });
  const vectors = rows.slice(0, count);
  for (let row = 0; row < zeros; row += 1) vectors[row].fill(0);
  for (let copy = 0; copy < copies; copy += 1) vectors[count - 1 - copy].set(vectors[Math.min(zeros, count - 1) + Math.floor(copy / 3)]);
  const queries = rows.slice(count);
  queries[0].fill(0);
  return { vectors, queries };
}

const ones = (byte) => byte.toString(2).replaceAll("0", "").length;

function distance(metric, a, b) {
  const count = (of) => a.reduce((sum, byte, i) => sum + ones(of(byte, b[i])), 0);
  if (metric === "HAMMING") return count((x, y) => x ^ y);
  const either = count((x, y) => x | y);
  return either === 0 ? 1 : Math.fround(Math.fround(count((x, y) => x ^ y)) / Math.fround(either));
}

/** A NumPy file of rows of bytes. */
function npy(vectors) {
  const shape = `{'descr': '|u1', 'fortran_order': False, 'shape': (${vectors.length}, ${vectors[0].length}), }`;
  const header = shape.padEnd(Math.ceil((shape.length + 11) / 64) * 64 - 11) + "\n";
  return Buffer.concat([Buffer.from("\x93NUMPY\x01\x00", "latin1"), Buffer.from([header.length & 255, header.length >> 8]), Buffer.from(header), ...vectors]);
}

test("every cell reaches its floor, built here and there, in a worker and without", async (t) => {
  const { folder, installed } = projectWithPage(t, "binary");
  const browser = await launch(t);
  const { origin } = await serve(t, { "/": folder, "/elanus/": installed });
  const { page, complaints } = await newPage(browser, `${origin}/`);
  await page.waitForFunction(() => globalThis.elanus);
  const file = (name) => path.join(folder, name);
  let cells = 0;
  for (const given of binary.cases) {
    const { vectors, queries } = draw(given);
    writeFileSync(file("rows.npy"), npy(vectors));
    writeFileSync(file("rows.jsonl"), vectors.map((_, n) => `${JSON.stringify({ n, third: n % 3 })}\n`).join(""));
    for (const { indexType, floor, search } of binary.types) {
      for (const metric of binary.metrics) {
        const args = ["--metric", metric, "--index-type", indexType, "--metadata", file("rows.jsonl"), "--calibrate", "0"];
        execFileSync(cli, ["build", file("rows.npy"), "-o", file("out.elanus"), ...args], { stdio: ["ignore", "ignore", "pipe"] });
        const answers = await page.evaluate(
          async ({ vectors, queries, filters, limit, indexType, metric, search }) => {
            const bits = (list) => list.map((vector) => Uint8Array.from(vector));
            const native = new Uint8Array(await (await fetch("/out.elanus", { cache: "no-store" })).arrayBuffer());
            const fields = vectors.map((_, n) => ({ n, third: n % 3 }));
            const built = await elanus.build(bits(vectors), { indexType, metric, fields });
            const bytes = await built.toBytes();
            const { dimension, count, binary } = built;
            const flat = await elanus.build(Uint8Array.from(vectors.flat()), { dimension, indexType, metric, fields, thread: "main" });
            const ask = async (index) => {
              const found = [];
              for (const { expression } of filters) {
                const lists = await index.search(bits(queries), { limit, ...search, ...(expression && { filter: expression }) });
                found.push(lists.map((hits) => hits.map(({ id, distance }) => [Number(id), distance])));
              }
              return found;
            };
            const own = (await built.vectors(Array.from({ length: count }, (_, row) => row))).vectors;
            const result = {
              dimension, count, binary,
              same: bytes.length === native.length && bytes.every((byte, i) => byte === native[i]),
              kind: own.constructor.name,
              sum: own.reduce((sum, byte) => sum + byte, 0),
              worker: await ask(built),
              main: await ask(flat),
              one: (await built.search(Array.from(queries[1]), { limit: 1, ...search }))[0].distance,
            };
            await built.close();
            await flat.close();
            return result;
          },
          { vectors: vectors.map((v) => Array.from(v)), queries: queries.map((q) => Array.from(q)), filters, limit: k, indexType, metric, search },
        );
        const what = `${given.name}, ${indexType} ${metric} ${JSON.stringify(search)}`;
        assert.ok(answers.same, `${what}: the command builds another file`);
        assert.deepEqual([answers.dimension, answers.count, answers.binary, answers.kind], [given.dimension, given.count, true, "Uint8Array"], what);
        assert.equal(answers.sum, vectors.flatMap((v) => Array.from(v)).reduce((sum, byte) => sum + byte, 0), what);
        assert.deepEqual(answers.main, answers.worker, what);
        filters.forEach(({ expression, modulus, below }, i) => {
          const shares = queries.map((query, q) => {
            const all = vectors.map((vector) => distance(metric, vector, query));
            const nearest = all.filter((_, row) => row % modulus === 0 && row < below).sort((a, b) => a - b).slice(0, k);
            const hits = answers.worker[i][q];
            assert.equal(hits.length, nearest.length, what);
            for (const [row, found] of hits) {
              assert.ok(row % modulus === 0 && row < below, what);
              assert.equal(found, all[row], what);
            }
            return nearest.length === 0 ? 1 : hits.filter(([, found]) => found <= nearest.at(-1)).length / nearest.length;
          });
          const reached = shares.reduce((a, b) => a + b, 0) / shares.length;
          assert.ok(reached >= floor, `${what} ${expression}: recall ${reached}, below ${floor}`);
          cells += 1;
        });
      }
    }
  }
  assert.equal(cells, binary.cases.length * binary.types.length * binary.metrics.length * filters.length);
  assert.deepEqual(complaints, []);
});

test("what is of the other kind is refused, and the rest of the calls know bits", async (t) => {
  const { folder, installed } = projectWithPage(t, "binary-calls");
  const browser = await launch(t);
  const { origin } = await serve(t, { "/": folder, "/elanus/": installed });
  const { page, complaints } = await newPage(browser, `${origin}/`);
  await page.waitForFunction(() => globalThis.elanus);
  const found = await page.evaluate(async () => {
    const code = (promise) => promise.then(() => "none", (error) => error.code ?? String(error));
    const floats = [Float32Array.of(1, 0), Float32Array.of(0, 1)];
    const bits = [Uint8Array.of(255, 1), Uint8Array.of(254, 1), Uint8Array.of(0, 0)];
    const index = await elanus.build(bits);
    const dense = await elanus.build(floats, { indexType: "FLAT" });
    const batches = [];
    for await (const hits of index.searchIterator(bits[0], { batchSize: 2 })) batches.push(hits.map(({ id, distance }) => [id, distance]));
    const fused = await index.hybridSearch([{ data: bits[0] }, { data: bits[2] }], { limit: 3, rerank: { type: "weighted", weights: [1, 0] } });
    return {
      metric: index.metric,
      indexType: index.indexType,
      dimension: index.dimension,
      batches,
      fused: fused.map(({ id }) => id),
      ring: (await index.search(bits[0], { radius: 9, rangeFilter: 1 })).map(({ id }) => id),
      codes: {
        floatsToBits: await code(index.search(floats[0])),
        halves: await code(index.search([0.5, 1])),
        short: await code(index.search(Uint8Array.of(1))),
        words: await code(index.search("words")),
        iterated: await code(index.searchIterator(floats[0]).next()),
        bitsToFloats: await code(dense.search(bits[0])),
        mixed: await code(elanus.build([bits[0], floats[0]])),
        mixedTheOtherWay: await code(elanus.build([floats[0], bits[0]])),
        ragged: await code(elanus.build([bits[0], Uint8Array.of(1)])),
        metric: await code(elanus.build(bits, { metric: "COSINE" })),
        floatMetric: await code(elanus.build(floats, { metric: "HAMMING" })),
        type: await code(elanus.build(bits, { indexType: "HNSW" })),
        floatType: await code(elanus.build(floats, { indexType: "BIN_FLAT" })),
        rerank: await code(elanus.build(bits, { rerank: ["int8"] })),
        noDimension: await code(elanus.build(Uint8Array.of(1, 2))),
        odd: await code(elanus.build(Uint8Array.of(1, 2, 3), { dimension: 12 })),
      },
    };
  });
  assert.deepEqual(found, {
    metric: "HAMMING",
    indexType: "BIN_FLAT",
    dimension: 16,
    batches: [[[0, 0], [1, 1]], [[2, 9]]],
    fused: [0, 1, 2],
    ring: [1],
    codes: {
      floatsToBits: "INVALID_VECTOR",
      halves: "INVALID_VECTOR",
      short: "DIMENSION_MISMATCH",
      words: "INVALID_ARGUMENT",
      iterated: "INVALID_VECTOR",
      bitsToFloats: "INVALID_VECTOR",
      mixed: "INVALID_VECTOR",
      mixedTheOtherWay: "INVALID_VECTOR",
      ragged: "DIMENSION_MISMATCH",
      metric: "INVALID_ARGUMENT",
      floatMetric: "INVALID_ARGUMENT",
      type: "INVALID_ARGUMENT",
      floatType: "INVALID_ARGUMENT",
      rerank: "INVALID_ARGUMENT",
      noDimension: "INVALID_ARGUMENT",
      odd: "INVALID_ARGUMENT",
    },
  });
  assert.deepEqual(complaints, []);
});
