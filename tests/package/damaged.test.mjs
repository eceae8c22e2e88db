/**
 * Two hundred damaged and forged files, each opened in Chromium from the packed package: a typed error in under a
 * second, and nothing in the console.
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { launch, newPage } from "./support/browser.mjs";
import { buildIndex } from "./support/cli.mjs";
import { clustered, random } from "./support/data.mjs";
import { KIND, flatFile, reseal, resealHeader, sectionsOf } from "./support/file.mjs";
import { serve } from "./support/server.mjs";
import { projectWithPage } from "./support/tarball.mjs";

const REFUSALS = ["CORRUPT_FILE", "UNSUPPORTED_FORMAT", "UNSUPPORTED_VERSION"];
const vectors = clustered({ count: 300, dimension: 48, seed: 41 });
const rows = vectors.map((_, row) => ({ id: `k${row}`, pos: ["noun", "verb"][row % 2], n: row, gloss: `what row ${row} means` }));

/** Every index type with everything that a file can hold. */
function sound(folder) {
  const build = (...args) => buildIndex(folder, vectors, { rows, args: ["--id-field", "id", "--rerank", "int8,f32", ...args] });
  return {
    scan: build("--index-type", "SCAN_RABITQ"),
    hnsw: build("--index-type", "HNSW", "--ef-construction", "50"),
    flat: build("--index-type", "FLAT", "--metric", "L2"),
    small: flatFile(vectors.slice(0, 3), { keys: [5, 6, 7] }),
  };
}

const changed = (file, at, bytes) => {
  const copy = Buffer.from(file);
  copy.set(bytes, at);
  return copy;
};
const u32 = (n) => [n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >>> 24) & 255];
const u64 = (n) => [...new Uint8Array(new BigUint64Array([BigInt.asUintN(64, BigInt(n))]).buffer)];
const HUGE = [2n ** 64n - 1n, 2n ** 63n, 2n ** 32n, 2n ** 31n + 64n];

