/** The package in Node, from its tarball: every kind of source, every kind of wrong argument. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { clustered, exact } from "./support/data.mjs";
import { flatFile } from "./support/file.mjs";
import { serve } from "./support/server.mjs";
import { project } from "./support/tarball.mjs";

const DIMENSION = 24;
const vectors = clustered({ count: 600, dimension: DIMENSION, seed: 11 });
const [query, other] = clustered({ count: 2, dimension: DIMENSION, seed: 12 });
const model = { name: "tiny", revision: "1", fingerprint: `sha256:${"ab".repeat(32)}`, dimension: DIMENSION, normalised: true };
const file = flatFile(vectors, { card: { model } });
let elanus;
let folder;

before((t) => {
  const consumer = project(t, "node");
  folder = consumer.folder;
  // From within the project, so that Node resolves it as it would for a user.
  writeFileSync(path.join(folder, "main.mjs"), 'export * from "elanus";');
  return import(pathToFileURL(path.join(folder, "main.mjs"))).then((module) => (elanus = module));
});

const fails = (code, text = /./) => (error) => {
  assert.equal(error.code, code, error.stack);
  assert.equal(error.name, "ElanusError");
  assert.ok(error instanceof elanus.ElanusError);
  assert.match(error.message, text);
  return true;
};

async function opened(t, source = file, options) {
  const index = await elanus.open(source, options);
  t.after(() => index.close());
  return index;
}

test("opens a path, a file URL, an http URL, a Blob, an ArrayBuffer and a view with the same answers", async (t) => {
  const onDisk = path.join(folder, "index.elanus");
  writeFileSync(onDisk, file);
  const { origin } = await serve(t, { "/": folder });
  const alone = file.buffer.slice(file.byteOffset, file.byteOffset + file.length);
  const padded = new Uint8Array(file.length + 13);
  padded.set(file, 7);
  const sources = [
    onDisk,
    pathToFileURL(onDisk),
    pathToFileURL(onDisk).href,
    `${origin}/index.elanus`,
    new URL(`${origin}/index.elanus`),
    new Blob([file]),
    alone,
    padded.subarray(7, 7 + file.length),
    new DataView(alone),
  ];
  const expected = exact("COSINE", vectors, query, 10);
  for (const source of sources) {
    const index = await opened(t, source);
    assert.equal(index.thread, "main");
    assert.equal(index.count, vectors.length);
    assert.equal(index.bytes, file.length);
    const hits = await index.search(query);
    assert.deepEqual(hits.map(({ row }) => row), expected.map(({ row }) => row));
    hits.forEach((hit, i) => assert.ok(Math.abs(hit.distance - expected[i].distance) < 1e-5));
  }
  assert.equal(alone.byteLength, file.length, "the caller's buffer stays usable");
});

test("each metric orders and measures as Milvus does", async (t) => {
  for (const metric of ["COSINE", "IP", "L2"]) {
    const index = await opened(t, flatFile(vectors, { metric }));
    assert.equal(index.metric, metric);
    const hits = await index.search(Array.from(query), { limit: 25 });
    const expected = exact(metric, vectors, query, 25);
    assert.deepEqual(hits.map(({ row }) => row), expected.map(({ row }) => row), metric);
    hits.forEach((hit, i) => assert.ok(Math.abs(hit.distance - expected[i].distance) <= 1e-4 * Math.abs(expected[i].distance) + 1e-5));
  }
});

test("many vectors at once are answered one list each, like single ones", async (t) => {
  const index = await opened(t);
  const queries = clustered({ count: 40, dimension: DIMENSION, seed: 3 });
  const lists = await index.search(queries, { limit: 3 });
  assert.equal(lists.length, queries.length);
  const singly = await Promise.all(queries.map((one) => index.search(one, { limit: 3 })));
  assert.deepEqual(lists, singly);
  assert.deepEqual(await index.search([Array.from(query)], { limit: 3 }), [await index.search(query, { limit: 3 })]);
});

test("vectors of rows come back with their keys", async (t) => {
  const index = await opened(t, flatFile(vectors, { keys: vectors.map((_, row) => BigInt(row) * 3n) }));
  const found = await index.vectors([7, 599, 7]);
  assert.deepEqual(found.ids, [21, 1797, 21]);
  assert.equal(found.vectors.length, 3 * DIMENSION);
  for (const [i, row] of [7, 599, 7].entries()) {
    const norm = Math.hypot(...vectors[row]);
    const one = found.vectors.subarray(i * DIMENSION, (i + 1) * DIMENSION);
    assert.ok(one.every((x, j) => Math.abs(x - vectors[row][j] / norm) < 1e-6));
    assert.equal((await index.search(one, { limit: 1 }))[0].row, row);
  }
  assert.deepEqual(await index.vectors(new Uint32Array()), { ids: [], vectors: new Float32Array() });
  await assert.rejects(index.vectors([600]), fails("INVALID_ARGUMENT", /no row; the index has 600/));
  await assert.rejects(index.vectors([0.5]), fails("INVALID_ARGUMENT"));
  await assert.rejects(index.vectors(7), fails("INVALID_ARGUMENT", /list of their positions/));
});

test("overlapping searches with different options don't mix", async (t) => {
  const index = await opened(t);
  const asked = Array.from({ length: 60 }, (_, i) => ({ vector: i % 2 ? query : other, limit: 1 + (i % 7) }));
  const answers = await Promise.all(asked.map(({ vector, limit }) => index.search(vector, { limit })));
  answers.forEach((hits, i) => {
    const expected = exact("COSINE", vectors, asked[i].vector, asked[i].limit);
    assert.deepEqual(hits.map(({ row }) => row), expected.map(({ row }) => row));
  });
});

test("a limit past the number of rows gives them all", async (t) => {
  const index = await opened(t);
  assert.equal((await index.search(query, { limit: 16_384 })).length, vectors.length);
});

test("keys beyond 2^53 come back whole, and find their rows", async (t) => {
  const keys = vectors.map((_, row) => row);
  keys[exact("COSINE", vectors, query, 1)[0].row] = 9_007_199_254_740_993n;
  keys[exact("COSINE", vectors, other, 1)[0].row] = -9_223_372_036_854_775_808n;
  const index = await opened(t, flatFile(vectors, { keys }));
  const [[first], [second]] = await index.search([query, other], { limit: 1 });
  assert.equal(first.id, 9_007_199_254_740_993n);
  assert.equal(second.id, -9_223_372_036_854_775_808n);
  assert.equal((await index.search(query, { limit: 2 }))[1].id, exact("COSINE", vectors, query, 2)[1].row);
  const found = await index.get([second.id, 999_999, first.id, "no such", 5n, 5]);
  assert.deepEqual(found.map(({ row }) => row), [second.row, first.row, 5, 5]);
  assert.deepEqual(found.map(({ id }) => id), [second.id, first.id, 5, 5]);
  assert.deepEqual(await index.get(first.id), [{ id: first.id, row: first.row, fields: {} }]);
});

test("progress begins with nothing, never goes back, and ends ready", async (t) => {
  const seen = [];
  const { origin } = await serve(t, {}, {
    async handle(request, response) {
      response.writeHead(200, { "content-type": "application/octet-stream" });
      for (let at = 0; at < file.length; at += 8192) {
        response.write(file.subarray(at, at + 8192));
        await new Promise((resolve) => setTimeout(resolve, 15));
      }
      response.end();
    },
  });
  await opened(t, origin, { onProgress: (progress) => seen.push(progress) });
  assert.deepEqual(seen[0], { loaded: 0, total: undefined, phase: "download" });
  assert.deepEqual(seen.at(-2), { loaded: file.length, total: file.length, phase: "verify" });
  assert.deepEqual(seen.at(-1), { loaded: file.length, total: file.length, phase: "ready" });
  assert.ok(seen.length >= 5, `${seen.length} reports`);
  assert.ok(seen.slice(1).every(({ loaded, total }, i) => loaded >= seen[i].loaded && total === file.length));
});

test("verify: false leaves the verifying out", async (t) => {
  const damaged = Buffer.from(file);
  damaged[damaged.length - 1] ^= 1;
  await assert.rejects(elanus.open(damaged), fails("CORRUPT_FILE"));
  const phases = [];
  const index = await opened(t, damaged, { verify: false, onProgress: ({ phase }) => phases.push(phase) });
  assert.equal((await index.search(query)).length, 10);
  assert.ok(!phases.includes("verify"));
});

test("an error thrown by onProgress comes back to the caller", async () => {
  const mine = new Error("mine");
  const throwing = elanus.open(file, {
    onProgress: () => {
      throw mine;
    },
  });
  await assert.rejects(throwing, (error) => error === mine);
});

test("a signal abandons loading and searching with its own reason", async (t) => {
  const reason = new Error("changed my mind");
  await assert.rejects(elanus.open(file, { signal: AbortSignal.abort(reason) }), (error) => error === reason);

  const controller = new AbortController();
  let ended;
  const closed = new Promise((resolve) => (ended = resolve));
  const { origin } = await serve(t, {}, {
    handle(request, response) {
      response.on("close", ended);
      response.write(file.subarray(0, 5000));
      return true;
    },
  });
  const loading = elanus.open(origin, {
    signal: controller.signal,
    onProgress: ({ loaded }) => loaded > 0 && controller.abort(reason),
  });
  await assert.rejects(loading, (error) => error === reason);
  await closed;

  const index = await opened(t);
  await assert.rejects(index.search(query, { signal: AbortSignal.abort(reason) }), (error) => error === reason);
  const batch = Array.from({ length: 16_384 }, () => query);
  const stop = new AbortController();
  const searching = index.search(batch, { limit: 1, signal: stop.signal });
  setTimeout(() => stop.abort(), 10);
  await assert.rejects(searching, { name: "AbortError" });
  assert.equal((await index.search(query, { limit: 1, signal: new AbortController().signal })).length, 1);
});

test("close rejects what is under way and all that comes after", async () => {
  const index = await elanus.open(file);
  const batch = index.search(Array.from({ length: 16_384 }, () => query), { limit: 1 });
  const rejected = assert.rejects(batch, fails("CLOSED"));
  await new Promise((resolve) => setTimeout(resolve, 5));
  await index.close();
  await index.close();
  await rejected;
  await assert.rejects(index.search(query), fails("CLOSED", /open it again/));
  await assert.rejects(index.get(1), fails("CLOSED"));
  await assert.rejects(index.memory(), fails("CLOSED"));
  assert.equal(index.count, vectors.length);
});

test("wrong arguments are refused with what was expected", async (t) => {
  const index = await opened(t);
  const nan = Float32Array.from(query);
  nan[3] = NaN;
  const cases = [
    [[query, { limit: 0 }], "INVALID_ARGUMENT", /limit.*1 to 16384/],
    [[query, { limit: 16_385 }], "INVALID_ARGUMENT", /16384/],
    [[query, { limit: 2.5 }], "INVALID_ARGUMENT", /whole number/],
    [[query, { limit: "5" }], "INVALID_ARGUMENT", /"5"/],
    [[query, { limit: null }], "INVALID_ARGUMENT", /null/],
    [[query, { topK: 5 }], "INVALID_ARGUMENT", /"topK".*limit/],
    [[query, []], "INVALID_ARGUMENT", /object/],
    [[query, 5], "INVALID_ARGUMENT", /object/],
    [[query, { exact: 1 }], "INVALID_ARGUMENT", /true or false/],
    [[query, { ef: 0 }], "INVALID_ARGUMENT", /ef/],
    [[query, { rerank: -1 }], "INVALID_ARGUMENT", /rerank/],
    [[query, { filter: 7 }], "INVALID_ARGUMENT", /filter/],
    [[query, { signal: {} }], "INVALID_ARGUMENT", /AbortSignal/],
    [[query, { model: "tiny" }], "INVALID_ARGUMENT", /model card/],
    [[query, { outputFields: "lemma" }], "INVALID_ARGUMENT", /list/],
    [[query, { outputFields: ["lemma"] }], "FIELD_NOT_FOUND", /"lemma"/],
    [[query, { filter: "lemma == 1" }], "FIELD_NOT_FOUND", /lemma/],
    [[query, { filter: "lemma ==" }], "INVALID_FILTER"],
    [[query.subarray(1)], "DIMENSION_MISMATCH", /24.*23/],
    [[[]], "DIMENSION_MISMATCH", /24.*0/],
    [[[query, query.subarray(1)]], "DIMENSION_MISMATCH", /query 1 has 23/],
    [[nan], "INVALID_VECTOR", /NaN at position 3/],
    [[Array.from(query, (x, i) => (i === 2 ? null : x))], "INVALID_VECTOR", /null at position 2/],
    [[Array.from(query, (x, i) => (i === 2 ? "1" : x))], "INVALID_VECTOR", /"1" at position 2/],
    [[Array.from(query, (x, i) => (i === 2 ? 1e300 : x))], "INVALID_VECTOR", /position 2/],
    [[new Uint8Array(DIMENSION)], "INVALID_VECTOR", /bits.*floats/],
    [["text"], "INVALID_ARGUMENT", /no words of texts/],
    [[undefined], "INVALID_ARGUMENT", /undefined/],
    [[query, { model: { ...model, dimension: 25 } }], "MODEL_MISMATCH", /25 dimensions/],
  ];
  for (const [args, code, text] of cases) await assert.rejects(index.search(...args), fails(code, text), JSON.stringify(args[1]));
  await assert.rejects(index.get({}), fails("INVALID_ARGUMENT", /no key/));
  await assert.rejects(index.get(0.5), fails("INVALID_ARGUMENT"));
  await assert.rejects(index.get(1, { fields: [] }), fails("INVALID_ARGUMENT", /outputFields/));
  for (const [args, code, text] of [
    [[42], "INVALID_ARGUMENT", /42/],
    [[], "INVALID_ARGUMENT", /undefined/],
    [[file, { threads: 2 }], "INVALID_ARGUMENT", /"threads"/],
    [[file, { thread: "gpu" }], "INVALID_ARGUMENT", /'worker' or 'main'/],
    [[file, { thread: "worker" }], "WORKER_FAILED", /no web workers/],
    [[file, { onProgress: 1 }], "INVALID_ARGUMENT", /function/],
    [[file, { workerUrl: 1 }], "INVALID_ARGUMENT", /workerUrl/],
    [[path.join(folder, "missing.elanus")], "FETCH_FAILED", /missing\.elanus/],
    [["http://127.0.0.1:9/x"], "FETCH_FAILED"],
  ]) {
    await assert.rejects(elanus.open(...args), fails(code, text));
  }
});

test("the model that made the query is checked at open and at search", async (t) => {
  const sameFingerprint = { ...model, name: "renamed", revision: "2" };
  const noFingerprint = { ...model, fingerprint: "" };
  const index = await opened(t, file, { model });
  for (const good of [model, sameFingerprint, noFingerprint, { card: model, embed: () => query }]) {
    assert.equal((await index.search(query, { model: good })).length, 10);
  }
  for (const bad of [
    { ...model, fingerprint: `sha256:${"cd".repeat(32)}` },
    { ...noFingerprint, name: "large" },
    { ...noFingerprint, revision: "2" },
    { ...sameFingerprint, dimension: 25 },
  ]) {
    const both = new RegExp(`tiny at revision 1 .*${bad.name}`);
    await assert.rejects(index.search(query, { model: bad }), fails("MODEL_MISMATCH", both));
    await assert.rejects(elanus.open(file, { model: { card: bad } }), (error) => {
      assert.deepEqual(error.details, { expected: model, found: bad });
      return fails("MODEL_MISMATCH", both)(error);
    });
  }
  await assert.rejects(elanus.open(flatFile(vectors), { model }), fails("MODEL_MISMATCH", /doesn't say/));
});

test("what a server answers in place of the file is named", async (t) => {
  const answers = {
    "/gone": [404, "text/plain", "no"],
    "/spa": [200, "text/html", "<!DOCTYPE html><title>app</title>"],
    "/empty": [200, "application/octet-stream", ""],
    "/cut": [200, "application/octet-stream", file.subarray(0, 20_000)],
    "/long": [200, "application/octet-stream", Buffer.concat([file, Buffer.alloc(1)])],
  };
  const { origin } = await serve(t, {}, {
    handle(request, response) {
      const [status, type, body] = answers[request.url];
      response.writeHead(status, { "content-type": type }).end(body);
      return true;
    },
  });
  await assert.rejects(elanus.open(`${origin}/gone`), (error) => {
    assert.deepEqual(error.details, { url: `${origin}/gone`, status: 404 });
    return fails("FETCH_FAILED", /404/)(error);
  });
  await assert.rejects(elanus.open(`${origin}/spa`), fails("UNSUPPORTED_FORMAT", /HTML/));
  await assert.rejects(elanus.open(`${origin}/empty`), fails("CORRUPT_FILE", /empty or truncated/));
  await assert.rejects(elanus.open(`${origin}/cut`), fails("CORRUPT_FILE", /only 20000 came/));
  await assert.rejects(elanus.open(`${origin}/long`), fails("CORRUPT_FILE"));
});

test("a damaged card is refused", async () => {
  for (const card of [{ fields: 1 }, { fields: [{ name: "x" }] }, { model: [] }, { model: { name: "m" } }, { name: 5 }, { build: 1 }]) {
    await assert.rejects(elanus.open(flatFile(vectors, { card })), fails("CORRUPT_FILE", /card/), JSON.stringify(card));
  }
});

test("opening and closing a hundred times leaves no memory behind", async (t) => {
  const large = flatFile(clustered({ count: 2000, dimension: 1024, seed: 5 }));
  const usage = () => process.memoryUsage().rss / 2 ** 20;
  const round = async () => {
    const index = await elanus.open(large, { verify: false });
    assert.equal((await index.search(new Float32Array(1024).fill(1))).length, 10);
    const { wasmBytes, fileBytes } = await index.memory();
    assert.ok(fileBytes === large.length && wasmBytes >= fileBytes && wasmBytes < fileBytes + (4 << 20), `${wasmBytes} for ${fileBytes}`);
    await index.close();
  };
  for (let i = 0; i < 20; i += 1) await round();
  const early = usage();
  for (let i = 0; i < 80; i += 1) await round();
  const late = usage();
  t.diagnostic(`${(large.length / 2 ** 20).toFixed(1)} MiB: ${early.toFixed(0)} MiB after 20 rounds, ${late.toFixed(0)} MiB after 100`);
  // Unreclaimed, the 80 rounds would have taken 80 files; when garbage is collected is the host's to choose.
  assert.ok(late - early < (30 * large.length) / 2 ** 20, `grew from ${early} to ${late} MiB`);
});
