/** What is kept of files that are fetched in ranges: from one visit to the next, offline, between tabs, through damage and kills. */
import assert from "node:assert/strict";
import path from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { killAll, launch, launchKept } from "./support/browser.mjs";
import { buildIndex } from "./support/cli.mjs";
import { clustered } from "./support/data.mjs";
import { behave, serveRanges } from "./support/ranges.mjs";
import { filesOf } from "./support/server.mjs";
import { projectWithPage, temporary } from "./support/tarball.mjs";

const DIMENSION = 32;
const LISTS = ["--index-type", "IVF_RABITQ", "--nlist", "100", "--rerank", "int8", "--calibrate", "0", "--checks"];
const vectors = clustered({ count: 20_000, dimension: DIMENSION, seed: 91 });
const queries = clustered({ count: 40, dimension: DIMENSION, seed: 92 }).map((query) => Array.from(query));
const plan = { limit: 5, nprobe: 6, rerank: 40 };

let folder;
let installed;
let bytes;
let expected;
let browser;
/** Serves the page and the package beside the index. */
let other;

before(async (t) => {
  ({ folder, installed } = projectWithPage(t, "keep"));
  other = filesOf({ "/": folder, "/elanus/": installed });
  bytes = buildIndex(folder, vectors, { args: LISTS });
  const elanus = await import(pathToFileURL(path.join(installed, "index.js")).href);
  const whole = await elanus.open(bytes);
  expected = await Promise.all(queries.map((query) => whole.search(Float32Array.from(query), plan)));
  browser = await launch(t);
});

/** Opens, asks and tells, in a page. */
async function visit({ url, queries, plan, options = {} }) {
  const index = await elanus.open(url, { load: "lazy", network: { retries: 1 }, ...options });
  const answers = [];
  for (const query of queries) answers.push(await index.search(Float32Array.from(query), plan).catch(({ code }) => code));
  const { traffic, loading } = { traffic: await index.traffic(), loading: index.loading };
  // What came last is written while nobody waits.
  await new Promise((resolve) => setTimeout(resolve, 100));
  await index.close();
  return { answers, traffic, loading, storage: await elanus.storage() };
}

async function tab(context, site) {
  const page = await context.newPage();
  await page.goto(`${site.origin}/`);
  await page.waitForFunction(() => globalThis.elanus);
  return page;
}

const ask = (page, site, asked = {}) => page.evaluate(visit, { url: site.url, queries, plan, ...asked });

/** A browser profile of its own, and a host that can be switched off. */
async function begin(t) {
  const host = { isOff: false };
  const site = await serveRanges(t, bytes, { other, misbehave: ({ response }) => host.isOff && (response.destroy(), true) });
  const context = await browser.newContext();
  t.after(() => context.close());
  return { context, site, host };
}

test("the next visit fetches a header, and offline nothing", async (t) => {
  const { context, site, host } = await begin(t);
  const first = await ask(await tab(context, site), site);
  assert.deepEqual(first.answers, expected);
  assert.deepEqual(first.loading, { mode: "lazy", keptIn: "opfs" });
  assert.equal(first.storage.files[0].url, site.url);
  assert.equal(first.storage.files[0].bytes, bytes.length);
  assert.ok(first.storage.keptBytes > 0 && first.storage.keptBytes <= first.traffic.bytes);
  assert.ok(first.storage.quota > 0);
  const second = await ask(await tab(context, site), site);
  assert.deepEqual(second.answers, expected);
  assert.deepEqual([second.traffic.bytes, second.traffic.requests], [128, 1]);
  assert.ok(second.traffic.keptBytes > 0);
  host.isOff = true;
  const offline = await ask(await tab(context, site), site);
  assert.deepEqual(offline.answers, expected);
});

