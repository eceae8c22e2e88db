/** `openRegistry` in Chromium, from the packed package, on a registry that the command makes and changes. */
import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { launch } from "./support/browser.mjs";
import { buildIndex, searchNatively } from "./support/cli.mjs";
import { clustered } from "./support/data.mjs";
import { ask, attempt, files, openLive, registry, sha256, told, visit } from "./support/registry.mjs";
import { serve } from "./support/server.mjs";
import { projectWithPage } from "./support/tarball.mjs";

const DIMENSION = 24;
const model = { name: "m", revision: "1", fingerprint: "sha256:11", dimension: DIMENSION, normalised: true };
const [query] = clustered({ count: 1, dimension: DIMENSION, seed: 5 });
const plainQuery = Array.from(query);
let folder;
let installed;
let browser;
/** The rows that each release finds for the query. */
const answers = {};

before(async (t) => {
  ({ folder, installed } = projectWithPage(t, "live"));
  const at = path.join(folder, "registry");
  registry(at, "init");
  for (const [name, seed, args] of [["r1", 1, []], ["r2", 2, ["--rerank", "none"]], ["r3", 3, ["--index-type", "FLAT"]]]) {
    buildIndex(folder, clustered({ count: 900, dimension: DIMENSION, seed }), { args, card: { name: "words", model } });
    const file = path.join(folder, "out.elanus");
    answers[name] = searchNatively(file, [query], 10)[0].map(({ row }) => row);
    registry(at, "add", file, "--name", name);
  }
  registry(at, "alias", "champion", "r1");
  browser = await launch(t);
});

test("a page goes over to a new release between two searches, and back without a network", async (t) => {
  const { page, own, fault, complaints } = await visit(t, browser, { folder, installed });
  assert.equal(await page.evaluate(openLive), "r1");
  assert.deepEqual(await page.evaluate(ask, plainQuery), answers.r1);
  // Searches all the while, several at once.
  await page.evaluate((query) => {
    globalThis.seen = [];
    globalThis.asking = true;
    const loop = async () => {
      while (asking) seen.push(await live.search(query).then((hits) => hits.map(({ row }) => row).join(), String));
    };
    globalThis.loops = [loop(), loop(), loop()];
  }, plainQuery);
  registry(own, "alias", "champion", "r3");
  assert.equal(await attempt(page, "check"), "r3");
  await page.waitForFunction((last) => seen.at(-1) === last, answers.r3.join());
  registry(own, "alias", "champion", "r2");
  assert.equal(await attempt(page, "check"), "r2");
  await page.waitForFunction((last) => seen.at(-1) === last, answers.r2.join());
  const seen = await page.evaluate(async () => {
    asking = false;
    await Promise.all(loops);
    return seen;
  });
  assert.deepEqual([...new Set(seen)].sort(), [answers.r1, answers.r2, answers.r3].map((rows) => rows.join()).sort(), "no failure, no mixture");
  assert.deepEqual(await told(page), ["loading r1", "ready r1", "loading r3", "swapped r3", "loading r2", "swapped r2"]);
  assert.equal(await page.evaluate(() => navigator.locks.query().then(({ held }) => held.length)), 1, "the workers of the past releases are gone");

  fault.down = true;
  assert.equal(await attempt(page, "check"), "FETCH_FAILED");
  assert.equal(await attempt(page, "rollback"), "r3");
  assert.deepEqual(await page.evaluate(ask, plainQuery), answers.r3);
  assert.equal(await attempt(page, "rollback"), "NO_RELEASE");
  // Another visit: nothing but what is kept answers.
  await page.reload();
  await page.waitForFunction(() => globalThis.elanus);
  assert.equal(await page.evaluate(openLive), "r3");
  assert.deepEqual(await page.evaluate(ask, plainQuery), answers.r3);
  assert.deepEqual(await told(page), ["unreachable FETCH_FAILED", "ready r3"]);
  // The network is back, and the alias still names what was left; then something else; then that again.
  fault.down = false;
  assert.equal(await attempt(page, "check"), "r3");
  registry(own, "alias", "champion", "r1");
  assert.equal(await attempt(page, "check"), "r1");
  registry(own, "alias", "champion", "r2");
  assert.equal(await attempt(page, "check"), "r2");
  await page.evaluate(() => live.close());
  assert.equal(await page.evaluate((query) => live.search(query).catch(({ code }) => code), plainQuery), "CLOSED");
  assert.deepEqual(complaints.filter((text) => !text.includes("503")), []);
});

