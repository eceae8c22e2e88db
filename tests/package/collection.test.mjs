/** Collections of the packed package: in memory in Node, and on the disk in Chromium, through reloads, kills and a full disk. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { before, test } from "node:test";
import { killAll, launch, launchKept, newPage } from "./support/browser.mjs";
import { serve } from "./support/server.mjs";
import { project, temporary } from "./support/tarball.mjs";

let elanus;
let browser;
let site;

before(async (t) => {
  const { folder, installed } = project(t, "collection");
  writeFileSync(path.join(folder, "index.html"), '<!doctype html><title>test</title><script type="module" src="/page.js"></script>');
  writeFileSync(path.join(folder, "page.js"), 'import * as elanus from "/elanus/index.js";\nglobalThis.elanus = elanus;\n');
  site = await serve(t, { "/": folder, "/elanus/": installed });
  browser = await launch(t);
  elanus = await import(pathToFileURL(path.join(installed, "index.js")));
});

/** A page of a context, with the package imported. */
async function visit(context) {
  const page = await context.newPage();
  await page.goto(`${site.origin}/`);
  await page.waitForFunction(() => globalThis.elanus);
  return page;
}

const code = (promise) => promise.then(() => "no error", (error) => error.code ?? String(error));

test("entities go in, are found, replaced and taken out, in memory", async () => {
  const db = await elanus.connect("memory:");
  const notes = await db.createCollection({
    name: "notes",
    metric: "L2",
    enableDynamicField: true,
    fields: [
      { name: "id", dataType: "Int64", isPrimary: true },
      { name: "v", dataType: "FloatVector", dimension: 2 },
      { name: "year", dataType: "Int32", nullable: true },
      { name: "kind", dataType: "VarChar", maxLength: 10, defaultValue: "note" },
      { name: "big", dataType: "Int64", defaultValue: 0 },
    ],
  });
  const far = 2n ** 60n + 1n;
  const inserted = await notes.insert([
    { id: 1, v: [0, 0], year: 1990, tags: ["a", "b"] },
    { id: 2, v: new Float32Array([1, 0]), kind: "list", big: far },
    { id: String(far), v: [0, 3], year: 2020, kind: null },
  ]);
  assert.deepEqual(inserted, { insertCount: 3, insertIds: [1, 2, far] });
  assert.equal(await code(notes.insert({ id: 1, v: [5, 5] })), "INVALID_INPUT");
  assert.equal(await code(notes.insert([{ id: 7, v: [5, 5] }, { id: 8, v: [5] }])), "DIMENSION_MISMATCH");
  assert.equal(await code(notes.insert([{ id: 7, v: [5, 5] }, { id: 8, v: [5, NaN] }])), "INVALID_INPUT");
  assert.equal(await code(notes.insert({ id: 7, v: [5, 5], kind: "much too long" })), "INVALID_INPUT");
  assert.equal(await notes.count(), 3, "what was refused left nothing behind");

  assert.deepEqual(await notes.search([0.9, 0], { limit: 2, outputFields: ["kind", "tags"] }), [
    { id: 2, distance: Math.fround(Math.fround(0.9) - 1) ** 2, fields: { kind: "list" } },
    { id: 1, distance: Math.fround(Math.fround(0.9) ** 2), fields: { kind: "note", tags: ["a", "b"] } },
  ].map((hit) => ({ ...hit, distance: Math.fround(hit.distance) })));
  assert.deepEqual((await notes.search([0, 0], { filter: "year > 2000" })).map(({ id }) => id), [far]);
  assert.deepEqual((await notes.search([0, 0], { radius: 2 })).map(({ id }) => id), [1, 2]);
  assert.deepEqual(await notes.query({ filter: "year is null", outputFields: ["id", "big", "year"] }), [{ id: 2, big: far, year: null }]);
  assert.deepEqual(await notes.get([far, 404, 1], { outputFields: ["id", "v"] }), [
    { id: far, v: new Float32Array([0, 3]) },
    { id: 1, v: new Float32Array([0, 0]) },
  ]);
  assert.deepEqual(await notes.query({ filter: "yaer > 1" }), [], "a dynamic field that no entity has");
  assert.equal(await code(notes.query({ filter: "year > " })), "INVALID_FILTER");
  assert.equal(await code(notes.query({})), "INVALID_ARGUMENT");

  assert.deepEqual(await notes.upsert([{ id: 1, v: [9, 9], kind: "new" }]), { upsertCount: 1, upsertIds: [1] });
  assert.deepEqual(await notes.query({ filter: 'kind == "new"' }), [{ id: 1, v: new Float32Array([9, 9]), year: null, kind: "new", big: 0 }]);
  assert.deepEqual(await notes.delete({ filter: "id in [2, 404]" }), { deleteCount: 1 });
  assert.deepEqual(await notes.delete({ ids: [2, far] }), { deleteCount: 1 });
  await notes.compact();
  assert.deepEqual((await notes.stats()).segments, [{ rows: 1, deleted: 0 }]);
  assert.deepEqual((await notes.search([0, 0])).map(({ id }) => id), [1]);
  await db.close();
  assert.equal(await code(notes.count()), "CLOSED");
});

