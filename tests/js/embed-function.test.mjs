/** The adapter for any other model checks each answer. */
import assert from "node:assert/strict";
import test from "node:test";
import { ElanusError, fromFunction } from "../../pkg/embed.js";

const card = { name: "m", revision: "1", fingerprint: "", dimension: 2, normalised: true };
const answering = (vectors, changes = {}) => fromFunction(async () => vectors, { ...card, ...changes });

test("texts go in together, vectors come out in their order", async () => {
  const calls = [];
  const embedder = fromFunction(async (texts) => {
    calls.push(texts);
    return texts.map((text) => (text === "east" ? [1, 0] : new Float32Array([0, 1])));
  }, card);
  assert.deepEqual((await embedder.embed(["east", "north"])).map((vector) => [...vector]), [[1, 0], [0, 1]]);
  assert.deepEqual(await embedder.embed("east"), new Float32Array([1, 0]));
  assert.deepEqual(await embedder.embed([]), []);
  assert.deepEqual(calls, [["east", "north"], ["east"]]);
  assert.deepEqual(embedder.card, card);
  assert.equal(embedder.dimension, 2);
});

const WRONG = {
  "too few vectors": [[], "INVALID_VECTOR", /0 vectors/],
  "no list": [new Float32Array([1, 0]), "INVALID_VECTOR", /1 texts/],
  "another dimension": [[[1, 0, 0]], "DIMENSION_MISMATCH", /2 dimensions.* 3/],
  "a NaN": [[[NaN, 1]], "INVALID_VECTOR", /NaN at 0/],
  "an infinity": [[new Float32Array([0, Infinity])], "INVALID_VECTOR", /Infinity at 1/],
  "a null": [[null], "INVALID_VECTOR", /null/],
  "a number": [[1], "INVALID_VECTOR", /number/],
  "a hole in the vector": [[[1, undefined]], "INVALID_VECTOR", /NaN/],
  "a vector of another length, though the card says normalised": [[[3, 4]], "INVALID_VECTOR", /length 5\.000/],
};

for (const [what, [answer, code, message]] of Object.entries(WRONG)) {
  test(`an answer with ${what} is refused`, async () => {
    const error = await answering(answer).embed("east").catch((caught) => caught);
    assert.ok(error instanceof ElanusError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
  });
}

test("without the promise of unit length any length is fine, and zeros always are", async () => {
  assert.deepEqual([...(await answering([[3, 4]], { normalised: false }).embed("x"))], [3, 4]);
  assert.deepEqual([...(await answering([[0, 0]]).embed("x"))], [0, 0]);
});

test("the function's own error comes through", async () => {
  const fault = new Error("no network");
  await assert.rejects(fromFunction(async () => Promise.reject(fault), card).embed("x"), fault);
});

test("a wrong card or function is refused at once", () => {
  for (const wrong of [null, {}, { ...card, dimension: 0 }, { ...card, dimension: 1.5 }, { ...card, name: 7 }, { ...card, normalised: "yes" }]) {
    assert.throws(() => fromFunction(async () => [], wrong), { code: "INVALID_ARGUMENT" });
  }
  assert.throws(() => fromFunction("no function", card), { code: "INVALID_ARGUMENT" });
});

test("what is no text is refused before the function is called", async () => {
  const embedder = fromFunction(async () => assert.fail("called"), card);
  await assert.rejects(embedder.embed(7), { code: "INVALID_ARGUMENT" });
  await assert.rejects(embedder.embed(["a", null]), { code: "INVALID_ARGUMENT" });
});