test("the alias is followed in the background, and an evaluation changes no index", async (t) => {
  const { page, own, requests } = await visit(t, browser, { folder, installed });
  assert.equal(await page.evaluate(openLive, { checkEvery: 1 }), "r1");
  writeFileSync(path.join(folder, "queries.json"), JSON.stringify([plainQuery]));
  registry(own, "evaluate", "r1", path.join(folder, "queries.json"), "--exact");
  const before = requests.filter((address) => address.endsWith(".elanus")).length;
  await page.waitForTimeout(1500);
  assert.equal(requests.filter((address) => address.endsWith(".elanus")).length, before);
  registry(own, "alias", "champion", "r3");
  await page.waitForFunction(() => live.release === "r3", undefined, { timeout: 10_000 });
  assert.deepEqual(await told(page), ["loading r1", "ready r1", "loading r3", "swapped r3"]);
});

/** What can be done to a release, and what it is refused with. */
const ATTACKS = {
  "a flipped bit of the index": ["CORRUPT_REGISTRY", ({ index }) => {
    const bytes = readFileSync(index);
    bytes[bytes.length >> 1] ^= 1;
    writeFileSync(index, bytes);
  }],
  "a cut index": ["CORRUPT_REGISTRY", ({ index }) => writeFileSync(index, readFileSync(index).subarray(0, -64))],
  "an index with more behind it": ["CORRUPT_REGISTRY", ({ index }) => writeFileSync(index, Buffer.concat([readFileSync(index), Buffer.alloc(64)]))],
  "another release's index": ["CORRUPT_REGISTRY", ({ index }, other) => writeFileSync(index, readFileSync(other.index))],
  "another release's manifest": ["CORRUPT_REGISTRY", ({ manifest }, other) => writeFileSync(manifest, readFileSync(other.manifest))],
  "a changed manifest": ["CORRUPT_REGISTRY", ({ manifest }) => writeFileSync(manifest, readFileSync(manifest, "utf8").replace('"dimension": 24', '"dimension": 23'))],
  "a manifest that is gone": ["FETCH_FAILED", ({ manifest }) => rmSync(manifest)],
  "a manifest that names another release's index": ["CORRUPT_REGISTRY", (own, other, forge) => forge((manifest) => {
    manifest.files = JSON.parse(readFileSync(other.manifest)).files;
  })],
  "an index from elsewhere": ["CORRUPT_REGISTRY", (own, other, forge) => forge((manifest) => {
    manifest.files[0].path = "//127.0.0.1:1/x.elanus";
  })],
  "a manifest of a later version": ["UNSUPPORTED_VERSION", (own, other, forge) => forge((manifest) => {
    manifest.schema_version = 2;
  })],
  "a self-test that it fails": ["SELF_TEST_FAILED", (own, other, forge) => forge((manifest) => {
    manifest.self_test.queries[1].ids.reverse();
  })],
  "a self-test that is none": ["CORRUPT_REGISTRY", (own, other, forge) => forge((manifest) => {
    manifest.self_test.queries[1].vector = ["0"];
  })],
};

for (const [what, [code, attack]] of Object.entries(ATTACKS)) {
  test(`${what} is never searched`, async (t) => {
    const { page, own } = await visit(t, browser, { folder, installed });
    assert.equal(await page.evaluate(openLive), "r1");
    const bad = files(own, "r3");
    // Writes a manifest with the right hash, as somebody could who may write the registry but isn't its owner.
    const forge = (change) => {
      const manifest = JSON.parse(readFileSync(bad.manifest));
      change(manifest);
      const bytes = Buffer.from(JSON.stringify(manifest));
      writeFileSync(path.join(own, "objects", `${sha256(bytes)}.json`), bytes);
      const state = path.join(own, "registry.json");
      writeFileSync(state, readFileSync(state, "utf8").replaceAll(bad.digest, sha256(bytes)));
    };
    registry(own, "alias", "champion", "r3");
    attack(bad, files(own, "r2"), forge);
    assert.equal(await attempt(page, "check"), code);
    assert.deepEqual(await page.evaluate(ask, plainQuery), answers.r1, "what was there goes on");
    const events = await told(page);
    assert.equal(events.at(-1), code === "FETCH_FAILED" ? "unreachable FETCH_FAILED" : `refused r3 ${code}`);
    assert.ok(!events.some((event) => event.startsWith("swapped")));
    // A visitor who comes now gets the last good one; who was never here gets nothing.
    await page.reload();
    await page.waitForFunction(() => globalThis.elanus);
    assert.equal(await page.evaluate(openLive), "r1");
    assert.deepEqual(await page.evaluate(ask, plainQuery), answers.r1);
    await page.evaluate(async () => {
      await live.close();
      await (await navigator.storage.getDirectory()).removeEntry("elanus-releases", { recursive: true });
    });
    assert.equal(await page.evaluate(openLive), code);
  });
}

