/** Files that `elanus convert` wrote, read by the libraries themselves, where their Python packages are installed. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildIndex, cli, joined } from "./support/cli.mjs";
import { clustered } from "./support/data.mjs";

const [python] = (process.env.ELANUS_PYTHON ?? "python3").split(":");
const reader = fileURLToPath(new URL("../../tools/fixtures/read_back.py", import.meta.url));
const has = (name) => spawnSync(python, ["-c", `import numpy, ${name}`]).status === 0;
const missing = ["faiss", "hnswlib"].filter((name) => !has(name));
const skip = missing.length > 0 && `no Python package ${missing.join(", ")}: install tools/fixtures/requirements*.txt, name the Python in ELANUS_PYTHON`;

const [DIMENSION, COUNT, LIMIT, NPROBE, EF] = [12, 1000, 10, 4, 15];
const vectors = clustered({ count: COUNT + 20, dimension: DIMENSION, centres: 12, spread: 0.5, seed: 3 });
const [rows, queries] = [vectors.slice(0, COUNT), vectors.slice(COUNT)];
const unit = (vector) => vector.map((x) => x / Math.hypot(...vector));

/** Where a file is written, an index of `kind`; and the command to run there. */
function workshop(t, kind, metric) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "elanus-convert-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = (name) => path.join(folder, name);
  const run = (...args) => execFileSync(cli, [...args, "--quiet"], { encoding: "utf8" });
  buildIndex(folder, rows, { args: ["--metric", metric, "--index-type", kind, "--rerank", "f32", "--calibrate", "0"] });
  const write = (name, list) => {
    writeFileSync(file("list.f32"), joined(list));
    run("build", file("list.f32"), "--dimension", `${DIMENSION}`, "--metric", "L2", "--index-type", "FLAT", "-o", file("list.elanus"));
    run("convert", file("list.elanus"), file(name));
    return file(name);
  };
  return { file, run, write };
}

/** What the library answers for the file. */
function readBack(file, asked) {
  writeFileSync(file("asked.json"), JSON.stringify([{ limit: LIMIT, nprobe: NPROBE, ef: EF, dimension: DIMENSION, ...asked }]));
  return JSON.parse(execFileSync(python, [reader, file("asked.json")], { encoding: "utf8" }));
}

/** What Elanus answers: lists of ids. */
function own({ file, run }, queriesFile) {
  const search = ["search", file("out.elanus"), queriesFile, "--limit", `${LIMIT}`, "--nprobe", `${NPROBE}`, "--ef", `${EF}`, "--json"];
  return run(...search).trim().split("\n").map((line) => JSON.parse(line).hits.map((hit) => hit.id));
}

const CLASSES = { FLAT: "IndexFlat", IVF_FLAT: "IndexIVFFlat", HNSW: "IndexHNSWFlat" };

for (const metric of ["L2", "IP", "COSINE"]) {
  for (const [kind, name] of Object.entries(CLASSES)) {
    test(`Faiss reads ${kind} for ${metric} as ${name}, and answers alike`, { skip }, (t) => {
      const shop = workshop(t, kind, metric);
      shop.run("convert", shop.file("out.elanus"), shop.file("out.faiss"));
      const asked = shop.write("queries.npy", metric === "COSINE" ? queries.map(unit) : queries);
      const read = readBack(shop.file, { library: "faiss", file: shop.file("out.faiss"), queries: asked });
      assert.ok(read.kind.startsWith(name), read.kind);
      assert.equal(read.count, COUNT);
      assert.deepEqual(read.ids, own(shop, asked));
    });
  }
  test(`hnswlib reads a graph for ${metric}, and answers alike`, { skip }, (t) => {
    const shop = workshop(t, "HNSW", metric);
    shop.run("convert", shop.file("out.elanus"), shop.file("out.bin"), "--to", "hnswlib");
    const asked = shop.write("queries.npy", queries);
    const read = readBack(shop.file, { library: "hnswlib", space: metric.toLowerCase(), file: shop.file("out.bin"), queries: asked });
    assert.equal(read.count, COUNT);
    assert.deepEqual(read.ids, own(shop, asked));
  });
}

test("NumPy reads the vectors", { skip }, (t) => {
  const shop = workshop(t, "FLAT", "L2");
  shop.run("convert", shop.file("out.elanus"), shop.file("out.npy"));
  const asked = shop.write("queries.npy", queries);
  const read = readBack(shop.file, { library: "numpy", file: shop.file("out.npy"), queries: asked });
  assert.deepEqual([read.kind, read.count], ["float32", COUNT]);
  assert.deepEqual(read.ids, own(shop, asked));
});
