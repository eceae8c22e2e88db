/** Damaged and forged models: each is refused with a typed error that says what is wrong. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { loadStaticModel } from "../../pkg/embed.js";
import { bytes, safetensors, TABLE, TABLE_HEADER, tiny, tokenizer } from "./tiny-model.mjs";

const data = new Uint8Array(TABLE.buffer);
const tensor = (dtype, shape, data_offsets) => ({ dtype, shape, data_offsets });
const floats = (...values) => new Uint8Array(new Float32Array(values).buffer);

const REFUSED = {
  "no byte": [new Uint8Array(), "CORRUPT_FILE", /0 bytes/],
  "a header longer than the file": [safetensors(TABLE_HEADER, data).with(1, 9), "CORRUPT_FILE", /cut short/],
  "a header of 2^64 - 1 bytes": [safetensors(TABLE_HEADER, data).fill(255, 0, 8), "CORRUPT_FILE", /18446744073709551615/],
  "a header that is no JSON": [safetensors("{", data), "CORRUPT_FILE", /no JSON/],
  "a header that is a list": [safetensors([], data), "CORRUPT_FILE", /object/],
  "a header that is no UTF-8": [new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0, 255]), "CORRUPT_FILE", /no JSON/],
  "a web page": [bytes("<!doctype html><html><body>not found</body></html>"), "CORRUPT_FILE", /another kind of file/],
  "no tensor": [safetensors({}), "UNSUPPORTED_FORMAT", /embeddings/],
  "other tensors only": [safetensors({ bert: tensor("F32", [4, 2], [0, 32]) }, data), "UNSUPPORTED_FORMAT", /model2vec/],
  "an entry that is null": [safetensors({ embeddings: null }, data), "UNSUPPORTED_FORMAT", /type/],
  "an unknown type": [safetensors({ embeddings: tensor("F4", [4, 2], [0, 32]) }, data), "UNSUPPORTED_FORMAT", /F4/],
  "a type named like a method": [safetensors({ embeddings: tensor("toString", [4, 2], [0, 32]) }, data), "UNSUPPORTED_FORMAT", /toString/],
  "a table of booleans": [safetensors({ embeddings: tensor("BOOL", [16, 2], [0, 32]) }, data), "UNSUPPORTED_FORMAT", /BOOL/],
  "a negative size": [safetensors({ embeddings: tensor("F32", [-4, -2], [0, 32]) }, data), "CORRUPT_FILE", /shape/],
  "a size that is a fraction": [safetensors({ embeddings: tensor("F32", [0.5, 16], [0, 32]) }, data), "CORRUPT_FILE", /shape/],
  "a product beyond 2^53": [safetensors({ embeddings: tensor("F32", [2 ** 40, 2 ** 40], [0, 32]) }, data), "CORRUPT_FILE", /needs/],
  "a shape that asks for more": [safetensors({ embeddings: tensor("F32", [5, 2], [0, 32]) }, data), "CORRUPT_FILE", /needs 40/],
  "a shape of three": [safetensors({ embeddings: tensor("F32", [2, 2, 2], [0, 32]) }, data), "CORRUPT_FILE", /shape/],
  "no dimension": [safetensors({ embeddings: tensor("F32", [4, 0], [0, 0]) }), "CORRUPT_FILE", /shape/],
  "a place past the end": [safetensors({ embeddings: tensor("F32", [4, 2], [0, 32]) }, data.subarray(1)), "CORRUPT_FILE", /cut short/],
  "a place that runs backwards": [safetensors({ embeddings: tensor("F32", [4, 2], [32, 0]) }, data), "CORRUPT_FILE", /32 to 0/],
  "a place of one number": [safetensors({ embeddings: tensor("F32", [4, 2], [0]) }, data), "CORRUPT_FILE", /place/],
  "an overlap": [safetensors({ ...TABLE_HEADER, weights: tensor("F32", [4], [16, 32]) }, data), "CORRUPT_FILE", /overlaps/],
  "a hole": [safetensors({ embeddings: tensor("F32", [3, 2], [8, 32]) }, data), "CORRUPT_FILE", /unused/],
  "bytes after the last tensor": [safetensors(TABLE_HEADER, new Uint8Array(33)), "CORRUPT_FILE", /33/],
  "NaN in the table": [safetensors(TABLE_HEADER, floats(0, 0, 1, 0, NaN, 1, 3, 4)), "CORRUPT_FILE", /element 4 .* NaN/],
  "an infinite weight": [
    safetensors({ ...TABLE_HEADER, weights: tensor("F32", [4], [32, 48]) }, floats(...TABLE, 1, 1, Infinity, 1)),
    "CORRUPT_FILE",
    /Infinity/,
  ],
  "too few weights": [safetensors({ ...TABLE_HEADER, weights: tensor("F32", [3], [32, 44]) }, floats(...TABLE, 1, 1, 1)), "CORRUPT_FILE", /3 numbers for 4/],
  "weights in rows": [safetensors({ ...TABLE_HEADER, weights: tensor("F32", [2, 2], [32, 48]) }, floats(...TABLE, 1, 1, 1, 1)), "CORRUPT_FILE", /list/],
  "a mapping past the table": [
    safetensors({ ...TABLE_HEADER, mapping: tensor("U8", [4], [32, 36]) }, new Uint8Array([...data, 0, 1, 2, 4])),
    "CORRUPT_FILE",
    /token 3 to row 4 of 4/,
  ],
  "a mapping below the table": [
    safetensors({ ...TABLE_HEADER, mapping: tensor("I8", [4], [32, 36]) }, new Uint8Array([...data, 0, 255, 2, 3])),
    "CORRUPT_FILE",
    /row -1/,
  ],
  "a mapping in fractions": [safetensors({ ...TABLE_HEADER, mapping: tensor("F32", [4], [32, 48]) }, floats(...TABLE, 0, 1, 2, 3)), "UNSUPPORTED_FORMAT", /whole numbers/],
};

for (const [what, [model, code, message]] of Object.entries(REFUSED)) {
  test(`a model.safetensors with ${what} is refused`, async () => {
    await assert.rejects(loadStaticModel(tiny({ model })), { name: "ElanusError", code, message });
  });
}

const withVocabulary = (vocab, more) => ({ ...tokenizer(), ...more, model: { ...tokenizer().model, vocab } });
const REFUSED_TOKENIZERS = {
  "no JSON": ["{", "CORRUPT_FILE", /no JSON/],
  "a web page": ["<!doctype html><title>x</title>", "UNSUPPORTED_FORMAT", /web page/],
  "a list": ["[]", "CORRUPT_FILE", /tokenizer.json is no JSON object/],
  "no model": [{}, "CORRUPT_FILE", /"model"/],
  "no vocabulary": [withVocabulary(undefined), "CORRUPT_FILE", /vocabulary/],
  "an empty vocabulary": [withVocabulary({}), "CORRUPT_FILE", /empty/],
  "an id past the table": [withVocabulary({ "[UNK]": 0, far: 4 }), "CORRUPT_FILE", /"far" has the id 4, but the model has 4 rows/],
  "a negative id": [withVocabulary({ "[UNK]": 0, far: -1 }), "CORRUPT_FILE", /-1/],
  "an id that is no number": [withVocabulary({ "[UNK]": 0, far: "3" }), "CORRUPT_FILE", /"far"/],
  "an added token past the table": [{ ...tokenizer(), added_tokens: [{ content: "<x>", id: 9 }] }, "CORRUPT_FILE", /"<x>"/],
  "added tokens that are no list": [{ ...tokenizer(), added_tokens: {} }, "CORRUPT_FILE", /added_tokens/],
  "a broken Unigram entry": [withVocabulary(["far"]), "CORRUPT_FILE", /pair/],
  "an unknown model type": [{ ...tokenizer(), model: { type: "Oracle", vocab: { "[UNK]": 0 } } }, "UNSUPPORTED_FORMAT", /can't be used/],
  "an unknown normalizer": [{ ...tokenizer(), normalizer: { type: "Oracle" } }, "UNSUPPORTED_FORMAT", /can't be used/],
};

for (const [what, [content, code, message]] of Object.entries(REFUSED_TOKENIZERS)) {
  test(`a tokenizer.json with ${what} is refused`, async () => {
    await assert.rejects(loadStaticModel(tiny({ tokenizer: bytes(content) })), { name: "ElanusError", code, message });
  });
}

for (const config of ["", "[]", '{"normalize":"yes"}', '{"max_length":0}', '{"max_length":"many"}']) {
  test(`the config.json ${JSON.stringify(config)} is refused`, async () => {
    await assert.rejects(loadStaticModel(tiny({ config: bytes(config) })), { name: "ElanusError", code: "CORRUPT_FILE", message: /config\.json/ });
  });
}

test("every truncation of the tiny model, and of our own at many lengths, is refused", async () => {
  const { model } = tiny();
  for (let length = 0; length < model.length; length++) {
    await assert.rejects(loadStaticModel(tiny({ model: model.subarray(0, length) })), { name: "ElanusError" }, `${length} bytes`);
  }
  const own = new URL("../../models/wordnet-static/", import.meta.url);
  const [whole, ownTokenizer, config] = ["model.safetensors", "tokenizer.json", "config.json"].map((name) => readFileSync(new URL(name, own)));
  for (let part = 0; part < 50; part++) {
    const cut = whole.subarray(0, Math.floor((whole.length * part) / 50));
    await assert.rejects(loadStaticModel({ model: cut, tokenizer: ownTokenizer, config }), { name: "ElanusError" }, `${cut.length} bytes`);
  }
});

test("no single changed byte of a header escapes as anything but a typed error or a working model", async () => {
  const { model } = tiny();
  for (let at = 0; at < model.length - data.length; at++) {
    for (const value of [0, 0x22, 0x2d, 0x39, 0x7d, 0xff]) {
      const changed = model.slice();
      changed[at] = value;
      const outcome = await loadStaticModel(tiny({ model: changed })).then(
        (embedder) => embedder.embed("far east").every(Number.isFinite),
        (error) => error.name === "ElanusError",
      );
      assert.ok(outcome, `byte ${at} as ${value}`);
    }
  }
});
