/** Words, sparse vectors and hybrid search through the packed package, in Node. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { cli } from "./support/cli.mjs";
import { clustered } from "./support/data.mjs";
import { project } from "./support/tarball.mjs";

const COUNT = 400;
const DIMENSION = 16;
const vectors = clustered({ count: COUNT, dimension: DIMENSION, seed: 5 });
const words = ["bird", "kite", "hawk", "small", "prey", "of", "the", "Café", "東京都", "データ"];
/** Row n has word n % 10 twice, the next word once, and its own number. */
const rows = vectors.map((_, n) => ({ title: `${words[n % 10]} ${words[n % 10]} ${words[(n + 1) % 10]} n${n}`, n }));
const sparse = vectors.map((_, n) => ({ [n % 20]: 1 + n / 1000, 1000: 0.25 }));
let elanus;
let both;
let sparseOnly;

before(async (t) => {
  const { folder } = project(t, "text");
  writeFileSync(path.join(folder, "main.mjs"), 'export * from "elanus";');
  writeFileSync(path.join(folder, "v.f32"), Buffer.from(Float32Array.from(vectors.flatMap((v) => [...v])).buffer));
  writeFileSync(path.join(folder, "rows.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
  writeFileSync(path.join(folder, "sparse.jsonl"), sparse.map((row) => JSON.stringify(row)).join("\n"));
  const build = (output, ...args) => {
    execFileSync(cli, ["build", ...args, "-o", output, "--quiet"], { cwd: folder });
    return readFileSync(path.join(folder, output));
  };
  const metadata = ["--metadata", "rows.jsonl", "--text-field", "title"];
  both = build("both.elanus", "v.f32", "--dimension", String(DIMENSION), ...metadata, "--sparse", "sparse.jsonl", "--fold-diacritics");
  sparseOnly = build("sparse.elanus", "--sparse", "sparse.jsonl");
  elanus = await import(pathToFileURL(path.join(folder, "main.mjs")));
});

async function opened(t, file) {
  const index = await elanus.open(file);
  t.after(() => index.close());
  return index;
}

const idsOf = (hits) => hits.map(({ id }) => id);

test("words find the texts that have them", async (t) => {
  const index = await opened(t, both);
  assert.equal(index.textField, "title");
  assert.equal(index.hasSparse, true);
  const hits = await index.search("N123 kite", { limit: 5, outputFields: ["title"] });
  assert.equal(hits[0].id, 123);
  assert.equal(hits[0].fields.title, rows[123].title);
  assert.ok(hits[0].distance > hits[1].distance && hits.slice(1).every(({ fields }) => fields.title.includes("kite")));
  // Twice in a text of four words beats once in one of six; equal scores go by row.
  const [first, second] = await index.search(["bird", "cafe"], { limit: 400 });
  assert.equal(first.length, 80);
  assert.deepEqual(idsOf(first.slice(0, 40)), Array.from({ length: 40 }, (_, i) => 10 * i));
  assert.equal(second.length, 80, "é is folded");
  assert.deepEqual(idsOf(await index.search("東京", { limit: 1 })), [8]);
  assert.deepEqual(idsOf(await index.search("bird", { limit: 2, filter: "n > 100", offset: 1 })), [120, 130]);
  assert.deepEqual(await index.search("nothing"), []);
  const batches = [];
  for await (const hits of index.searchIterator("bird", { batchSize: 30 })) batches.push(hits.length);
  assert.deepEqual(batches, [30, 30, 20]);
});

test("sparse vectors are searched by their products", async (t) => {
  for (const file of [both, sparseOnly]) {
    const index = await opened(t, file);
    const query = { indices: [7, 1000], values: [1, 2] };
    const hits = await index.search(query, { limit: 2 });
    assert.deepEqual(idsOf(hits), [387, 367]);
    assert.ok(Math.abs(hits[0].distance - (1.387 + 0.5)) < 1e-6);
    assert.deepEqual(await index.search({ 7: 1, 1000: 2 }, { limit: 2 }), hits);
    assert.deepEqual(idsOf(await index.search({ 7: 1, 1000: 2 }, { limit: 2, dropRatioSearch: 0.5 })), [0, 1]);
  }
  const index = await opened(t, sparseOnly);
  assert.deepEqual([index.metric, index.indexType, index.dimension], ["IP", "SPARSE_INVERTED_INDEX", 0]);
});

test("lists are fused as the definition says", async (t) => {
  const index = await opened(t, both);
  const searches = [{ data: vectors[42] }, { data: "kite n42 n77" }, { data: { 2: 1 }, limit: 20 }];
  const lists = await Promise.all(searches.map(({ data, limit = 30 }) => index.search(data, { limit })));
  const fuse = (score) => {
    const scores = new Map();
    lists.forEach((list, i) => list.forEach((hit, rank) => scores.set(hit.id, (scores.get(hit.id) ?? 0) + score(i, rank, hit.distance))));
    return [...scores].sort(([a, x], [b, y]) => y - x || a - b).slice(0, 10);
  };
  const same = (hits, expected) => {
    hits.forEach(({ distance }, i) => assert.ok(Math.abs(distance - expected[i][1]) < 1e-5, `${i}: ${distance} ${expected[i][1]}`));
    assert.equal(hits[0].id, 42);
  };
  same(await index.hybridSearch(searches), fuse((_, rank) => 1 / (61 + rank)));
  same(await index.hybridSearch(searches, { rerank: { type: "rrf", k: 5 } }), fuse((_, rank) => 1 / (6 + rank)));
  const weights = [0.7, 0.2, 0.1];
  const normalise = [(s) => (1 + s) / 2, (s) => (2 * Math.atan(s)) / Math.PI, (s) => 0.5 + Math.atan(s) / Math.PI];
  same(await index.hybridSearch(searches, { rerank: { type: "weighted", weights } }), fuse((i, _, s) => weights[i] * normalise[i](s)));
  const filtered = await index.hybridSearch(searches, { filter: "n < 100", limit: 3, offset: 1, outputFields: ["n"] });
  assert.equal(filtered.length, 3);
  assert.ok(filtered.every(({ fields }) => fields.n < 100));
});

test("what can't be asked is refused, with its code", async (t) => {
  const [index, only] = [await opened(t, both), await opened(t, sparseOnly)];
  const code = (expected, run) => assert.rejects(run, (error) => error instanceof elanus.ElanusError && error.code === expected);
  await code("INVALID_ARGUMENT", () => only.search("words"));
  await code("INVALID_ARGUMENT", () => only.search(vectors[0]));
  await code("FIELD_NOT_FOUND", () => index.search("words", { field: "gloss" }));
  await code("INVALID_ARGUMENT", () => index.search("words", { ef: 10 }));
  await code("INVALID_ARGUMENT", () => index.search(vectors[0], { field: "title" }));
  await code("INVALID_ARGUMENT", () => index.search("words", { dropRatioSearch: 0.1 }));
  await code("INVALID_ARGUMENT", () => index.search({ 1: 1 }, { dropRatioSearch: 1 }));
  await code("INVALID_ARGUMENT", () => index.search(["words", vectors[0]]));
  for (const bad of [{ 1: -1 }, { a: 1 }, { indices: [1], values: [] }, { indices: [1.5], values: [1] }, { 1: "2" }, { indices: [1, 1], values: [1, 1] }]) {
    await code("INVALID_VECTOR", () => index.search(bad));
  }
  const one = [{ data: "words" }];
  await code("INVALID_ARGUMENT", () => index.hybridSearch([]));
  await code("INVALID_ARGUMENT", () => index.hybridSearch(one, { rerank: { type: "rrf", k: 0 } }));
  await code("INVALID_ARGUMENT", () => index.hybridSearch(one, { rerank: { type: "weighted", weights: [0.5, 0.5] } }));
  await code("INVALID_ARGUMENT", () => index.hybridSearch(one, { rerank: { type: "best" } }));
  await code("INVALID_ARGUMENT", () => index.hybridSearch([{ data: "words", groupByField: "n" }]));
  await code("DIMENSION_MISMATCH", () => index.hybridSearch([{ data: [1, 2] }]));
  await code("INVALID_FILTER", () => index.hybridSearch(one, { filter: "n <" }));
  // A failed hybrid search leaves nothing behind.
  assert.equal((await index.hybridSearch([{ data: "n42" }])).length, 1);
});
