/**
 * Held-out queries through the packed package, from a file and over HTTP: each index type reaches the recall that the
 * same file has by the native command, and what a search returns besides rows is right too.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { launch, newPage } from "./support/browser.mjs";
import { buildIndex, searchNatively } from "./support/cli.mjs";
import { clustered, distance, exact } from "./support/data.mjs";
import { serve } from "./support/server.mjs";
import { projectWithPage } from "./support/tarball.mjs";

const COUNT = 3000;
const DIMENSION = 64;
const K = 10;
const all = clustered({ count: COUNT + 50, dimension: DIMENSION, centres: 100, seed: 51 });
const vectors = all.slice(0, COUNT);
const queries = all.slice(COUNT);
const BIG = 9_007_199_254_740_993n;
/** As lines of JSON, since JSON.stringify has no way to write a 64-bit integer. */
const rows = vectors.map((_, row) => `{"id":"row ${row}","part":"${["noun", "verb", "adjective"][row % 3]}","n":${row},"big":${BIG + BigInt(row)},"text":"\\"s1234567890123456789"}`);
const card = { model: { name: "m", revision: "1", fingerprint: "", dimension: DIMENSION, normalised: false } };

const KINDS = {
  FLAT: { args: [], least: 1 },
  SCAN_RABITQ: { args: ["--rerank", "int8,f32"], least: 0.99 },
  HNSW: { args: ["--rerank", "int8,f32", "--ef-construction", "100"], least: 0.97, options: { ef: 100 } },
};
let folder;
let installed;
let browser;
const files = {};

before(async (t) => {
  ({ folder, installed } = projectWithPage(t, "recall"));
  writeFileSync(path.join(folder, "main.mjs"), 'export * from "elanus";');
  for (const metric of ["COSINE", "IP", "L2"]) {
    for (const [type, { args }] of Object.entries(KINDS)) {
      const name = `${type}-${metric}.elanus`;
      files[name] = buildIndex(folder, vectors, { rows, card, args: ["--id-field", "id", "--index-type", type, "--metric", metric, ...args] });
      writeFileSync(path.join(folder, name), files[name]);
    }
  }
  browser = await launch(t);
});

/** The share of the k nearest that was found; a row as near as the k-th counts, whichever it is. */
function recall(metric, found) {
  const sign = metric === "L2" ? 1 : -1;
  let right = 0;
  found.forEach((list, i) => {
    const kth = sign * exact(metric, vectors, queries[i], K).at(-1).distance;
    right += list.filter((row) => sign * distance(metric, vectors[row], queries[i]) <= kth + 1e-6 * Math.abs(kth)).length;
  });
  return right / (K * found.length);
}

for (const [type, { least, options = {} }] of Object.entries(KINDS)) {
  test(`${type} finds what is near, for every metric, from HTTP and from a File`, async (t) => {
    const { origin } = await serve(t, { "/": folder, "/elanus/": installed });
    const { page, complaints } = await newPage(browser, `${origin}/`);
    t.after(() => page.context().close());
    await page.waitForFunction(() => globalThis.elanus);
    for (const metric of ["COSINE", "IP", "L2"]) {
      const result = await page.evaluate(
        async ({ address, queries, options }) => {
          const vectors = queries.map((query) => new Float32Array(query));
          const fromNetwork = await elanus.open(address);
          const blob = await (await fetch(address)).blob();
          const fromFile = await elanus.open(new File([blob], "index.elanus"), { thread: "main" });
          const answers = [];
          for (const index of [fromNetwork, fromFile]) {
            const singly = [];
            for (const vector of vectors) singly.push(await index.search(vector, options));
            answers.push(singly, await index.search(vectors, options));
            await index.close();
          }
          return answers.map((lists) => lists.map((hits) => hits.map(({ row, distance }) => [row, distance])));
        },
        { address: `/${type}-${metric}.elanus`, queries: queries.map((query) => Array.from(query)), options: { limit: K, ...options } },
      );
      const [first, ...others] = result;
      for (const other of others) assert.deepEqual(other, first, "one at a time, all at once, worker and main thread agree");
      const reached = recall(metric, first.map((hits) => hits.map(([row]) => row)));
      t.diagnostic(`${type} ${metric}: recall@${K} ${reached.toFixed(4)}`);
      assert.ok(reached >= least, `${metric}: ${reached}`);
      first.forEach((hits, i) =>
        hits.forEach(([row, found]) => {
          const truth = distance(metric, vectors[row], queries[i]);
          assert.ok(Math.abs(found - truth) <= 1e-4 * Math.abs(truth) + 1e-5, `${metric}: ${found} for ${truth}`);
        }),
      );
    }
    assert.deepEqual(complaints, []);
  });
}

