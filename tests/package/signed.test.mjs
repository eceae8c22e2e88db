/** `openRegistry` with a `publicKey`, in Chromium: only what is signed with it is ever searched. */
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { launch } from "./support/browser.mjs";
import { buildIndex, searchNatively } from "./support/cli.mjs";
import { clustered } from "./support/data.mjs";
import { keyPair, minisign } from "./support/minisign.mjs";
import { ask, attempt, files, openLive, registry, sha256, told, visit } from "./support/registry.mjs";
import { projectWithPage } from "./support/tarball.mjs";

const [query] = clustered({ count: 1, dimension: 16, seed: 5 });
const plainQuery = Array.from(query);
const [own, other] = [keyPair(), keyPair()];
const publicKey = own.publicKey;
let project;
let browser;
const answers = {};

const signatureOf = ({ manifest }) => `${manifest}.minisig`;
const put = (release, key = own, options = {}) => writeFileSync(signatureOf(release), minisign(readFileSync(release.manifest), key, options));

before(async (t) => {
  project = projectWithPage(t, "signed");
  const { folder } = project;
  const at = path.join(folder, "registry");
  registry(at, "init");
  for (const [name, seed] of [["r1", 1], ["r2", 2], ["r3", 3]]) {
    buildIndex(folder, clustered({ count: 300, dimension: 16, seed }));
    const file = path.join(folder, "out.elanus");
    answers[name] = searchNatively(file, [query], 10)[0].map(({ row }) => row);
    registry(at, "add", file, "--name", name);
    put(files(at, name));
  }
  registry(at, "alias", "champion", "r1");
  browser = await launch(t);
});

/** What can be done to a release without its key, and what it is refused with. */
const ATTACKS = {
  "one flipped bit of the index": ["CORRUPT_REGISTRY", ({ bad }) => flip(bad.index)],
  "one flipped bit of the manifest": ["CORRUPT_REGISTRY", ({ bad }) => flip(bad.manifest)],
  "an index file swapped for another signed release's": ["CORRUPT_REGISTRY", ({ bad, good }) => writeFileSync(bad.index, readFileSync(good.index))],
  "a manifest swapped for another signed release's": ["CORRUPT_REGISTRY", ({ bad, good, name }) => name(readFileSync(good.manifest), readFileSync(signatureOf(good)))],
  "no signature": ["BAD_SIGNATURE", ({ bad }) => rmSync(signatureOf(bad))],
  "another release's signature": ["BAD_SIGNATURE", ({ bad, good }) => writeFileSync(signatureOf(bad), readFileSync(signatureOf(good)))],
  "another key's signature": ["BAD_SIGNATURE", ({ bad }) => put(bad, other)],
  "another key's signature under this key's number": ["BAD_SIGNATURE", ({ bad }) => put(bad, { ...other, id: own.id })],
  "a signature with one flipped bit": ["BAD_SIGNATURE", ({ bad }) => {
    const lines = readFileSync(signatureOf(bad), "utf8").split("\n");
    const bytes = Buffer.from(lines[1], "base64");
    bytes[40] ^= 1;
    lines[1] = bytes.toString("base64");
    writeFileSync(signatureOf(bad), lines.join("\n"));
  }],
  "a changed comment": ["BAD_SIGNATURE", ({ bad }) => writeFileSync(signatureOf(bad), readFileSync(signatureOf(bad), "utf8").replace("timestamp:1", "timestamp:2"))],
  "a signature of the old form": ["BAD_SIGNATURE", ({ bad }) => put(bad, own, { form: "Ed" })],
  "a signature that is none": ["BAD_SIGNATURE", ({ bad }) => writeFileSync(signatureOf(bad), "signed, the owner\n")],
  "a manifest that was forged, with the hash that registry.json states and the signature of the true one": ["BAD_SIGNATURE", ({ bad, good, name }) => {
    const manifest = JSON.parse(readFileSync(bad.manifest));
    manifest.files = JSON.parse(readFileSync(good.manifest)).files;
    delete manifest.self_test;
    name(Buffer.from(JSON.stringify(manifest)), readFileSync(signatureOf(bad)));
  }],
  "a manifest that was forged and signed with another key": ["BAD_SIGNATURE", ({ bad, name }) => {
    const bytes = Buffer.from(JSON.stringify(JSON.parse(readFileSync(bad.manifest))));
    name(bytes, minisign(bytes, other));
  }],
};

