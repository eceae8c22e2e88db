/** Live queries in Chromium beside the sketch that the command makes of a release's reference queries. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { launch } from "./support/browser.mjs";
import { buildIndex, joined } from "./support/cli.mjs";
import { clustered } from "./support/data.mjs";
import { openLive, registry, visit } from "./support/registry.mjs";
import { projectWithPage } from "./support/tarball.mjs";

const DIMENSION = 32;
// One draw, so that all of it is of one domain.
const drawn = clustered({ count: 5400, dimension: DIMENSION, seed: 6 });
const [rows, reference, held] = [drawn.slice(0, 3000), drawn.slice(3000, 4400), drawn.slice(4400)];
let project;
let browser;

before(async (t) => {
  project = projectWithPage(t, "watched");
  const { folder } = project;
  const at = path.join(folder, "registry");
  registry(at, "init");
  buildIndex(folder, rows);
  registry(at, "add", path.join(folder, "out.elanus"), "--name", "r1", "--alias", "champion");
  writeFileSync(path.join(folder, "queries.f32"), joined(reference));
  registry(at, "evaluate", "r1", path.join(folder, "queries.f32"));
  browser = await launch(t);
});

/** Asks them all, in order, and says how watching stands. */
async function watch(page, queries) {
  assert.equal(await page.evaluate(openLive, { watch: true }), "r1");
  return page.evaluate(async (queries) => {
    // What is asked before the sketch has come isn't seen.
    await live.search(queries[0]);
    for (let i = 0; i < 6000 && !live.watching; i++) await new Promise((resolve) => setTimeout(resolve, 5));
    for (const query of queries) await live.search(query);
    // They are looked at when the page is idle, which a busy machine seldom lets it be.
    for (let i = 0; i < 6000 && live.watching.windows < queries.length / 100; i++) await new Promise((resolve) => setTimeout(resolve, 5));
    const drifts = all.filter(({ type }) => type === "drift");
    return { state: live.watching, drifts };
  }, queries.map((query) => Array.from(query)));
}

test("queries like the reference ring no alarm", async (t) => {
  const { page, requests } = await visit(t, browser, project);
  const { state, drifts } = await watch(page, held);
  assert.equal(state.windows, 10);
  // Ten windows at half a percent each: one alarm is bad luck, two are a fault.
  assert.ok(drifts.length <= 1 && state.alarms === drifts.length, JSON.stringify(drifts));
  assert.equal(state.last.reference, "queries");
  assert.ok(requests.every((address) => !address.includes("?")), "no query leaves the page");
});

test("queries of another domain, and of another model, ring within 200", async (t) => {
  const { page } = await visit(t, browser, project);
  const domain = clustered({ count: 200, dimension: DIMENSION, seed: 99 });
  // Another model: the same texts, their numbers in another order.
  const model = held.slice(0, 200).map((vector) => vector.map((_, i) => vector[(7 * i + 3) % DIMENSION]));
  for (const [what, queries] of Object.entries({ domain, model })) {
    const { state, drifts } = await watch(page, queries);
    assert.equal(state.windows, 2, what);
    assert.ok(drifts.length >= 1 && drifts[0].release === "r1", `another ${what}: ${JSON.stringify(state.last)}`);
    assert.ok(drifts[0].rang.every((name) => drifts[0].checks[name].p < 0.0011), JSON.stringify(drifts[0]));
    await page.evaluate(() => live.close());
  }
});

test("a sketch that was changed is not used, and the release answers all the same", async (t) => {
  const { page, own } = await visit(t, browser, project);
  const { path: file } = JSON.parse(registry(own, "show", "r1")).files.find(({ role }) => role === "sketch");
  writeFileSync(path.join(own, file), readFileSync(path.join(own, file), "utf8").replace('"seed"', '"seeD"'));
  assert.equal(await page.evaluate(openLive, { watch: true }), "r1");
  const told = await page.evaluate(async (query) => {
    const hits = await live.search(query);
    for (let i = 0; i < 400 && !all.some(({ type }) => type === "unwatched"); i++) await new Promise((resolve) => setTimeout(resolve, 5));
    return [hits.length, all.at(-1).type, all.at(-1).error.code, live.watching];
  }, Array.from(held[0]));
  assert.deepEqual(told, [10, "unwatched", "CORRUPT_REGISTRY", undefined]);
});
