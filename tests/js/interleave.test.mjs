/** Lists of two rankings, and how alike these are: as the native tools make and measure them. */
import assert from "node:assert/strict";
import path from "node:path";
import test, { before } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const source = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../js/src/registry/interleave.ts");
let own;

before(async () => {
  const { outputFiles } = await build({ entryPoints: [source], bundle: true, format: "esm", write: false });
  own = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
});

const hits = (ids) => ids.map((id) => ({ id }));
const letters = { champion: "a", challenger: "b", neither: "-" };
const draft = (...args) => own.teamDraft(...args);
const shown = (list) => list.map(({ hit, team }) => `${hit.id}${letters[team]}`).join(" ");

test("the generator is the native one", () => {
  const random = new own.SplitMix64(1_234_567);
  assert.deepEqual([random.next(), random.next()], [6_457_827_717_110_365_317n, 3_203_168_211_198_807_973n]);
});

test("a seed gives the list that it gives natively", () => {
  // The same as in src/release/interleave.rs.
  const [champion, challenger] = [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [1, 9, 3, 12, 2, 14, 5, 16, 7, 18]].map(hits);
  assert.equal(shown(draft(champion, challenger, 10, 42)), "1- 9b 2a 3- 4a 12b 5a 14b 6a 16b");
  assert.equal(shown(draft(champion, challenger, 10, 2 ** 53 - 1)), "1- 2a 9b 3- 4a 12b 14b 5- 6a 7a");
});

test("every list is fair and whole", () => {
  const champion = hits([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const challenger = hits([14, 13, 12, 11, 10, 9, 8, 7, 6, 5]);
  let first = 0;
  for (let seed = 0; seed < 4000; seed++) {
    const list = draft(champion, challenger, 10, seed);
    assert.equal(new Set(list.map(({ hit }) => hit.id)).size, 10);
    const count = (team) => list.filter((place) => place.team === team).length;
    assert.ok(Math.abs(count("champion") - count("challenger")) <= 1);
    first += list[0].team === "challenger" ? 1 : 0;
    assert.deepEqual(draft(champion, challenger, 6, seed), list.slice(0, 6), "a shorter list is its beginning");
  }
  // Four standard deviations of 4,000 coins.
  assert.ok(Math.abs(first - 2000) < 127, `${first}`);
});

test("what both would choose is nobody's, and so is what one has left", () => {
  assert.equal(shown(draft(hits([1, 2, 3]), hits([1, 2, 3]), 10, 7)), "1- 2- 3-");
  assert.equal(shown(draft(hits([]), hits([4, 5]), 10, 7)), "4- 5-");
  assert.equal(shown(draft(hits([]), hits([]), 10, 7)), "");
  assert.equal(shown(draft(hits([1]), hits([2]), 0, 7)), "");
  assert.deepEqual(draft([{ id: 1n }, { id: "1" }], [{ id: 1n }], 10, 1).map(({ hit }) => hit.id), [1n, "1"]);
});

test("overlap is the longer list's", () => {
  assert.deepEqual([own.overlap([], []), own.overlap([1], []), own.overlap([1, 2, 3, 4], [4, 9])], [1, 0, 0.25]);
});

test("rank-biased overlap is that of the paper's definition", () => {
  const { rankBiasedOverlap: rbo } = own;
  const near = (a, b) => assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`);
  near(rbo([1, 2, 3], [1, 2, 3]), 1);
  assert.deepEqual([rbo([], []), rbo([], [1]), rbo([1], [])], [1, 0, 0]);
  near(rbo([1, 2], [3, 4]), 0);
  // Two lists of equal length by hand: agreement 0 at the first rank, 1 at the second and third.
  const p = 0.9;
  near(rbo([1, 2, 3], [2, 1, 3], p), (1 - p) * (0 + p * 1 + p * p * 1) + p ** 3 * 1);
  for (const [a, b] of [[[1, 2, 3, 4, 5], [5, 1]], [[7, 1, 2], [1, 2, 3, 7]]]) near(rbo(a, b), rbo(b, a));
});