function flip(file) {
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1] ^= 1;
  writeFileSync(file, bytes);
}

for (const [what, [code, attack]] of Object.entries(ATTACKS)) {
  test(`${what}: never searched`, async (t) => {
    const { page, own: at } = await visit(t, browser, project);
    assert.equal(await page.evaluate(openLive, { publicKey }), "r1");
    registry(at, "alias", "champion", "r3");
    const bad = files(at, "r3");
    // Lets registry.json name another manifest, as somebody could who may write the folder.
    const name = (bytes, signature) => {
      const manifest = path.join(at, "objects", `${sha256(bytes)}.json`);
      writeFileSync(manifest, bytes);
      writeFileSync(`${manifest}.minisig`, signature);
      const state = path.join(at, "registry.json");
      writeFileSync(state, readFileSync(state, "utf8").replaceAll(bad.digest, sha256(bytes)));
    };
    attack({ bad, good: files(at, "r2"), name });
    assert.equal(await attempt(page, "check"), code);
    assert.deepEqual(await page.evaluate(ask, plainQuery), answers.r1);
    assert.deepEqual((await told(page)).slice(2).filter((event) => !event.startsWith("loading")), [`refused r3 ${code}`]);
    await page.evaluate(async () => {
      await live.close();
      await (await navigator.storage.getDirectory()).removeEntry("elanus-releases", { recursive: true });
    });
    assert.equal(await page.evaluate(openLive, { publicKey }), code, "and whoever comes new gets nothing");
  });
}

for (const subtle of [true, false]) {
  test(`what is signed is searched, ${subtle ? "checked by the browser" : "and where the browser can't check it, by the package"}`, async (t) => {
    const { page, own: at, complaints } = await visit(t, browser, project);
    if (!subtle) await page.evaluate(() => Object.defineProperty(Crypto.prototype, "subtle", { get: () => undefined }));
    const asked = await page.evaluate(() => {
      const { subtle } = crypto;
      const calls = [];
      if (subtle) {
        const verify = subtle.verify.bind(subtle);
        subtle.verify = (...args) => (calls.push(args[0]), verify(...args));
      }
      globalThis.calls = calls;
      return Boolean(subtle);
    });
    assert.equal(asked, subtle);
    const file = `untrusted comment: minisign public key\n${publicKey}\n`;
    assert.equal(await page.evaluate(openLive, { publicKey: file }), "r1");
    assert.deepEqual(await page.evaluate(ask, plainQuery), answers.r1);
    assert.deepEqual(await page.evaluate(() => calls), subtle ? ["Ed25519", "Ed25519"] : []);
    registry(at, "alias", "champion", "r2");
    put(files(at, "r2"), other);
    assert.equal(await attempt(page, "check"), "BAD_SIGNATURE");
    put(files(at, "r2"));
    assert.equal(await attempt(page, "check"), "r2");
    assert.deepEqual(complaints, []);
  });
}

test("one of several keys is enough, and what is kept is checked as well", async (t) => {
  const { page, own: at, fault } = await visit(t, browser, project);
  put(files(at, "r1"), other);
  assert.equal(await page.evaluate(openLive, { publicKey }), "BAD_SIGNATURE");
  // Without a key everything is taken, and kept without its signature.
  assert.equal(await page.evaluate(openLive, {}), "r1");
  await page.evaluate(() => live.close());
  fault.down = true;
  assert.equal(await page.evaluate(openLive, { publicKey }), "FETCH_FAILED", "what was kept unsigned is not taken");
  fault.down = false;
  assert.equal(await page.evaluate(openLive, { publicKey: [publicKey, other.publicKey] }), "r1");
  await page.evaluate(() => live.close());
  fault.down = true;
  assert.equal(await page.evaluate(openLive, { publicKey: other.publicKey }), "r1", "from what is kept, with its signature");
  await page.evaluate(() => live.close());
  assert.equal(await page.evaluate(openLive, { publicKey }), "FETCH_FAILED", "and not for another key");
});