test("what is kept is checked as well", async (t) => {
  const { page, fault } = await visit(t, browser, { folder, installed });
  assert.equal(await page.evaluate(openLive), "r1");
  await page.evaluate(async () => {
    await live.close();
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("elanus-releases");
    for await (const folder of root.values()) {
      for await (const file of folder.values()) {
        if (!file.name.endsWith(".elanus")) continue;
        const bytes = new Uint8Array(await (await file.getFile()).arrayBuffer());
        bytes[bytes.length >> 1] ^= 1;
        const writable = await file.createWritable();
        await writable.write(bytes);
        await writable.close();
      }
    }
  });
  assert.equal(await page.evaluate(openLive), "r1", "loaded again");
  await page.evaluate(() => live.close());
  fault.down = true;
  assert.equal(await page.evaluate(openLive), "r1", "and kept again");
});

test("a query of another model is refused, and so is a release", async (t) => {
  const { page, own } = await visit(t, browser, { folder, installed });
  assert.equal(await page.evaluate(openLive, { model: { ...model, fingerprint: "sha256:22" } }), "MODEL_MISMATCH");
  assert.equal(await page.evaluate(openLive, { model }), "r1");
  const other = { ...model, fingerprint: "sha256:22" };
  const search = ({ query, model }) => live.search(query, { model }).then((hits) => hits.length, ({ code }) => code);
  assert.equal(await page.evaluate(search, { query: plainQuery, model }), 10);
  assert.equal(await page.evaluate(search, { query: plainQuery, model: other }), "MODEL_MISMATCH");
  buildIndex(folder, clustered({ count: 90, dimension: DIMENSION, seed: 9 }), { card: { name: "words", model: other } });
  registry(own, "add", path.join(folder, "out.elanus"), "--name", "r4", "--alias", "champion");
  assert.equal(await attempt(page, "check"), "MODEL_MISMATCH");
  assert.deepEqual(await page.evaluate(ask, plainQuery), answers.r1);
});

test("what can't be opened is refused with its reason", async (t) => {
  const { page } = await visit(t, browser, { folder, installed });
  assert.equal(await page.evaluate(openLive, { alias: "nobody" }), "NO_RELEASE");
  for (const options of [{ alias: "../x" }, { alias: 3 }, { checkEvery: -1 }, { checkEvery: "1" }, { onEvent: 1 }, { challenger: "x" }, { publicKey: "x" }, { publicKey: [] }, { embedders: [1] }]) {
    assert.equal(await page.evaluate(openLive, options), "INVALID_ARGUMENT", JSON.stringify(options));
  }
  const elsewhere = () => elanus.openRegistry("/elsewhere").catch(({ code }) => code);
  assert.equal(await page.evaluate(elsewhere), "FETCH_FAILED");
  assert.equal(await page.evaluate(() => elanus.openRegistry(7).catch(({ code }) => code)), "INVALID_ARGUMENT");
});

test("Node follows a registry as well, and keeps the release before in memory", async (t) => {
  const own = path.join(folder, "registry-node");
  cpSync(path.join(folder, "registry"), own, { recursive: true });
  const { origin } = await serve(t, { "/registry/": own });
  const { openRegistry } = await import(pathToFileURL(path.join(installed, "index.js")));
  const live = await openRegistry(`${origin}/registry/`);
  const rows = async () => (await live.search(query)).map(({ row }) => row);
  assert.deepEqual(await rows(), answers.r1);
  registry(own, "alias", "champion", "r2");
  assert.equal(await live.check(), "r2");
  assert.deepEqual(await rows(), answers.r2);
  assert.equal(await live.rollback(), "r1");
  assert.deepEqual(await rows(), answers.r1);
  await live.close();
});