test("JSON, Array and dynamic fields are kept whole and found by path", async () => {
  const db = await elanus.connect("memory:");
  const far = 2n ** 60n + 1n;
  const papers = await db.createCollection({
    name: "papers",
    metric: "L2",
    enableDynamicField: true,
    fields: [
      { name: "id", dataType: "Int64", isPrimary: true },
      { name: "v", dataType: "FloatVector", dimension: 1 },
      { name: "meta", dataType: "JSON" },
      { name: "tags", dataType: "Array", elementType: "VarChar", maxLength: 5, maxCapacity: 3, nullable: true },
      { name: "n", dataType: "Int8" },
    ],
  });
  const rows = [
    { id: 1, v: [1], meta: { author: { name: "Ada" }, ids: [1, far] }, tags: ["a", "b"], n: 7, color: "red" },
    { id: 2, v: [2], meta: { author: { name: "Bob" }, ids: [] }, tags: [], n: -8, color: null },
    { id: 3, v: [3], meta: { author: null, q: 'a "quote"' }, n: 0 },
  ];
  await papers.insert(rows);
  for (const wrong of [{ meta: undefined }, { tags: ["a", "b", "c", "d"] }, { tags: ["much too long"] }, { tags: [1] }, { tags: "a" }, { n: 128 }]) {
    assert.equal(await code(papers.insert({ ...rows[0], id: 9, ...wrong })), "INVALID_INPUT", JSON.stringify(wrong));
  }
  const ids = async (filter, exprParams) => (await papers.query({ filter, exprParams, outputFields: ["id"] })).map(({ id }) => id);
  for (const sealed of [false, true]) {
    assert.deepEqual(await ids('meta["author"]["name"] == "Ada"'), [1]);
    assert.deepEqual(await ids('array_contains(tags, "b") or n % 2 == 0 and n < 0'), [1, 2]);
    assert.deepEqual(await ids('json_contains(meta["ids"], {big})', { big: far }), [1]);
    assert.deepEqual(await ids("color in {colors} or id == {id}", { colors: ["red", "blue"], id: 3 }), [1, 3]);
    assert.deepEqual(await ids("exists color and array_length(tags) < 1"), [2]);
    assert.deepEqual(await ids("tags is null"), [3]);
    assert.equal(await papers.count("n > {n}", { n: -1 }), 2);
    assert.deepEqual((await papers.search([0], { filter: 'color != "red"', limit: 1 })).map(({ id }) => id), [2]);
    assert.deepEqual(await papers.get([1, 3], { outputFields: ["meta", "tags"] }), [
      { meta: rows[0].meta, tags: ["a", "b"] },
      { meta: rows[2].meta, tags: null },
    ]);
    assert.equal(await code(ids("n == {missing}", {})), "INVALID_FILTER");
    assert.equal(await code(ids('array_contains(tags, 1)')), "INVALID_FILTER");
    if (!sealed) await papers.compact();
  }
  assert.deepEqual(await papers.delete({ filter: "id in {gone}", exprParams: { gone: [1, 2] } }), { deleteCount: 2 });
  await db.close();
});