/** Yields [what was done, bytes]. */
function* wrecks(files) {
  const next = random(4242);
  const below = (n) => Math.floor(next() * n);

  // Damage on the way: cut short, bits flipped, parts lost, doubled or zeroed. Checksums stay as they were.
  for (const [name, file] of Object.entries(files)) {
    for (const length of [0, 1, 7, 8, 24, 127, 128, 200, file.length >> 1, file.length - 1]) {
      yield [`${name} cut to ${length}`, file.subarray(0, length)];
    }
    for (let i = 0; i < 14; i += 1) {
      const at = i < 4 ? below(128) : below(file.length);
      yield [`${name} with byte ${at} flipped`, changed(file, at, [file[at] ^ (1 << below(8))])];
    }
    yield [`${name} with a byte more`, Buffer.concat([file, Buffer.alloc(1)])];
    yield [`${name} twice`, Buffer.concat([file, file])];
    const hole = 128 + below(file.length - 700);
    yield [`${name} without 512 bytes`, Buffer.concat([file.subarray(0, hole), file.subarray(hole + 512)])];
    yield [`${name} taken for text`, Buffer.from(file.toString("latin1"), "utf8")];
    yield [`${name} with its line ends changed`, Buffer.from(file.toString("latin1").replaceAll("\n", "\r\n"), "latin1")];
  }

  // Forged headers, under a checksum that is right.
  const { scan, hnsw, flat, small } = files;
  const forged = [
    ["version 0", 8, u32(0)],
    ["a later version", 8, u32(99)],
    ["version 2^32-1", 8, u32(-1)],
    ["a header of 64 bytes", 12, u32(64)],
    ...HUGE.map((n) => [`a length of ${n}`, 16, u64(n)]),
    ["a length of 0", 16, u64(0)],
    ["more rows", 24, u64(301)],
    ["fewer rows", 24, u64(299)],
    ["no rows", 24, u64(0)],
    ...HUGE.map((n) => [`${n} rows`, 24, u64(n)]),
    ["0 dimensions", 32, u32(0)],
    ["47 dimensions", 32, u32(47)],
    ["49 dimensions", 32, u32(49)],
    ["2^32-1 dimensions", 32, u32(-1)],
    ["metric 3", 36, [3]],
    ["metric 255", 36, [255]],
    ["index type 3", 37, [3]],
    ["another vector type", 38, [1]],
    ["flags", 39, [128]],
    ["65 sections", 48, u32(65)],
    ["2^32-1 sections", 48, u32(-1)],
    ["no sections", 48, u32(0)],
    ["reserved bytes", 52, u32(1)],
    ["more reserved bytes", 100, u32(1)],
  ];
  for (const [what, at, bytes] of forged) yield [`scan stating ${what}`, resealHeader(changed(scan, at, bytes))];
  for (const [name, type] of [["scan", 2], ["hnsw", 1]]) yield [`${name} stating index type ${type}`, resealHeader(changed(files[name], 37, [type]))];

  // Forged tables.
  const table = (file, i, at, bytes) => resealHeader(changed(file, sectionsOf(file)[i].entry + at, bytes));
  for (const n of HUGE) {
    yield [`hnsw with a section at ${n}`, table(hnsw, 1, 8, u64(n))];
    yield [`hnsw with a section of ${n} bytes`, table(hnsw, 1, 16, u64(n))];
  }
  yield ["hnsw with an unaligned section", table(hnsw, 1, 8, u64(sectionsOf(hnsw)[1].offset + 1))];
  yield ["hnsw with a section in the header", table(hnsw, 0, 8, u64(0))];
  yield ["hnsw with a section on another", table(hnsw, 1, 8, u64(sectionsOf(hnsw)[0].offset))];
  yield ["hnsw with a kind twice", table(hnsw, 1, 0, u32(sectionsOf(hnsw)[0].kind))];
  yield ["hnsw with an unknown kind", table(hnsw, 1, 0, u32(77))];
  yield ["hnsw with reserved bytes in an entry", table(hnsw, 1, 4, u32(1))];

  // Forged sections: each one shortened, lengthened into its padding, or left out by another name.
  for (const [name, file] of Object.entries({ scan, hnsw, flat })) {
    for (const [i, { kind, length, entry, offset }] of sectionsOf(file).entries()) {
      if (kind === KIND.card) continue;
      const shorter = changed(file, entry + 16, u64(length - 1));
      // What was its last byte is padding now, and would be refused as such.
      shorter[offset + length - 1] = 0;
      yield [`${name} with section ${kind} a byte short`, reseal(shorter)];
      if (i === 1) yield [`${name} with section ${kind} empty`, reseal(changed(file, entry + 16, u64(0)))];
    }
  }

  // Forged values, under checksums that are right.
  const inside = (file, kind, at, bytes) => {
    const section = sectionsOf(file).find((one) => one.kind === kind);
    return reseal(changed(file, section.offset + at, bytes));
  };
  const nan = [...new Uint8Array(new Float32Array([NaN]).buffer)];
  const infinity = [...new Uint8Array(new Float32Array([-Infinity]).buffer)];
  for (const [name, file] of Object.entries({ scan, hnsw, flat, small })) {
    yield [`${name} with NaN in a row`, inside(file, KIND.rowsF32, 4 * 77, nan)];
    yield [`${name} with an infinity in a row`, inside(file, KIND.rowsF32, 0, infinity)];
  }
  yield ["small with keys of an unknown type", inside(small, KIND.keys, 0, u32(9))];
  yield ["small with the same key twice", inside(small, KIND.keys, 8, u64(6))];
  yield ["a card that is no JSON", inside(small, KIND.card, 0, Buffer.from("["))];
  yield ["a card that is no text", inside(small, KIND.card, 2, [0xff, 0xfe])];
  yield ["a card with wrong fields", flatFile(vectors.slice(0, 3), { card: { fields: {} } })];
  yield ["a card with a wrong model", flatFile(vectors.slice(0, 3), { card: { model: "m" } })];
  for (const kind of [KIND.columns, KIND.fields, KIND.graph, KIND.keys]) {
    yield [`hnsw with section ${kind} starting with ones`, inside(hnsw, kind, 0, Buffer.alloc(16, 255))];
  }

  // Something else altogether.
  yield ["an HTML page", Buffer.from("<!doctype html><title>Not found</title>".padEnd(4000))];
  yield ["a gzip file", gzipSync(scan)];
  yield ["a NumPy array", Buffer.concat([Buffer.from("\x93NUMPY\x01\x00", "latin1"), Buffer.alloc(500)])];
  yield ["a Git LFS pointer", Buffer.from("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")];
  yield ["a WebAssembly module", Buffer.concat([Buffer.from([0, 97, 115, 109, 1, 0, 0, 0]), Buffer.alloc(500)])];
  yield ["zeros", Buffer.alloc(5000)];
  yield ["JSON", Buffer.from('{"error":"no such file"}')];
}