test("what was opened offline goes on when the host is back, and tells a file that has changed", async (t) => {
  const { context, site, host } = await begin(t);
  await ask(await tab(context, site), site, { queries: queries.slice(0, 5) });
  const page = await tab(context, site);
  host.isOff = true;
  const early = await page.evaluate(async ({ url, query, plan }) => {
    globalThis.index = await elanus.open(url, { load: "lazy", network: { retries: 0 } });
    return index.search(Float32Array.from(query), plan);
  }, { url: site.url, query: queries[0], plan });
  assert.deepEqual(early, expected[0]);
  const others = (some) =>
    page.evaluate(async ({ some, plan }) => {
      const answers = [];
      for (const query of some) answers.push(await index.search(Float32Array.from(query), plan).catch(({ code }) => code));
      return answers;
    }, { some, plan });
  assert.ok((await others(queries.slice(5, 20))).includes("FETCH_FAILED"));
  host.isOff = false;
  assert.deepEqual(await others(queries.slice(5, 20)), expected.slice(5, 20));
  site.bytes = buildIndex(folder, vectors.map((vector) => vector.map((x) => -x)), { args: LISTS });
  assert.ok((await others(queries.slice(20))).includes("SOURCE_CHANGED"));
});

test("another file at the same address is another file", async (t) => {
  const { context, site } = await begin(t);
  await ask(await tab(context, site), site);
  site.bytes = buildIndex(folder, vectors.map((vector) => vector.map((x) => -x)), { args: LISTS });
  const { answers, traffic } = await ask(await tab(context, site), site);
  assert.ok(answers.every((hits) => hits.length === 5));
  assert.notDeepEqual(answers, expected);
  assert.ok(traffic.bytes > 256 << 10, "nothing of the other one was taken");
});

test("what is damaged on the disk is fetched again, and never searched", async (t) => {
  const { context, site } = await begin(t);
  await ask(await tab(context, site), site);
  const page = await tab(context, site);
  const damage = async (start, every) => {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("elanus-ranges");
    for await (const folder of root.values()) {
      let handle;
      for await (const file of folder.values()) if (file.name.startsWith(start)) handle = file;
      const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer());
      for (let at = every >> 1; at < bytes.length; at += every) bytes[at] ^= 16;
      const writable = await handle.createWritable();
      await writable.write(bytes);
      await writable.close();
    }
  };
  for (const [name, every] of [["bytes-", 9000], ["bytes-", 50_000], ["entries-", 77]]) {
    await page.evaluate(`(${damage})(${JSON.stringify(name)}, ${every})`);
    const { answers, traffic } = await ask(page, site);
    assert.deepEqual(answers, expected, name);
    assert.ok(traffic.bytes > 128, "something was fetched again");
  }
});

test("two tabs share what one of them writes, and the other goes on when it is closed", async (t) => {
  const { context, site } = await begin(t);
  const [a, b] = [await tab(context, site), await tab(context, site)];
  const keepOpen = async (page, some) =>
    page.evaluate(async ({ url, some, plan }) => {
      globalThis.index ??= await elanus.open(url, { load: "lazy" });
      const answers = [];
      for (const query of some) answers.push(await index.search(Float32Array.from(query), plan));
      await new Promise((resolve) => setTimeout(resolve, 100));
      return { answers, traffic: await index.traffic() };
    }, { url: site.url, some, plan });
  const first = await keepOpen(a, queries.slice(0, 10));
  assert.deepEqual(first.answers, expected.slice(0, 10));
  const second = await keepOpen(b, queries.slice(0, 10));
  assert.deepEqual(second.answers, expected.slice(0, 10));
  assert.equal(second.traffic.bytes, 128, "all else was there");
  await a.close();
  const third = await keepOpen(b, queries.slice(10, 20));
  assert.deepEqual(third.answers, expected.slice(10, 20));
  await b.close();
  const last = await ask(await tab(context, site), site, { queries: queries.slice(0, 20) });
  assert.deepEqual(last.answers, expected.slice(0, 20));
  assert.equal(last.traffic.bytes, 128, "the second tab wrote what the first had not");
});

