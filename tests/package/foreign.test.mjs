/** Files of other libraries through the packed package: in Node, and in Chromium, from a worker and the page's own thread. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { launch, newPage } from "./support/browser.mjs";
import { serve } from "./support/server.mjs";
import { project, root } from "./support/tarball.mjs";

const FIXTURES = path.join(root, "tests/fixtures/foreign");
const LIBRARIES = readdirSync(FIXTURES);
/** Distances that differ by no more than this, relative to the largest, are a tie; answers may differ by the other. */
const TIE = 1e-5;
const TOLERANCE = 1e-4;
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

/** The files of a library, each with its answers. */
function fixtures(library) {
  return readdirSync(path.join(FIXTURES, library))
    .filter((name) => !name.endsWith(".json"))
    .map((name) => {
      // Some ids have more digits than a number: they are compared as what is left of them.
      const told = JSON.parse(readFileSync(path.join(FIXTURES, library, name.replace(/\.\w+$/, ".json")), "utf8"));
      return { name: `${library}/${name}`, ...told };
    });
}

/** Opens a file and asks for all that its answers tell of. Runs in the page, too. */
async function ask({ open, source, hints, searches, thread }) {
  const index = await open(source, { ...hints, ...(thread && { thread }) });
  const { count, dimension, metric } = index;
  const found = [];
  for (const { limit, ef, nprobe, search_k: searchK, k_factor: kFactor, queries } of searches) {
    const hits = await index.search(queries, { limit, ef, nprobe, searchK, kFactor });
    found.push(hits.map((hits) => hits.map(({ id, distance }) => [Number(id), distance])));
  }
  await index.close();
  return { count, dimension, metric, found };
}

/** How many ranks were compared, and those that differ by more than a tie. */
function compare({ name, count, dimension, metric, searches }, answer) {
  assert.deepEqual([answer.count, answer.dimension, answer.metric], [count, dimension, metric], name);
  let ranks = 0;
  const wrong = [];
  for (const [s, { ids, distances }] of searches.entries()) {
    for (const [q, list] of ids.entries()) {
      const expected = list.map((id, rank) => [id, distances[q][rank]]).filter(([id, distance]) => id >= 0 && distance !== null);
      const scale = Math.max(1e-30, ...expected.map(([, distance]) => Math.abs(distance)));
      const found = answer.found[s][q];
      if (found.length !== expected.length) wrong.push(`${name}: ${found.length} hits rather than ${expected.length}`);
      for (const [rank, [id, distance]] of expected.entries()) {
        ranks++;
        const apart = Math.abs((found[rank]?.[1] ?? Infinity) - distance);
        if (apart > TOLERANCE * scale || (found[rank][0] !== id && apart > TIE * scale)) {
          wrong.push(`${name}: ${found[rank]} rather than ${[id, distance]}`);
        }
      }
    }
  }
  return { ranks, wrong };
}

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
    for (const fixture of fixtures(library)) {
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
      for (const fixture of fixtures(library)) {
        const { name, hints, searches } = fixture;
        const answer = await page.evaluate((what) => globalThis.ask({ open: elanus.open, ...what }), { source: `/files/${name}`, hints, searches, thread });
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
