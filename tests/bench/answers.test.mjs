import assert from "node:assert/strict";
import { test } from "node:test";
import { answerRates, judge } from "../../benches/answers.mjs";
import { measure } from "../../benches/measure.mjs";
import { Random } from "../../benches/random.mjs";
import { dot, nearest } from "../../benches/truth.mjs";

const [COUNT, DIMENSION, QUERIES, LIMIT] = [200, 5, 40, 7];

function dataset() {
  const random = new Random(3);
  const draw = (rows) => Float32Array.from({ length: rows * DIMENSION }, () => random.normal());
  const base = draw(COUNT);
  base.copyWithin(50 * DIMENSION, 0, 10 * DIMENSION); // rows 50..60 equal rows 0..10
  return { title: "test", base, queryVectors: draw(QUERIES), dimension: DIMENSION, count: COUNT, queries: QUERIES };
}

/** All rows with their products, nearest first. */
function sorted(data, query) {
  const product = (row) => dot(data.queryVectors, query * DIMENSION, data.base, row * DIMENSION, DIMENSION);
  return Array.from({ length: COUNT }, (_, row) => ({ row, product: product(row) })).sort((a, b) => b.product - a.product);
}

test("the truth is what sorting everything gives", () => {
  const data = dataset();
  const truth = nearest(data, LIMIT);
  for (let query = 0; query < QUERIES; query++) {
    assert.deepEqual([...truth[query]], sorted(data, query).slice(0, LIMIT).map(({ product }) => product));
  }
  assert.equal(nearest({ ...data, count: 3 }, LIMIT)[0].length, 3);
});

test("a product is the sum of products for odd and even dimensions", () => {
  assert.equal(dot([0, 1, 2, 3], 1, [4, 5, 6], 0, 3), 1 * 4 + 2 * 5 + 3 * 6);
  assert.equal(dot([1, 2], 0, [3, 4], 0, 2), 11);
});

test("answers count by distance, and equal rows stand for each other", () => {
  const data = dataset();
  const truth = nearest(data, LIMIT);
  const right = sorted(data, 0).slice(0, LIMIT);
  const ids = right.map(({ row }) => row);
  const said = right.map(({ product }) => product);
  assert.deepEqual(judge(ids, said, 1e-9, 0, data, truth), { found: LIMIT, wanted: LIMIT });
  const twins = ids.map((id) => (id < 10 ? id + 50 : id >= 50 && id < 60 ? id - 50 : id));
  assert.equal(judge(twins, undefined, 0, 0, data, truth).found, LIMIT);
  const worst = sorted(data, 0).at(-1).row;
  assert.equal(judge([...ids.slice(1), worst], undefined, 0, 0, data, truth).found, LIMIT - 1);
});

test("impossible answers are faults", () => {
  const data = dataset();
  const truth = nearest(data, LIMIT);
  const right = sorted(data, 0).slice(0, LIMIT);
  const ids = right.map(({ row }) => row);
  const said = right.map(({ product }) => product);
  const fault = (list, similarities = undefined) => judge(list, similarities, 0.01, 0, data, truth).fault ?? "";
  assert.match(fault(ids.slice(1)), /6 answers where 7/);
  assert.match(fault([ids[0], ids[0], ...ids.slice(2)]), /twice/);
  for (const id of [-1, COUNT, 0.5, NaN]) assert.match(fault([id, ...ids.slice(1)]), /no row/);
  assert.match(fault(ids, said.map((x) => x + 0.02)), /is said to be/);
  assert.match(fault(ids, said.map(() => NaN)), /is said to be/);
});

function runner(data, overrides) {
  const answer = (first, last) => {
    const lists = Array.from({ length: last - first }, (_, i) => sorted(data, first + i).slice(0, LIMIT));
    return { ids: lists.map((list) => list.map(({ row }) => row)), ms: lists.map((_, i) => 0.1 + 0.01 * i) };
  };
  return { engine: "test", setting: "exact", place: "here", floor: 0.9, tolerance: 0, about: { bytes: 1000 }, run: answer, ...overrides };
}

test("every query is timed in every round and judged once", async () => {
  const data = dataset();
  const truth = nearest(data, LIMIT);
  const calls = [];
  const honest = runner(data);
  const watched = { ...honest, run: (first, last) => (calls.push([first, last]), honest.run(first, last)) };
  const far = (query) => sorted(data, query).slice(-LIMIT).map(({ row }) => row);
  const blind = { ...honest, setting: "blind", run: (first, last) => ({ ids: Array.from({ length: last - first }, (_, i) => far(first + i)), ms: Array(last - first).fill(1) }) };
  const slow = { ...honest, setting: "slow", run: (first, last) => ({ ...honest.run(first, last), ms: Array(last - first).fill(100) }) };
  const rows = await measure({ runners: [watched, blind, slow], dataset: data, truth, limit: LIMIT, rounds: 2, log: () => {} });
  assert.deepEqual(calls.slice(1), [[0, 25], [25, 40], [0, 25], [25, 40]]);
  assert.deepEqual(rows.map((row) => row.recall === 1), [true, false, true]);
  assert.ok(rows[0].p50 > 0.1 && rows[0].p95 > rows[0].p50 && rows[0].bytesPerVector === 5);
  assert.match(rows[1].wrong, /below its floor/);
  assert.deepEqual([rows[0].wrong, rows[2].p50], [undefined, 100]);
  const report = { datasets: [{ title: "T", rows }] };
  assert.deepEqual(answerRates(report).length, 1);
});
