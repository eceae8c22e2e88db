/** Which bytes of a file are kept, and where. */
import assert from "node:assert/strict";
import path from "node:path";
import test, { before } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const source = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../js/src/lazy/intervals.ts");
let Intervals;

before(async () => {
  const { outputFiles } = await build({ entryPoints: [source], bundle: true, format: "esm", write: false });
  ({ Intervals } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`));
});

/** A generator of whole numbers below a bound (Mulberry32). */
function generator(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

test("a piece of which some is there is not added", () => {
  const kept = new Intervals();
  kept.add({ from: 10, to: 20, at: 0 });
  for (const [from, to] of [[0, 11], [10, 20], [12, 14], [19, 30], [0, 40]]) {
    kept.add({ from, to, at: 500 });
    assert.deepEqual(kept.pieces, [{ from: 10, to: 20, at: 0 }], `${from} to ${to}`);
  }
  kept.add({ from: 20, to: 25, at: 10 });
  kept.add({ from: 0, to: 10, at: 15 });
  assert.equal(kept.bytes, 25);
  assert.deepEqual(kept.parts([5, 22]), [{ from: 5, to: 10, at: 20 }, { from: 10, to: 20, at: 0 }, { from: 20, to: 22, at: 10 }]);
});

test("whatever is added and dropped, each byte is where it was put, once", () => {
  const random = generator(7);
  for (let run = 0; run < 200; run++) {
    const kept = new Intervals();
    const model = new Map();
    for (let step = 0; step < 30; step++) {
      const from = random(60);
      const to = from + 1 + random(12);
      const bytes = Array.from({ length: to - from }, (_, i) => from + i);
      if (random(4) === 0) {
        // Pieces go whole.
        const touched = new Set(bytes.map((byte) => model.get(byte)?.piece));
        for (const [byte, { piece }] of model) if (touched.has(piece)) model.delete(byte);
        kept.drop([from, to]);
      } else {
        const at = 1000 * (run + 1) + 20 * step;
        if (bytes.every((byte) => !model.has(byte))) bytes.forEach((byte, i) => model.set(byte, { at: at + i, piece: at }));
        kept.add({ from, to, at });
      }
      assert.equal(kept.bytes, model.size);
      const missing = kept.missing([from, to]).flatMap(([start, end]) => Array.from({ length: end - start }, (_, i) => start + i));
      assert.deepEqual(missing, bytes.filter((byte) => !model.has(byte)));
      const places = kept.parts([from, to])?.flatMap((piece) => Array.from({ length: piece.to - piece.from }, (_, i) => piece.at + i));
      assert.deepEqual(places, missing.length ? undefined : bytes.map((byte) => model.get(byte).at));
    }
  }
});