let folder;
let installed;
let browser;
let cases;

before(async (t) => {
  ({ folder, installed } = projectWithPage(t, "damaged"));
  cases = [...wrecks(sound(folder))];
  browser = await launch(t);
});

test("200 damaged and forged files are each refused with a typed error in under a second", async (t) => {
  assert.ok(cases.length >= 200, `${cases.length} cases`);
  assert.equal(new Set(cases.map(([what]) => what)).size, cases.length);
  const { origin } = await serve(t, { "/": folder, "/elanus/": installed }, {
    handle(request, response) {
      const number = /^\/case\/(\d+)$/.exec(request.url)?.[1];
      if (number === undefined) return false;
      response.writeHead(200, { "content-type": "application/octet-stream", "cache-control": "no-store" }).end(cases[number][1]);
      return true;
    },
  });
  const { page, complaints } = await newPage(browser, `${origin}/`);
  await page.waitForFunction(() => globalThis.elanus);
  const results = await page.evaluate(async (count) => {
    await elanus.init();
    const results = [];
    for (let i = 0; i < count; i += 1) {
      // In turn from the network and from memory, in a worker and in the page.
      const thread = i % 4 < 2 ? "worker" : "main";
      const source = i % 2 ? `/case/${i}` : await (await fetch(`/case/${i}`)).blob();
      const started = performance.now();
      const outcome = await elanus.open(source, { thread }).then(
        (index) => index.close().then(() => ({ code: "OPENED" })),
        (error) => ({ typed: error instanceof elanus.ElanusError, code: error.code, message: error.message }),
      );
      results.push({ ...outcome, took: performance.now() - started });
    }
    return results;
  }, cases.length);
  const wrong = results
    .map((result, i) => ({ what: cases[i][0], ...result }))
    .filter(({ typed, code, message, took }) => !typed || !REFUSALS.includes(code) || message.length < 20 || took > 1000);
  assert.deepEqual(wrong, []);
  assert.deepEqual(complaints, []);
  const slowest = Math.max(...results.map(({ took }) => took));
  const codes = REFUSALS.map((code) => `${results.filter((result) => result.code === code).length} ${code}`);
  t.diagnostic(`${cases.length} files, slowest ${slowest.toFixed(0)} ms; ${codes.join(", ")}`);
});

test("the same files, whole, open", async (t) => {
  const { origin } = await serve(t, { "/": folder, "/elanus/": installed }, {
    handle(request, response) {
      const name = /^\/sound\/(\w+)$/.exec(request.url)?.[1];
      if (!name) return false;
      response.writeHead(200, { "content-type": "application/octet-stream" }).end(files[name]);
      return true;
    },
  });
  const files = sound(folder);
  const { page, complaints } = await newPage(browser, `${origin}/`);
  await page.waitForFunction(() => globalThis.elanus);
  for (const name of Object.keys(files)) {
    const count = await page.evaluate(async (name) => (await elanus.open(`/sound/${name}`)).count, name);
    assert.equal(count, name === "small" ? 3 : 300);
  }
  assert.deepEqual(complaints, []);
});
