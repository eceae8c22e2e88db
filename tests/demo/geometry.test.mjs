// The map's arithmetic, by itself: modules of the page that touch no document.

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./source.mjs";

const { layInPlane, orient } = await load("src/plane.ts");
const { placeLabels } = await load("src/labels.ts");
const { percentile, milliseconds } = await load("src/numbers.ts");

/** Numbers in -1..1, the same each time. */
function numbers(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

const distance = (a, b) => Math.hypot(...a.map((x, i) => x - b[i]));
const pairs = (n) => Array.from({ length: n }, (_, i) => Array.from({ length: i }, (_, j) => [i, j])).flat();

test("points of a plane, turned into ten dimensions, come back with their distances", () => {
  const next = numbers(7);
  // Two directions at right angles in ten dimensions.
  const first = Array.from({ length: 10 }, next);
  const raw = Array.from({ length: 10 }, next);
  const along = raw.reduce((sum, x, i) => sum + x * first[i], 0) / first.reduce((sum, x) => sum + x * x, 0);
  const second = raw.map((x, i) => x - along * first[i]);
  const [u, v] = [first, second].map((axis) => axis.map((x) => x / Math.hypot(...axis)));
  const flat = Array.from({ length: 21 }, () => [next(), next()]);
  const { points, held } = layInPlane(flat.map(([x, y]) => Float32Array.from(u, (_, i) => 3 + x * u[i] + y * v[i])));
  for (const [i, j] of pairs(21)) assert.ok(Math.abs(distance(points[i], points[j]) - distance(flat[i], flat[j])) < 1e-4);
  assert.ok(held > 0.9999 && held <= 1.0001, `all of the spread is held: ${held}`);
});

test("in general it holds more of the spread than any two coordinates, and says how much", () => {
  const next = numbers(11);
  const vectors = Array.from({ length: 21 }, () => Float32Array.from({ length: 30 }, next));
  const { points, held } = layInPlane(vectors);
  const spread = (all) => {
    const mean = all[0].map((_, i) => all.reduce((sum, x) => sum + x[i], 0) / all.length);
    return all.reduce((sum, x) => sum + distance([...x], mean) ** 2, 0);
  };
  const whole = spread(vectors.map((vector) => [...vector]));
  assert.ok(Math.abs(held - spread(points) / whole) < 1e-6);
  for (const [i, j] of pairs(30)) assert.ok(spread(points) >= spread(vectors.map((vector) => [vector[i], vector[j]])) - 1e-6);
});

test("points that coincide make no NaN", () => {
  const { points, held } = layInPlane(Array.from({ length: 3 }, () => Float32Array.of(0.6, 0.8)));
  assert.deepEqual(points, [[0, 0], [0, 0], [0, 0]]);
  assert.equal(held, 1);
});

test("a map doesn't flip between two key strokes", () => {
  const points = [[1, 2], [-3, 1], [2, -3]];
  assert.deepEqual(orient(points.map(([x, y]) => [-x, y]), [undefined, ...points.slice(1)]), points);
  assert.deepEqual(orient([[-1, -1]], [undefined]), [[1, 1]]);
});

test("labels stay in the frame, off each other and off the ring, and the crowded ones are known", () => {
  const next = numbers(3);
  const frame = { width: 400, height: 330 };
  const asked = { x: 200, y: 165 };
  const points = [{ ...asked, width: 60 }, ...Array.from({ length: 30 }, () => ({ x: 200 + next() * 140, y: 165 + next() * 130, width: 40 + 30 * next() }))];
  const labels = placeLabels(points, 15, frame, asked);
  assert.equal(labels[0].crowded, false, "a hit on the very spot keeps its label, beside the ring");
  const boxes = labels.flatMap(({ dx, dy, anchor, crowded }, i) => {
    const { x, y, width } = points[i];
    const left = x + dx - { start: 0, middle: width / 2, end: width }[anchor];
    return crowded ? [] : [{ left, right: left + width, top: y + dy - 12, bottom: y + dy + 3 }];
  });
  assert.ok(boxes.length >= 10, `${boxes.length} of 31 have room`);
  for (const box of boxes) {
    assert.ok(box.left >= 0 && box.right <= frame.width && box.top >= 0 && box.bottom <= frame.height);
    assert.ok(box.right <= asked.x - 10 || box.left >= asked.x + 10 || box.bottom <= asked.y - 10 || box.top >= asked.y + 10);
  }
  for (const [i, j] of pairs(boxes.length)) {
    const [a, b] = [boxes[i], boxes[j]];
    assert.ok(a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top);
  }
});

test("percentiles by nearest rank, and no digits that the clock doesn't have", () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.deepEqual([percentile(values, 50), percentile(values, 95), percentile([7], 95), percentile([], 50)], [50, 95, 7, undefined]);
  assert.deepEqual([0, 0.04, 0.1, 3.14159, 25.7].map(milliseconds), ["< 0.1 ms", "< 0.1 ms", "0.1 ms", "3.1 ms", "26 ms"]);
});
