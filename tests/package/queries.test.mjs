/** What a query may ask, through the packed package: in Node, and behind a worker in Chromium. */
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

const COUNT = 1200;
const DIMENSION = 32;
const METRICS = ["COSINE", "IP", "L2"];
const [query, ...vectors] = clustered({ count: COUNT + 1, dimension: DIMENSION, seed: 91 });
const parts = ["noun", "verb", "adjective"];
const rows = vectors.map((_, row) => ({ part: parts[row % 3], n: row, half: row / 2 + 0.25 }));
const files = {};
let folder;
let installed;
let elanus;

before(async (t) => {
  ({ folder, installed } = projectWithPage(t, "queries"));
  writeFileSync(path.join(folder, "main.mjs"), 'export * from "elanus";');
  for (const metric of METRICS) {
    files[metric] = buildIndex(folder, vectors, { rows, args: ["--metric", metric, "--rerank", "int8,f32"] });
    writeFileSync(path.join(folder, `${metric}.elanus`), files[metric]);
  }
  elanus = await import(pathToFileURL(path.join(folder, "main.mjs")));
});

async function opened(t, metric) {
  const index = await elanus.open(files[metric]);
  t.after(() => index.close());
  return index;
}

const rowsOf = (hits) => hits.map(({ row }) => row);

test("a ring holds what lies in it, for every metric", async (t) => {
  for (const metric of METRICS) {
    const index = await opened(t, metric);
    const all = exact(metric, vectors, query, COUNT);
    const edge = (rank) => (all[rank - 1].distance + all[rank].distance) / 2;
    const ring = { radius: edge(60), rangeFilter: edge(20), limit: 100, exact: true };
    assert.deepEqual(rowsOf(await index.search(query, ring)), rowsOf(all.slice(20, 60)), metric);
    const approximate = rowsOf(await index.search(query, { ...ring, exact: false }));
    assert.ok(approximate.length >= 38 && approximate.every((row) => rowsOf(all.slice(20, 60)).includes(row)), metric);
    const part = await index.search(query, { radius: edge(60), exact: true, limit: 30, offset: 40, filter: "n >= 0" });
    assert.deepEqual(rowsOf(part), rowsOf(all.slice(40, 60)), metric);
  }
});

test("groups come in the order of their nearest", async (t) => {
  const index = await opened(t, "L2");
  const all = exact("L2", vectors, query, COUNT);
  const nearest = (part, count) => all.filter(({ row }) => rows[row].part === part).slice(0, count);
  const order = [...new Set(all.map(({ row }) => rows[row].part))];
  const options = { groupByField: "part", exact: true, outputFields: ["part"] };
  const one = await index.search(query, { ...options, limit: 2 });
  assert.deepEqual(rowsOf(one), [...nearest(order[0], 1), ...nearest(order[1], 1)].map(({ row }) => row));
  assert.deepEqual(one.map(({ fields }) => fields.part), order.slice(0, 2));
  const strict = await index.search(query, { ...options, limit: 1, offset: 1, groupSize: 300, strictGroupSize: true });
  assert.deepEqual(rowsOf(strict), rowsOf(nearest(order[1], 300)));
});

test("an iteration comes to every row once, whatever the size of its batches", async (t) => {
  const index = await opened(t, "COSINE");
  const all = exact("COSINE", vectors, query, COUNT);
  for (const [options, expected] of [
    [{ batchSize: 100, exact: true }, all],
    [{ batchSize: 7, limit: 50, exact: true }, all.slice(0, 50)],
    [{ exact: true, filter: 'part == "verb"' }, all.filter(({ row }) => rows[row].part === "verb")],
  ]) {
    const found = [];
    for await (const hits of index.searchIterator(query, options)) {
      assert.ok(hits.length > 0 && hits.length <= (options.batchSize ?? 1000));
      found.push(...hits);
    }
    assert.deepEqual(rowsOf(found), rowsOf(expected));
  }
  const found = [];
  for await (const hits of index.searchIterator(query, { batchSize: 11, outputFields: ["n"] })) found.push(...hits);
  assert.equal(new Set(rowsOf(found)).size, COUNT, "each row once without exact, too");
  assert.equal(found.length, COUNT);
  assert.ok(found.every(({ row, fields }) => fields.n === row));

  // Two at once, and searches between them.
  const [one, two] = [1, 2].map(() => index.searchIterator(query, { batchSize: 5, exact: true }));
  const first = (await one.next()).value;
  await index.search(vectors[7], { limit: 3 });
  assert.deepEqual((await two.next()).value, first);
  assert.deepEqual(rowsOf((await one.next()).value), rowsOf(all.slice(5, 10)));
  await one.return();
  assert.deepEqual(await one.next(), { done: true, value: undefined });
  assert.deepEqual(rowsOf((await two.next()).value), rowsOf(all.slice(5, 10)));
});

