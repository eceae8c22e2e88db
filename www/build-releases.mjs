// Builds the registry of the page that compares releases: the dictionary's commonest senses, several times, in build/demo/registry.
// Vectors are those of build/demo and, where build/minilm is there, that model's; the command line tool is the one named by
// ELANUS_CLI, else the release build.

import { execFileSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { packageDirectory } from "../tools/demo-data/wordnet.mjs";
import { writeNpy } from "../tools/demo-data/npy.mjs";
import { FEWER, shorten } from "./src/releases/shorter.mjs";

const SENSES = 6000;
const QUERIES = 600;

const top = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const demo = (name) => top(`build/demo/${name}`);
const work = demo("releases");
const at = (name) => path.join(work, name);
const cli = process.env.ELANUS_CLI ?? top("target/release/elanus");
const elanus = (...args) => execFileSync(cli, args, { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" });
const registry = (...args) => elanus("registry", "--registry", at("registry"), "--json", ...args);

/** How often each sense was met in the texts that WordNet's makers have tagged. */
function counts() {
  const met = new Map();
  for (const line of readFileSync(path.join(packageDirectory(), "dict", "index.sense"), "utf8").split("\n")) {
    const [key, offset, , count] = line.split(" ");
    if (!count) continue;
    const id = `${offset}-${"nvars"[Number(/%(\d)/.exec(key)[1]) - 1]}`;
    met.set(id, (met.get(id) ?? 0) + Number(count));
  }
  return met;
}

/** Chosen rows of build/demo/vectors.npy. */
function vectorsOf(rows, dimension) {
  const file = openSync(demo("vectors.npy"), "r");
  const start = Buffer.alloc(10);
  readSync(file, start, 0, 10, 0);
  const data = 10 + start.readUInt16LE(8);
  const read = rows.map((row) => {
    const vector = new Float32Array(dimension);
    readSync(file, new Uint8Array(vector.buffer), 0, 4 * dimension, data + 4 * dimension * row);
    return vector;
  });
  closeSync(file);
  return read;
}

const write = (name, vectors) => writeNpy(at(name), vectors.length, vectors[0].length, [vectors]);

const card = JSON.parse(readFileSync(demo("card.json"), "utf8"));
const senses = readFileSync(demo("metadata.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line));
const met = counts();
const common = senses.map((sense, row) => ({ sense, row, met: met.get(sense.id) ?? 0 })).sort((a, b) => b.met - a.met || a.row - b.row);
// The senses that come next are what the releases are asked for: like those that are there, and none of them.
const [chosen, held] = [common.slice(0, SENSES), common.slice(SENSES, SENSES + QUERIES)];

rmSync(work, { recursive: true, force: true });
mkdirSync(work, { recursive: true });
const { dimension } = card.model;
const [vectors, queries] = [chosen, held].map((list) => vectorsOf(list.map(({ row }) => row), dimension));
await write("vectors.npy", vectors);
await write("queries.npy", queries);
await write("shorter.npy", vectors.map(shorten));
await write("shorter-queries.npy", queries.map(shorten));
writeFileSync(at("senses.jsonl"), chosen.map(({ sense: { id, pos, lemma, gloss } }) => `${JSON.stringify({ id, pos, lemma, gloss })}\n`).join(""));
const own = { ...card, name: "Common senses of WordNet 3.1", data: { ...card.data, senses: SENSES } };
writeFileSync(at("card.json"), JSON.stringify(own));
const shorter = { ...card.model, name: `${card.model.name}, its first ${FEWER} numbers`, fingerprint: `${card.model.fingerprint}/${FEWER}`, dimension: FEWER };
writeFileSync(at("shorter-card.json"), JSON.stringify({ ...own, model: shorter }));

/** Has all-MiniLM-L6-v2 embed the glosses; whether it is there to do it. */
async function embedByMiniLm() {
  const minilm = (name) => readFileSync(top(`build/minilm/${name}`));
  if (!existsSync(top("build/minilm/card.json"))) return false;
  const { openMiniLm } = await import("./src/releases/minilm.mjs");
  const model = await openMiniLm(minilm("model.onnx"), JSON.parse(minilm("tokenizer.json")));
  const glosses = [...chosen, ...held].map(({ sense }) => sense.gloss);
  const embedded = await model.embed(glosses, (done) => done % 20 === 0 && console.log(`all-MiniLM-L6-v2 reads ${done}/${glosses.length}`));
  await write("minilm.npy", embedded.slice(0, chosen.length));
  await write("minilm-queries.npy", embedded.slice(chosen.length));
  writeFileSync(at("minilm-card.json"), JSON.stringify({ ...own, model: JSON.parse(minilm("card.json")) }));
  return true;
}

registry("init");
const releases = [
  { name: "whole", notes: "1-bit codes, and rows of 8 bits to rank by", vectors: "vectors", queries: "queries", card: "card", args: [] },
  { name: "codes", notes: "the same vectors as codes alone: a quarter of the size", vectors: "vectors", queries: "queries", card: "card", args: ["--rerank", "none"] },
  { name: "shorter", notes: `another model: the first ${FEWER} of the ${dimension} numbers`, vectors: "shorter", queries: "shorter-queries", card: "shorter-card", args: [] },
];
if (await embedByMiniLm()) {
  releases.push({ name: "minilm", notes: "all-MiniLM-L6-v2, the model that the dictionary’s was made from: 37 MB more, fetched when it is first asked", vectors: "minilm", queries: "minilm-queries", card: "minilm-card", args: [] });
}
for (const { name, notes, vectors, queries, card, args } of releases) {
  const file = at(`${name}.elanus`);
  const fields = ["--metadata", at("senses.jsonl"), "--id-field", "id", "--fields", "pos:VarChar", "--store", "pos,lemma,gloss"];
  elanus("build", at(`${vectors}.npy`), ...fields, "--card", at(`${card}.json`), "--output", file, "--quiet", ...args);
  registry("add", file, "--name", name, "--notes", notes, "--author", "the demo");
  registry("evaluate", name, at(`${queries}.npy`), "--vectors", at(`${vectors}.npy`), "-k", "10", "--evaluation", "held-out");
}
registry("gc");
registry("alias", "champion", "codes", "--reason", "the first release");
registry("alias", "challenger", "whole", "--reason", "to be tried");

// The old registry goes when the new one is whole.
rmSync(demo("registry"), { recursive: true, force: true });
renameSync(at("registry"), demo("registry"));
rmSync(work, { recursive: true, force: true });
console.log(`${releases.length} releases of ${SENSES} senses in build/demo/registry`);