test("filters, fields, keys and exact search through a worker", async (t) => {
  const { origin } = await serve(t, { "/": folder, "/elanus/": installed });
  const { page, complaints } = await newPage(browser, `${origin}/`);
  t.after(() => page.context().close());
  await page.waitForFunction(() => globalThis.elanus);
  const query = queries[0];
  for (const type of Object.keys(KINDS)) {
    const answers = await page.evaluate(
      async ({ address, query, card }) => {
        const index = await elanus.open(address, { model: card.model });
        const verbs = await index.search(query, { limit: 20, filter: 'part == "verb" and n < 1500', outputFields: ["part", "big", "text"], model: card.model });
        const few = await index.search(query, { limit: 20, filter: "n in [7, 70, 700]", exact: true, outputFields: ["*"] });
        const exact = await index.search(query, { limit: 50, exact: true });
        const found = await index.get(["row 5", "row 3000", "row 17"], { outputFields: ["n"] });
        const plain = await index.get("row 5");
        const { fields, count, card: own } = index;
        await index.close();
        return { verbs, few, exact, found, plain, fields, count, own };
      },
      { address: `/${type}-COSINE.elanus`, query: Array.from(query), card },
    );
    const nearest = exact("COSINE", vectors, query, COUNT);
    const expect = (test, limit) => nearest.filter(({ row }) => test(row)).slice(0, limit).map(({ row }) => row);
    assert.deepEqual(answers.verbs.map(({ row }) => row), expect((row) => row % 3 === 1 && row < 1500, 20), type);
    for (const { row, id, fields } of answers.verbs) {
      assert.equal(id, `row ${row}`);
      assert.deepEqual(fields, { part: "verb", big: BIG + BigInt(row), text: '"s1234567890123456789' });
    }
    assert.deepEqual(answers.few.map(({ row }) => row), expect((row) => [7, 70, 700].includes(row), 20), type);
    assert.deepEqual(Object.keys(answers.few[0].fields).sort(), ["big", "n", "part", "text"]);
    assert.deepEqual(answers.exact.map(({ row }) => row), nearest.slice(0, 50).map(({ row }) => row), type);
    assert.deepEqual(answers.found, [
      { id: "row 5", row: 5, fields: { n: 5 } },
      { id: "row 17", row: 17, fields: { n: 17 } },
    ]);
    assert.equal(answers.plain[0].fields.big, BIG + 5n);
    assert.deepEqual(answers.fields.map(({ name }) => name).sort(), ["big", "n", "part", "text"]);
    assert.equal(answers.count, COUNT);
    assert.deepEqual(answers.own.model, card.model);
  }
  assert.deepEqual(complaints, []);
});

test("Node, Chromium and the native command agree on one file", async (t) => {
  const { open } = await import(pathToFileURL(path.join(folder, "main.mjs")));
  const name = "SCAN_RABITQ-COSINE.elanus";
  const index = await open(path.join(folder, name));
  const pairs = (lists) => lists.map((hits) => hits.map(({ row, distance }) => [row, distance]));
  const answersInNode = pairs(await index.search(queries, { limit: K }));
  await index.close();
  const inNode = answersInNode.map((hits) => hits.map(([row]) => row));

  assert.deepEqual(pairs(searchNatively(path.join(folder, name), queries, K)), answersInNode);

  const { origin } = await serve(t, { "/": folder, "/elanus/": installed });
  const { page } = await newPage(browser, `${origin}/`);
  t.after(() => page.context().close());
  await page.waitForFunction(() => globalThis.elanus);
  const inChromium = await page.evaluate(
    async ({ name, queries, limit }) => {
      const index = await elanus.open(`/${name}`);
      const lists = await index.search(queries, { limit });
      return lists.map((hits) => hits.map(({ row }) => row));
    },
    { name, queries: queries.map((query) => Array.from(query)), limit: K },
  );
  assert.deepEqual(inChromium, inNode);
  assert.ok(recall("COSINE", inNode) >= KINDS.SCAN_RABITQ.least);
});