test("wishes that make no sense are refused, with what to do", async (t) => {
  const index = await opened(t, "COSINE");
  const l2 = await opened(t, "L2");
  const fails = (text, code = "INVALID_ARGUMENT") => (error) => error.code === code && text.test(error.message);
  for (const [options, text] of [
    [{ offset: -1 }, /offset must be a whole number from 0/],
    [{ offset: 16_000, limit: 385 }, /more than 16384 together; searchIterator/],
    [{ radius: "0.5" }, /radius must be a finite number/],
    [{ radius: 1e39 }, /radius must be a finite number/],
    [{ rangeFilter: 0.5 }, /needs radius/],
    [{ radius: 0.5, rangeFilter: 0.5 }, /must be greater than radius/],
    [{ radius: 0.5, rerank: 5 }, /leave out rerank/],
    [{ groupSize: 2 }, /give groupByField/],
    [{ strictGroupSize: false }, /give groupByField/],
    [{ groupByField: 7 }, /name of a field/],
    [{ groupByField: "half" }, /Double/],
    [{ groupByField: "part", groupSize: 1639 }, /groupSize must be a whole number from 1 to 1638/],
  ]) {
    await assert.rejects(index.search(query, options), fails(text), JSON.stringify(options));
  }
  await assert.rejects(l2.search(query, { radius: 1, rangeFilter: 2 }), fails(/must be less than radius/));
  await assert.rejects(index.search(query, { groupByField: "prt" }), fails(/did you mean "part"/, "FIELD_NOT_FOUND"));
  for (const [options, text] of [
    [{ offset: 1 }, /searchIterator has no option "offset"/],
    [{ groupByField: "part" }, /has no option "groupByField"/],
    [{ batchSize: 0 }, /batchSize must be/],
    [{ limit: 0 }, /limit must be/],
  ]) {
    await assert.rejects(index.searchIterator(query, options).next(), fails(text), JSON.stringify(options));
  }
  const reason = new Error("enough");
  const iteration = index.searchIterator(query, { batchSize: 5, signal: AbortSignal.abort(reason) });
  await assert.rejects(iteration.next(), reason);
  const left = index.searchIterator(query, { batchSize: 5 });
  await left.next();
  await index.close();
  await assert.rejects(left.next(), { code: "CLOSED" });
});

test("a worker gives the same as the calling thread", async (t) => {
  const browser = await launch(t);
  const { origin } = await serve(t, { "/": folder, "/elanus/": installed });
  const { page, complaints } = await newPage(browser, `${origin}/`);
  await page.waitForFunction(() => globalThis.elanus);
  const [worker, main] = await page.evaluate(async (query) => {
    const answers = [];
    for (const thread of ["worker", "main"]) {
      const index = await elanus.open("/COSINE.elanus", { thread });
      const batches = [];
      for await (const hits of index.searchIterator(query, { batchSize: 250, outputFields: ["part"] })) batches.push(hits);
      const left = [];
      for await (const hits of index.searchIterator(query, { batchSize: 3 })) {
        left.push(hits);
        if (left.length === 4) break;
      }
      const stop = new AbortController();
      const stopped = index.searchIterator(query, { batchSize: 3, signal: stop.signal });
      await stopped.next();
      stop.abort("enough");
      const reason = await stopped.next().catch((error) => error);
      const groups = await index.search(query, { groupByField: "part", groupSize: 4, strictGroupSize: true, offset: 1 });
      const ring = await index.search([query, query], { radius: 0.1, rangeFilter: 0.7, limit: 50, offset: 3 });
      answers.push({ batches, left, reason, groups, ring });
      await index.close();
    }
    return answers;
  }, Array.from(query));
  assert.deepEqual(worker, main);
  assert.deepEqual(worker.batches.map((batch) => batch.length), [250, 250, 250, 250, 200]);
  assert.equal(worker.reason, "enough");
  assert.equal(worker.groups.length, 8);
  assert.deepEqual(worker.ring[0], worker.ring[1]);
  assert.deepEqual(complaints, []);
});