test("a database knows its collections by name and alias", async () => {
  const db = await elanus.connect("memory:");
  await db.createCollection({ name: "a", dimension: 1 });
  await db.createCollection({ name: "b", dimension: 2, idType: "VarChar" });
  assert.equal(await code(db.createCollection({ name: "a", dimension: 1 })), "COLLECTION_EXISTS");
  assert.equal(await code(db.createCollection({ name: "c", dimension: 0 })), "INVALID_ARGUMENT");
  assert.equal(await code(db.createCollection({ name: "c" })), "INVALID_ARGUMENT");
  assert.deepEqual(await db.listCollections(), ["a", "b"]);
  await db.createAlias("live", "a");
  await db.alterAlias("live", "b");
  assert.deepEqual(await db.listAliases(), [{ alias: "live", collection: "b" }]);
  assert.equal((await db.describeCollection("live")).dimension, 2);
  const live = await db.getCollection("live");
  await live.insert({ id: "x", vector: [3, 4] });
  await db.renameCollection("b", "c");
  assert.equal((await db.getCollectionStats("c")).rowCount, 1);
  assert.deepEqual((await live.get("x", { outputFields: ["vector"] })), [{ vector: Float32Array.of(0.6, 0.8) }]);
  assert.equal(await code(db.dropCollection("c")), "INVALID_ARGUMENT");
  await db.dropAlias("live");
  await db.dropCollection("c");
  assert.deepEqual([await db.hasCollection("c"), await db.hasCollection("a")], [false, true]);
  assert.equal(await code(live.count()), "COLLECTION_NOT_FOUND");
  assert.equal(await code(db.getCollection("c")), "COLLECTION_NOT_FOUND");
  await db.close();
});

test("what was written is there after a reload, sealed or not", async (t) => {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await visit(context);
  await page.evaluate(async () => {
    const db = await elanus.connect("kept");
    const words = await db.createCollection({ name: "words", dimension: 4, metric: "L2" });
    const row = (id) => ({ id, vector: [id, 0, 0, 0], name: `n${id}` });
    await words.insert(Array.from({ length: 3000 }, (_, id) => row(id)));
    await words.delete({ filter: "id < 1000" });
    await words.compact();
    await words.upsert([row(1), { ...row(2000), name: "other" }]);
    await words.delete({ ids: [2999] });
  });
  // No close: the page goes, and its worker with it.
  await page.reload();
  await page.waitForFunction(() => globalThis.elanus);
  const found = await page.evaluate(async () => {
    const db = await elanus.connect("kept");
    const words = await db.getCollection("words");
    const hits = await words.search([2000.4, 0, 0, 0], { limit: 3, outputFields: ["name"] });
    const stats = await words.stats();
    const answer = { count: await words.count(), hits: hits.map(({ id, fields }) => [id, fields.name]), low: await words.count("id < 1000"), segments: stats.segments, cut: stats.cutBytes };
    await db.close();
    return answer;
  });
  assert.deepEqual(found, { count: 2000, hits: [[2000, "other"], [2001, "n2001"], [1999, "n1999"]], low: 1, segments: [{ rows: 2000, deleted: 2 }], cut: 0 });
});

test("a full disk is told before anything is damaged", async (t) => {
  // A private window's files have no quota of their own.
  const profile = temporary(t, "full");
  const context = await launchKept(profile);
  t.after(() => context.close());
  const page = await visit(context);
  const session = await context.newCDPSession(page);
  await session.send("Storage.overrideQuotaForOrigin", { origin: site.origin, quotaSize: 6_000_000 });
  const told = await page.evaluate(async () => {
    const db = await elanus.connect("full");
    const words = await db.createCollection({ name: "words", dimension: 256, metric: "L2" });
    let count = 0;
    try {
      while (count < 100_000) {
        await words.insert(Array.from({ length: 500 }, (_, i) => ({ id: count + i, vector: new Float32Array(256).fill(count + i) })));
        count += 500;
      }
      return { code: "none", count };
    } catch ({ code }) {
      const answer = { code, count, there: await words.count() };
      await db.close();
      return answer;
    }
  });
  assert.equal(told.code, "QUOTA_EXCEEDED");
  assert.ok(told.count > 0 && told.there === told.count, JSON.stringify(told));
  await session.send("Storage.overrideQuotaForOrigin", { origin: site.origin });
  const after = await page.evaluate(async () => {
    const db = await elanus.connect("full");
    const words = await db.getCollection("words");
    const before = await words.count();
    await words.insert({ id: -1, vector: new Float32Array(256) });
    return [before, await words.count()];
  });
  assert.deepEqual(after, [told.count, told.count + 1]);
});

