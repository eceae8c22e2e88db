#!/usr/bin/env node
/**
 * Makes what the demo's index is built from: every sense of WordNet as a vector, with its word and gloss.
 * The same input gives the same bytes on any machine.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeNpy } from "./npy.mjs";
import { packageDirectory, readSenses } from "./wordnet.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const HELP = `Usage: node tools/demo-data/build.mjs [--out DIR] [--model DIR]

Writes vectors.npy, metadata.jsonl and card.json for "elanus build". Needs the built package (npm run build:pkg).

  --out DIR     where to write (build/demo)
  --model DIR   the static model that embeds the glosses (models/wordnet-static)

Example:
  node tools/demo-data/build.mjs
  elanus build build/demo/vectors.npy --metadata build/demo/metadata.jsonl --id-field id --fields pos:VarChar,lemma:VarChar \\
    --card build/demo/card.json -o build/demo/words.elanus
`;
const BATCH = 1024;

const { values } = parseArgs({
  options: {
    out: { type: "string", default: path.join(root, "build/demo") },
    model: { type: "string", default: path.join(root, "models/wordnet-static") },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help) process.stdout.write(HELP);
else await build(values.out, values.model);

async function build(out, model) {
  const entry = path.join(root, "pkg/embed.js");
  if (!existsSync(entry)) throw new Error("pkg/embed.js is missing; run `npm run build:pkg` first");
  const { loadStaticModel } = await import(entry);
  const embedder = await loadStaticModel(model);
  const senses = readSenses();
  mkdirSync(out, { recursive: true });

  const metadata = senses.map((sense) => `${JSON.stringify(sense)}\n`).join("");
  writeFileSync(path.join(out, "metadata.jsonl"), metadata);
  await writeNpy(path.join(out, "vectors.npy"), senses.length, embedder.dimension, embed(embedder, senses));
  writeFileSync(path.join(out, "card.json"), `${JSON.stringify(card(embedder, senses, metadata), null, 2)}\n`);
  console.log(`${senses.length} senses, ${embedder.dimension} dimensions, in ${path.relative(process.cwd(), out) || out}`);
}

function* embed(embedder, senses) {
  let shown = 0;
  for (let at = 0; at < senses.length; at += BATCH) {
    const batch = senses.slice(at, at + BATCH);
    const vectors = embedder.embed(batch.map((sense) => sense.gloss));
    const empty = vectors.findIndex((vector) => vector.every((value) => value === 0));
    // It has no direction, so no cosine: better to hear of it here than to find it nowhere.
    if (empty !== -1) throw new Error(`the gloss of ${batch[empty].id} has no token that the model knows`);
    yield vectors;
    const done = at + batch.length;
    if (done === senses.length || performance.now() - shown > 500) {
      shown = performance.now();
      console.log(`embedding ${done}/${senses.length}`);
    }
  }
}

function card(embedder, senses, metadata) {
  const { name, version } = JSON.parse(readFileSync(path.join(packageDirectory(), "package.json"), "utf8"));
  return {
    name: "WordNet 3.1 senses",
    model: embedder.card,
    text: "gloss",
    data: {
      source: `WordNet 3.1, from the npm package ${name} ${version}`,
      licence: "WordNet licence, Princeton University: see models/wordnet-static/NOTICE",
      senses: senses.length,
      metadata: `sha256:${createHash("sha256").update(metadata).digest("hex")}`,
    },
  };
}