test("no more is kept than is allowed, and all of it can be forgotten", async (t) => {
  const { context, site } = await begin(t);
  const page = await tab(context, site);
  const most = 400_000;
  for (let round = 0; round < 3; round += 1) {
    const { answers, storage } = await ask(page, site, { options: { keep: { bytes: most } } });
    assert.deepEqual(answers, expected);
    assert.ok(storage.keptBytes <= 1.5 * most, `${storage.keptBytes}`);
  }
  const none = await ask(page, site, { options: { keep: false } });
  assert.deepEqual([none.answers, none.traffic.keptBytes, none.loading.keptIn], [expected, 0, "memory"]);
  const left = await page.evaluate(async (url) => {
    const index = await elanus.open(url, { load: "lazy" });
    await index.evict();
    await index.close();
    return (await elanus.storage()).keptBytes;
  }, site.url);
  assert.equal(left, 0);
});

test("on the page's own thread a database keeps it, and where there is none memory does", async (t) => {
  const { context, site } = await begin(t);
  const page = await tab(context, site);
  const first = await ask(page, site, { options: { thread: "main" } });
  assert.deepEqual([first.answers, first.loading.keptIn], [expected, "indexeddb"]);
  const second = await ask(page, site, { options: { thread: "main" } });
  assert.deepEqual(second.answers, expected);
  assert.ok(second.traffic.bytes < 300_000 && second.traffic.keptBytes > 0, JSON.stringify(second.traffic));
  await page.evaluate(() => Object.defineProperty(globalThis, "indexedDB", { value: undefined }));
  const third = await ask(page, site, { options: { thread: "main" } });
  assert.deepEqual([third.answers, third.loading.keptIn], [expected, "memory"]);
});

test("prefetch brings only what isn't kept, and doesn't trust what is", async (t) => {
  const { context, site } = await begin(t);
  const page = await tab(context, site);
  const bring = ({ url, query, plan }) =>
    (async () => {
      const index = await elanus.open(url, { load: "lazy" });
      await index.prefetch();
      const hits = await index.search(Float32Array.from(query), plan);
      const traffic = await index.traffic();
      await new Promise((resolve) => setTimeout(resolve, 200));
      await index.close();
      return { hits, traffic };
    })();
  const asked = { url: site.url, query: queries[0], plan };
  assert.deepEqual((await page.evaluate(bring, asked)).hits, expected[0]);
  const again = await page.evaluate(bring, asked);
  assert.deepEqual(again.hits, expected[0]);
  assert.equal(again.traffic.bytes, 128);
});

test("a browser that is killed while it keeps ranges answers rightly ever after", async (t) => {
  const kills = Number(process.env.ELANUS_KILLS ?? 3);
  const profile = temporary(t, "keep-killed");
  const site = await serveRanges(t, bytes, { other: filesOf({ "/": folder, "/elanus/": installed }), misbehave: (asked) => (behave(asked), true) });
  let kept = 0;
  for (let kill = 0; kill <= kills; kill += 1) {
    const context = await launchKept(profile);
    const page = await tab(context, site);
    const { answers, traffic } = await ask(page, site, { queries: queries.slice(0, 8) });
    assert.deepEqual(answers, expected.slice(0, 8), `after kill ${kill}`);
    if (kill > 0 && traffic.keptBytes > 0) kept += 1;
    if (kill === kills) {
      await context.close();
      break;
    }
    // Forgets and fetches in turn, with little room, so that it writes all the time.
    await page.evaluate(({ url, queries, plan, most }) => {
      void (async () => {
        for (;;) {
          const index = await elanus.open(url, { load: "lazy", keep: { bytes: most } });
          for (const query of queries) await index.search(Float32Array.from(query), plan);
          if (Math.random() < 0.2) await index.evict();
          await index.close();
        }
      })();
    }, { url: site.url, queries, plan, most: kill % 2 ? 300_000 : 1e9 });
    await new Promise((resolve) => setTimeout(resolve, 200 + Math.random() * 800));
    const closed = new Promise((resolve) => context.once("close", resolve));
    killAll(profile);
    await closed;
  }
  t.diagnostic(`${kills} kills; ${kept} times something was kept`);
});