test("nothing acknowledged is lost when the browser is killed while it writes", async (t) => {
  const kills = Number(process.env.ELANUS_KILLS ?? 4);
  const profile = temporary(t, "killed");
  /** What was acknowledged: by key the version, or undefined for what is gone. */
  const known = new Map();
  let cut = 0;
  /** What was asked for when the browser was killed. */
  let unanswered = [];
  for (let kill = 0; kill <= kills; kill++) {
    const context = await launchKept(profile);
    const page = await visit(context);
    /** What was asked for and never answered: it may be there or not. */
    let open = [];
    await page.exposeFunction("asked", (changes) => void (open = changes));
    await page.exposeFunction("answered", () => {
      for (const [id, version] of open) known.set(id, version);
      open = [];
    });
    const found = await page.evaluate(async () => {
      const db = await elanus.connect("killed");
      globalThis.words = (await db.hasCollection("words"))
        ? await db.getCollection("words")
        : await db.createCollection({ name: "words", dimension: 16, metric: "L2" });
      const rows = await words.query({ limit: 1e6, outputFields: ["id", "version"] });
      return { rows: rows.map(({ id, version }) => [id, version]), cut: (await words.stats()).cutBytes };
    });
    cut += found.cut;
    const there = new Map(found.rows);
    const last = unanswered;
    const unsure = new Map(last);
    for (const [id, version] of known) {
      if (unsure.has(id)) continue;
      assert.equal(there.get(id), version, `after kill ${kill}: entity ${id}`);
    }
    for (const [id, version] of there) assert.ok(known.get(id) === version || unsure.get(id) === version, `after kill ${kill}: entity ${id} came back`);
    // A write counts whole or not at all.
    const done = last.filter(([id, version]) => there.get(id) === version).length;
    assert.ok(last.length === 0 || done === last.length || last.every(([id]) => there.get(id) === known.get(id)), "half of a write is there");
    for (const [id] of last) known.set(id, there.get(id));
    if (kill === kills) {
      await context.close();
      break;
    }
    await page.evaluate((seed) => {
      let state = seed;
      const random = (below) => (state = (state * 48271) % 2147483647) % below;
      void (async () => {
        for (let version = seed; ; version++) {
          const ids = [...new Set(Array.from({ length: 1 + random(60) }, () => random(400)))];
          const gone = random(4) === 0;
          await asked(ids.map((id) => [id, gone ? undefined : version]));
          if (gone) await words.delete({ ids });
          else await words.upsert(ids.map((id) => ({ id, vector: new Float32Array(16).fill(id), version })));
          if (random(25) === 0) await words.compact();
          await answered();
        }
      })();
    }, 1000 * (kill + 1) + 7);
    await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 900));
    const closed = new Promise((resolve) => context.once("close", resolve));
    killAll(profile);
    await closed;
    unanswered = open;
  }
  assert.ok(known.size > 100, `${known.size} entities were written`);
  t.diagnostic(`${kills} kills, ${known.size} entities, ${cut} bytes of torn tails cut`);
});

test("random writes answer as a plain map does", async (t) => {
  const seed = Number(process.env.ELANUS_SEED ?? 11);
  t.diagnostic(`seed ${seed}`);
  let state = seed;
  const random = (below) => (state = (state * 48271) % 2147483647) % below;
  const db = await elanus.connect("memory:");
  const words = await db.createCollection({ name: "words", dimension: 3, metric: "L2", idType: "VarChar" });
  const model = new Map();
  for (let step = 0; step < 400; step++) {
    const ids = [...new Set(Array.from({ length: 1 + random(8) }, () => `k${random(120)}`))];
    if (random(3) === 0) {
      const { deleteCount } = await words.delete({ ids });
      assert.equal(deleteCount, ids.filter((id) => model.delete(id)).length);
    } else {
      const rows = ids.map((id) => ({ id, vector: [random(9), random(9), random(9)], n: step }));
      await words.upsert(rows);
      for (const row of rows) {
        model.delete(row.id);
        model.set(row.id, row);
      }
    }
    if (random(30) === 0) await words.compact();
    const query = [random(9), random(9), random(9)];
    const distance = ({ vector }) => vector.reduce((sum, x, i) => sum + (x - query[i]) ** 2, 0);
    const expected = [...model.values()].map((row) => ({ id: row.id, distance: distance(row), fields: { n: row.n } }));
    expected.sort((a, b) => a.distance - b.distance);
    assert.deepEqual(await words.search(query, { limit: 7, outputFields: ["n"] }), expected.slice(0, 7), `step ${step}`);
  }
  assert.equal(await words.count(), model.size);
  await db.close();
});
