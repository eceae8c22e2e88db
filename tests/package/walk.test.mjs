/**
 * The life of a search, from the packed package and the command: a release is promoted, a worse one is refused, a better one is
 * promoted while a page goes on searching, and taken back when there is no network; the log tells of it.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { launch, newPage } from "./support/browser.mjs";
import { buildIndex, cli, joined, searchNatively } from "./support/cli.mjs";
import { clustered } from "./support/data.mjs";
import { attempt, openLive, registry, told } from "./support/registry.mjs";
import { serve } from "./support/server.mjs";
import { projectWithPage } from "./support/tarball.mjs";

const DIMENSION = 64;
// One draw, so that queries are near rows.
const drawn = clustered({ count: 4100, dimension: DIMENSION, seed: 1 });
const [rows, queries] = [drawn.slice(0, 4000), drawn.slice(4000)];
let folder;
let installed;
let browser;

before(async (t) => {
  ({ folder, installed } = projectWithPage(t, "walk"));
  writeFileSync(path.join(folder, "vectors.f32"), joined(rows));
  writeFileSync(path.join(folder, "queries.f32"), joined(queries));
  browser = await launch(t);
});

test("from a first release to a better one and back", async (t) => {
  const at = path.join(folder, "registry");
  const inFolder = (name) => path.join(folder, name);
  /** Builds, adds and evaluates a release; says what it finds for each query. */
  const release = (name, ...args) => {
    buildIndex(folder, rows, { args });
    registry(at, "add", inFolder("out.elanus"), "--name", name);
    registry(at, "evaluate", name, inFolder("queries.f32"), "--vectors", inFolder("vectors.f32"));
    return searchNatively(inFolder("out.elanus"), queries, 10).map((hits) => hits.map(({ row }) => row).join());
  };
  const promote = (name, reason) => spawnSync(cli, ["registry", "--registry", at, "promote", name, "--reason", reason], { encoding: "utf8" });

  registry(at, "init");
  writeFileSync(path.join(at, "policy.json"), JSON.stringify({ schema_version: 1, minimum: { "knn_recall@10": 0.9 }, max_regression: { "knn_recall@10": 0.005 }, max_bytes: 5e6 }));
  const first = release("r1", "--rerank", "int8");
  const begun = promote("r1", "the first one");
  assert.equal(begun.status, 0, begun.stderr);

  // A page that searches all the while, three at a time, and never reloads.
  const site = { down: false };
  const { origin } = await serve(t, { "/": folder, "/elanus/": installed, "/registry/": at }, {
    handle: (request, response) => site.down && request.url.startsWith("/registry/") && Boolean(response.writeHead(503).end()),
  });
  const { page, complaints } = await newPage(browser, `${origin}/`);
  t.after(() => page.context().close());
  await page.waitForFunction(() => globalThis.elanus);
  assert.equal(await page.evaluate(openLive, { checkEvery: 1 }), "r1");
  await page.evaluate((queries) => {
    globalThis.seen = [];
    globalThis.asking = true;
    const loop = async () => {
      for (let i = 0; asking; i = (i + 1) % queries.length) {
        const answer = await live.search(queries[i]).then((hits) => hits.map(({ row }) => row).join(), (error) => `failed: ${error}`);
        seen.push([i, answer]);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    };
    globalThis.loops = [loop(), loop(), loop()];
  }, queries.map((query) => Array.from(query)));
  const searched = (release) => page.waitForFunction((name) => live.release === name, release, { timeout: 20_000 });

  // A worse one: codes of one bit and no rows to compare with.
  const second = release("r2", "--rerank", "none");
  const refused = promote("r2", "it is small");
  assert.equal(refused.status, 1);
  const numbers = /knn_recall@10 not worse than the champion's by more than 0\.0050: (0\.\d+), the champion (0\.\d+) .*missed by (0\.\d+)/.exec(refused.stderr);
  assert.ok(numbers, refused.stderr);
  const [found, champion, missed] = numbers.slice(1).map(Number);
  assert.ok(found < 0.6 && champion > 0.97 && Math.abs(champion - found - 0.005 - missed) < 2e-4, refused.stderr);
  assert.match(refused.stderr, /GATE_REFUSED/);
  await page.waitForTimeout(1500);
  assert.equal(await page.evaluate(() => live.release), "r1");

  // A better one: rows as they are.
  const third = release("r3", "--rerank", "f32");
  const taken = promote("r3", "it finds what rounding lost");
  assert.equal(taken.status, 0, taken.stderr);
  await searched("r3");
  await page.waitForTimeout(300);

  // Something is wrong with it, and there is no network: the page goes back by itself, and stays there.
  site.down = true;
  assert.equal(await attempt(page, "rollback"), "r1");
  await page.waitForTimeout(1500);
  site.down = false;
  registry(at, "rollback", "--reason", "visitors miss names");
  await page.waitForTimeout(1500);
  assert.equal(await page.evaluate(() => live.release), "r1");
  const seen = await page.evaluate(async () => {
    asking = false;
    await Promise.all(loops);
    await live.close();
    return seen;
  });

  const expected = [first, third];
  assert.deepEqual(seen.filter(([, answer]) => answer.startsWith("failed")), [], "no query failed");
  assert.ok(seen.every(([i, answer]) => expected.some((release) => release[i] === answer)), "each was answered by the one or the other");
  const only = (release, other) => seen.filter(([i, answer]) => answer === release[i] && answer !== other[i]).length;
  assert.ok(only(first, third) > 0 && only(third, first) > 0, "and both answered");
  assert.equal(only(second, first), 0, "what was refused never did");
  t.diagnostic(`${seen.length} queries, none failed; ${refused.stderr.trim().split("\n").at(-1).trim()}`);
  const events = await told(page);
  const changes = events.filter((event) => /^(ready|swapped|refused)/.test(event));
  assert.deepEqual(changes, ["ready r1", "swapped r3", "swapped r1"]);
  assert.deepEqual(complaints.filter((text) => !text.includes("503")), []);

  // The log tells the story, and nobody has changed it.
  const log = JSON.parse(registry(at, "log"));
  const story = log.filter(({ action }) => ["promote", "rollback"].includes(action)).map(({ action, release, before, reason }) => [action, before, release, reason]);
  assert.deepEqual(story, [
    ["promote", undefined, "r1", "the first one"],
    ["promote", "r1", "r3", "it finds what rounding lost"],
    ["rollback", "r3", "r1", "visitors miss names"],
  ]);
  assert.deepEqual(log.filter(({ action }) => action === "add").map(({ release }) => release), ["r1", "r2", "r3"]);
  registry(at, "verify");
});
