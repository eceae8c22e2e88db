/** Loading and using a static model: what it computes, where it comes from, how it is stopped. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { loadStaticModel } from "../../pkg/embed.js";
import { bytes, safetensors, tiny, tokenizer } from "./tiny-model.mjs";

const FILES = { model: "model.safetensors", tokenizer: "tokenizer.json", config: "config.json" };
const halves = (...values) => new Uint8Array(new Uint16Array(values).buffer);

test("a text's vector is the mean of its tokens' rows", async () => {
  const embedder = await loadStaticModel(tiny());
  assert.deepEqual([...embedder.embed("East, FAR north")], [4 / 3, 5 / 3].map(Math.fround));
  assert.deepEqual(embedder.embed(["far", "north"]).map((vector) => [...vector]), [[3, 4], [0, 1]]);
  assert.deepEqual(embedder.embed([]), []);
});

test("a normalised model gives unit vectors, and zeros for a text without a known token", async () => {
  const embedder = await loadStaticModel(tiny({ config: bytes({ normalize: true }) }));
  assert.deepEqual([...embedder.embed("far")], [0.6, 0.8].map(Math.fround));
  for (const text of ["", "  ", "zzz", "東"]) assert.deepEqual([...embedder.embed(text)], [0, 0], text);
});

test("unknown tokens don't dilute the mean", async () => {
  const embedder = await loadStaticModel(tiny());
  assert.deepEqual([...embedder.embed("zzz far zzz")], [3, 4]);
});

test("two embeddings of one text share nothing", async () => {
  const embedder = await loadStaticModel(tiny());
  const first = embedder.embed("far");
  embedder.embed("east").fill(9);
  assert.deepEqual([...first], [3, 4]);
});

test("the text is cut at max_length tokens, unknown ones included", async () => {
  const embedder = await loadStaticModel(tiny({ config: bytes({ max_length: 2 }) }));
  assert.deepEqual([...embedder.embed("far zzz east east")], [3, 4]);
});

test("half precision, bfloat16 and int8 tables with weights and a mapping", async () => {
  const f16 = safetensors(
    { embeddings: { dtype: "F16", shape: [4, 2], data_offsets: [0, 16] } },
    halves(0, 0, 0x3c00, 0xc000, 0x0001, 0x8400, 0x7bff, 0x3555),
  );
  const half = await loadStaticModel(tiny({ model: f16 }));
  assert.deepEqual([...half.embed("east")], [1, -2]);
  assert.deepEqual([...half.embed("north")], [2 ** -24, -(2 ** -14)]);
  assert.deepEqual([...half.embed("far")], [65504, 0.333251953125]);

  const bf16 = safetensors({ embeddings: { dtype: "BF16", shape: [4, 2], data_offsets: [0, 16] } }, halves(0, 0, 0x3f80, 0xc000, 0, 0, 0x4049, 0));
  assert.deepEqual([...(await loadStaticModel(tiny({ model: bf16 }))).embed("far")], [3.140625, 0]);

  const int8 = safetensors(
    {
      weights: { dtype: "F32", shape: [4], data_offsets: [0, 16] },
      mapping: { dtype: "I64", shape: [4], data_offsets: [16, 48] },
      embeddings: { dtype: "I8", shape: [2, 2], data_offsets: [48, 52] },
    },
    new Uint8Array([...new Uint8Array(new Float32Array([1, 0.5, 2, 1]).buffer), ...new Uint8Array(new BigInt64Array([0n, 1n, 1n, 0n]).buffer), 127, 1, 0x80, 2]),
  );
  const shared = await loadStaticModel(tiny({ model: int8 }));
  assert.deepEqual([...shared.embed("east")], [-64, 1]);
  assert.deepEqual([...shared.embed("north")], [-256, 4]);
  assert.deepEqual([...shared.embed("far")], [127, 1]);
});

test("the card names the model and has the fingerprint of its bytes", async () => {
  const files = tiny();
  const { card, dimension } = await loadStaticModel(files);
  const fingerprint = `sha256:${createHash("sha256").update(files.model).update(files.tokenizer).digest("hex")}`;
  assert.deepEqual(card, { name: "tiny", revision: "7", fingerprint, dimension: 2, normalised: false });
  assert.equal(dimension, 2);
});

test("what is no text is refused", async () => {
  const embedder = await loadStaticModel(tiny());
  for (const given of [undefined, null, 7, {}, ["far", 7], [null]]) {
    assert.throws(() => embedder.embed(given), { name: "ElanusError", code: "INVALID_ARGUMENT" });
  }
});

test("a model comes from a directory, a file: URL, blobs, buffers and HTTP", async (t) => {
  const files = tiny();
  const folder = mkdtempSync(path.join(os.tmpdir(), "elanus-model-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [part, name] of Object.entries(FILES)) writeFileSync(path.join(folder, name), files[part]);
  const { url } = await serve(t, files);
  const { card } = await loadStaticModel(files);
  const locations = {
    path: folder,
    "path with a slash": `${folder}/`,
    "file URL": pathToFileURL(folder),
    "file URL as text": pathToFileURL(folder).href,
    blobs: { model: new Blob([files.model]), tokenizer: new Blob([files.tokenizer]), config: new Blob([files.config]) },
    "an ArrayBuffer, a view on more, a path": {
      model: files.model.slice().buffer,
      tokenizer: Buffer.concat([Buffer.from("x"), files.tokenizer]).subarray(1),
      config: path.join(folder, "config.json"),
    },
    HTTP: `${url}/model`,
    "HTTP with a query": new URL(`${url}/model/?version=1`),
  };
  for (const [what, location] of Object.entries(locations)) {
    assert.deepEqual((await loadStaticModel(location)).card, card, what);
  }
});

test("progress counts the bytes of all files up to the whole", async (t) => {
  const files = tiny();
  const { url } = await serve(t, files);
  const seen = [];
  await loadStaticModel(`${url}/model`, { onProgress: (progress) => seen.push(progress) });
  const total = files.model.length + files.tokenizer.length + files.config.length;
  assert.deepEqual(seen.at(-1), { loaded: total, total });
  seen.reduce((before, { loaded }) => (assert.ok(loaded >= before), loaded), 0);
});

test("an abort ends the load with its reason, before and during the download", async (t) => {
  const { url, stalled } = await serve(t, tiny(), { stall: "/model/model.safetensors" });
  const reason = new Error("changed my mind");
  await assert.rejects(loadStaticModel(`${url}/model`, { signal: AbortSignal.abort(reason) }), reason);
  const stop = new AbortController();
  const loading = loadStaticModel(`${url}/model`, { signal: stop.signal });
  await stalled;
  stop.abort(reason);
  await assert.rejects(loading, reason);
});

test("what can't be fetched says which address and why", async (t) => {
  const { url } = await serve(t, tiny());
  await assert.rejects(loadStaticModel(`${url}/elsewhere`), { code: "FETCH_FAILED", message: /elsewhere\/.* 404/ });
  await assert.rejects(loadStaticModel("/no/such/folder"), { code: "FETCH_FAILED", message: /no\/such\/folder|ENOENT/ });
  await assert.rejects(loadStaticModel(`${url}/start-page`), { code: "UNSUPPORTED_FORMAT", message: /web page/ });
  await assert.rejects(loadStaticModel(42), { code: "INVALID_ARGUMENT" });
  await assert.rejects(loadStaticModel({ model: tiny().model }), { code: "INVALID_ARGUMENT" });
  await assert.rejects(loadStaticModel(tiny({ tokenizer: 42 })), { code: "INVALID_ARGUMENT" });
});

test("a tokenizer.json may leave out what it doesn't use", async () => {
  const { model } = tokenizer();
  const embedder = await loadStaticModel(tiny({ tokenizer: bytes({ model, pre_tokenizer: { type: "BertPreTokenizer" } }) }));
  assert.deepEqual([...embedder.embed("far")], [3, 4]);
});

/** Serves a model under /model/, and a page for any file under /start-page/. `stall` names a file that never ends. */
async function serve(t, files, { stall } = {}) {
  const names = Object.fromEntries(Object.entries(FILES).map(([part, name]) => [`/model/${name}`, files[part]]));
  let stalls;
  const stalled = new Promise((resolve) => (stalls = resolve));
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    if (pathname.startsWith("/start-page/")) return response.end("<!doctype html><title>Start</title>");
    if (!names[pathname]) return response.writeHead(404).end();
    response.setHeader("content-length", names[pathname].length);
    if (pathname !== stall) return response.end(names[pathname]);
    response.write(names[pathname].subarray(0, 10), stalls);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, stalled };
}
