/** The embedder gives what Python's model2vec gives: fixtures by tools/distill/parity_fixtures.py. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { loadStaticModel } from "../../pkg/embed.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { texts, models } = JSON.parse(readFileSync(path.join(root, "tests/js/fixtures/model2vec.json"), "utf8"));
const decode = (text) => Uint8Array.from(Buffer.from(text, "base64"));

for (const [name, { dimension, vectors, files }] of Object.entries(models)) {
  test(`${name} answers as model2vec does`, async () => {
    const location = files
      ? { model: decode(files["model.safetensors"]), tokenizer: decode(files["tokenizer.json"]), config: decode(files["config.json"]) }
      : path.join(root, "models", name);
    const embedder = await loadStaticModel(location);
    assert.equal(embedder.dimension, dimension);
    const expected = new Float32Array(decode(vectors).buffer);
    // model2vec keeps a half-precision table's answers in half precision.
    const tolerance = name.startsWith("f16") ? 1e-3 : 2e-6;
    embedder.embed(texts).forEach((vector, row) => {
      assert.equal(vector.length, dimension);
      vector.forEach((value, i) => {
        const wanted = expected[row * dimension + i];
        assert.ok(Math.abs(value - wanted) <= tolerance, `text ${row} ${JSON.stringify(texts[row].slice(0, 30))}, number ${i}: ${value}, model2vec says ${wanted}`);
      });
    });
  });
}
