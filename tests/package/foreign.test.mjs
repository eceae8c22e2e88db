/** Files of other libraries through the packed package: in Node, and in Chromium, from a worker and the page's own thread. */
import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { launch, newPage } from "./support/browser.mjs";
import { ask, compare, fixtures } from "./support/foreign.mjs";
import { serve } from "./support/server.mjs";
import { project, root } from "./support/tarball.mjs";

const FIXTURES = path.join(root, "tests/fixtures/foreign");
const LIBRARIES = readdirSync(FIXTURES);
let folder;
let installed;
let site;
let browser;

before(async (t) => {
  ({ folder, installed } = project(t, "foreign"));
  writeFileSync(path.join(folder, "index.html"), '<!doctype html><title>test</title><script type="module" src="/page.js"></script>');
  writeFileSync(path.join(folder, "page.js"), 'import * as elanus from "/elanus/index.js";\nglobalThis.elanus = elanus;\n');
  site = await serve(t, { "/": folder, "/elanus/": installed, "/files/": FIXTURES });
  browser = await launch(t);
});

function judge(t, library, results) {
  const ranks = results.reduce((sum, result) => sum + result.ranks, 0);
  const wrong = results.flatMap((result) => result.wrong);
  t.diagnostic(`${library}: ${results.length} files, ${ranks - wrong.length} of ${ranks} ranks agree`);
  assert.ok(results.length > 0);
  assert.ok(wrong.length * 1000 <= ranks, wrong.slice(0, 3).join("\n"));
}

for (const library of LIBRARIES) {
  test(`${library} in Node`, async (t) => {
    const { open } = await import(pathToFileURL(path.join(installed, "index.js")).href);
    const results = [];
    for (const fixture of fixtures(FIXTURES, library)) {
      results.push(compare(fixture, await ask({ open, source: path.join(FIXTURES, fixture.name), ...fixture })));
    }
    judge(t, library, results);
  });

  for (const thread of ["worker", "main"]) {
    test(`${library} in Chromium, thread ${thread}`, async (t) => {
      const { page, complaints } = await newPage(browser, `${site.origin}/`);
      t.after(() => page.context().close());
      await page.waitForFunction(() => globalThis.elanus);
      await page.addScriptTag({ content: `globalThis.ask = ${ask}` });
      const results = [];
      for (const fixture of fixtures(FIXTURES, library)) {
        const { name, hints, queries, searches } = fixture;
        const answer = await page.evaluate((what) => globalThis.ask({ open: elanus.open, ...what }), { source: `/files/${name}`, hints, queries, searches, thread });
        results.push(compare(fixture, answer));
      }
      judge(t, library, results);
      assert.deepEqual(complaints, []);
    });
  }
}

test("the module for them is fetched only when there is one", async (t) => {
  const { origin, requests } = await serve(t, { "/": folder, "/elanus/": installed, "/files/": FIXTURES });
  const { page } = await newPage(browser, `${origin}/`);
  t.after(() => page.context().close());
  await page.waitForFunction(() => globalThis.elanus);
  const modules = () => requests.filter((address) => address.endsWith("foreign.wasm")).length;
  await page.evaluate(() => elanus.open("/index.html").catch(() => undefined));
  assert.equal(modules(), 0);
  const [name] = readdirSync(path.join(FIXTURES, "hnswlib")).filter((name) => name.endsWith(".bin"));
  await page.evaluate(async (source) => (await elanus.open(source, { metric: "COSINE" })).close(), `/files/hnswlib/${name}`);
  assert.equal(modules(), 1);
});

test("what a file doesn't say, and what it can't do, is told", async () => {
  const { open } = await import(pathToFileURL(path.join(installed, "index.js")).href);
  const fails = (code, pattern, source, options, use = () => undefined) =>
    assert.rejects(
      open(path.join(FIXTURES, source), options).then(use),
      (error) => error.code === code && pattern.test(error.message),
    );
  await fails("INVALID_ARGUMENT", /give L2, IP or COSINE/, "hnswlib/l2.bin", {});
  await fails("INVALID_ARGUMENT", /metric/, "annoy/dot.bin", { format: "Annoy", dimension: 12 });
  await fails("UNSUPPORTED_FORMAT", /./, "annoy/dot.bin", {});
  await fails("DIMENSION_MISMATCH", /12/, "hnswlib/l2.bin", { metric: "L2", dimension: 13 });
  await fails("INVALID_ARGUMENT", /ANGULAR/, "hnswlib/l2.bin", { metric: "cosinus" });
  await fails("INVALID_ARGUMENT", /filter/, "hnswlib/l2.bin", { metric: "l2" }, (index) => index.search(Array(12).fill(0), { filter: "a == 1" }));
  await fails("INVALID_ARGUMENT", /\.elanus/, "hnswlib/l2.bin", { metric: "l2" }, (index) => index.get(1));
  await fails("DIMENSION_MISMATCH", /12/, "hnswlib/l2.bin", { metric: "l2" }, (index) => index.search([1]));
});

test("vectors of rows come back with the library's ids, where the index keeps any", async (t) => {
  const { open } = await import(pathToFileURL(path.join(installed, "index.js")).href);
  for (const [source, options] of [
    ["hnswlib/l2-labels.bin", { metric: "L2" }],
    ["annoy/euclidean.bin", { format: "Annoy", dimension: 12, metric: "euclidean" }],
  ]) {
    const index = await open(path.join(FIXTURES, source), options);
    t.after(() => index.close());
    const { ids, vectors } = await index.vectors([0, 5]);
    for (const [i, id] of ids.entries()) {
      const [first] = await index.search(vectors.subarray(i * index.dimension, (i + 1) * index.dimension), { limit: 1 });
      assert.equal(first.id, id, source);
      assert.ok(first.distance < 1e-6, source);
    }
  }
  const bits = await open(path.join(FIXTURES, "annoy/hamming.bin"), { format: "Annoy", dimension: 53, metric: "hamming" });
  t.after(() => bits.close());
  await assert.rejects(bits.vectors([0]), (error) => error.code === "INVALID_ARGUMENT" && /keeps nothing/.test(error.message));
});

test("an index is saved as an .elanus file with its lists or links, which answers alike, or it is said why not", async (t) => {
  const { open } = await import(pathToFileURL(path.join(installed, "index.js")).href);
  const shown = [];
  for (const [source, options, indexType] of [
    ["faiss/ivf-flat-l2.faiss", {}, "IVF_FLAT"],
    ["faiss/idmap-hnsw.faiss", {}, "HNSW"],
    ["faiss/scalar-sq8.faiss", {}, "FLAT"],
    ["hnswlib/l2-labels.bin", { metric: "L2" }, "HNSW"],
  ]) {
    const [told] = fixtures(FIXTURES, path.dirname(source)).filter(({ name }) => name === source);
    const index = await open(path.join(FIXTURES, source), options);
    t.after(() => index.close());
    const kept = await open(await index.toBytes());
    t.after(() => kept.close());
    assert.deepEqual([kept.format, kept.indexType, kept.count], ["elanus", indexType, index.count], source);
    // As wide as the search can be: then both are exact, however they come to it.
    const wide = { limit: 5, nprobe: 1000, ef: 1000 };
    const ids = (found) => found.map((hits) => hits.map(({ id }) => id));
    assert.deepEqual(ids(await kept.search(told.queries, wide)), ids(await index.search(told.queries, wide)), source);
    shown.push(index.levels ?? index.lists);
  }
  assert.ok(shown[0].count === 5 && shown[0].least <= shown[0].median && shown[0].median <= shown[0].most, JSON.stringify(shown[0]));
  assert.ok(shown[1].length > 1 && shown[1].every((rows, level) => level === 0 || rows <= shown[1][level - 1]), JSON.stringify(shown[1]));
  const trees = await open(path.join(FIXTURES, "annoy/dot.bin"), { format: "Annoy", dimension: 12, metric: "dot" });
  t.after(() => trees.close());
  await assert.rejects(trees.toBlob(), (error) => error.code === "UNSUPPORTED_FORMAT" && /forest of trees/.test(error.message));
});
