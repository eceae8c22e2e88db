/** What live queries are compared with: as the native tools do it, and nothing that is no sketch. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import test, { before } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const fixture = (name) => readFileSync(path.join(here, "../fixtures/sketch", name), "utf8");
const text = fixture("sketch.json");
const live = JSON.parse(fixture("live.json"));
let own;

before(async () => {
  const source = 'export * from "./sketch.ts"; export * from "./watch.ts";';
  const { outputFiles } = await build({ stdin: { contents: source, resolveDir: path.join(here, "../../js/src/registry") }, bundle: true, format: "esm", write: false, define: { ELANUS_VERSION: '""' } });
  own = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
});

const read = (changed = text) => own.readSketch(changed, 16, "COSINE");
const near = (found, expected, what) => assert.ok(Math.abs(found - expected) <= 1e-6 * Math.max(1, Math.abs(expected)), `${what}: ${found}, not ${expected}`);

/** Watches these queries as one window. */
function watched(sketch, queries, top1, options = {}) {
  return new Promise((resolve) => {
    const watcher = new own.Watcher(sketch, { window: queries.length, usuallyEmpty: undefined, ...options }, (found) => resolve({ found, state: watcher.state() }));
    queries.forEach((vector, i) => watcher.see({ vector, hits: top1[i] === null ? [] : [{ id: i, row: i, distance: top1[i] }], plain: true }));
  });
}

test("features are those of the native tools", () => {
  const sketch = read();
  const { projected, phi } = own.featuresOf(sketch, live.queries[0]);
  projected.forEach((value, i) => near(value, live.projected[i], `projected ${i}`));
  phi.forEach((value, i) => near(value, live.phi[i], `phi ${i}`));
  const far = (part) => live.queries.map((vector) => Number(own.isFar(part, own.featuresOf(sketch, vector).projected)));
  assert.deepEqual(far(sketch.queries), live.far);
  assert.deepEqual(far(sketch.corpus), live.far_from_corpus);
});

test("a window is judged as natively", async () => {
  const { found, state } = await watched(read(), live.queries, live.top1);
  const { mmd, far, far_from_corpus: corpus, empty, top1 } = live.window;
  const n = live.queries.length;
  near(found.checks.mmd.value, mmd.value, "mmd");
  near(found.checks.mmd.p, mmd.p, "level of mmd");
  for (const [name, expected] of Object.entries({ farFromQueries: far, farFromCorpus: corpus, empty })) {
    near(found.checks[name].share, expected.count / n, name);
    near(found.checks[name].p, expected.p, `level of ${name}`);
  }
  near(found.checks.top1.deviation, top1.d, "top1");
  near(found.checks.top1.p, top1.p, "level of top1");
  assert.deepEqual(found.rang, ["empty", "top1"]);
  assert.deepEqual([state.windows, state.alarms, state.queries, state.last], [1, 1, 0, found]);
});

test("a vector that is written over later was seen as it was, and what usually finds nothing is no alarm", async () => {
  const sketch = read();
  const reused = new Float32Array(16);
  const { found } = await new Promise((resolve) => {
    const watcher = new own.Watcher(sketch, { window: live.queries.length, usuallyEmpty: 0.15 }, (found) => resolve({ found }));
    live.queries.forEach((vector, i) => {
      reused.set(vector);
      watcher.see({ vector: reused, hits: live.top1[i] === null ? [] : [{ id: i, row: i, distance: live.top1[i] }], plain: true });
    });
  });
  near(found.checks.farFromQueries.share, live.window.far.count / live.queries.length, "far");
  assert.deepEqual(found.rang, ["top1"]);
});

test("other queries ring within one window", async () => {
  const others = live.queries.map((vector) => vector.map((x, i) => (i % 2 ? -x : x) + (i === 3 ? 4 : 0)));
  const { found } = await watched(read(), others, others.map(() => 0.1));
  for (const name of ["top1", "mmd"]) assert.ok(found.rang.includes(name), `${name}: ${JSON.stringify(found.checks)}`);
});

test("what is no sketch is refused whole", () => {
  const change = (edit) => {
    const value = JSON.parse(text);
    edit(value);
    return JSON.stringify(value);
  };
  const bad = [
    "", "[]", "null", text.slice(0, -9),
    change((s) => (s.schema_version = 2)), change((s) => (s.dimension = 17)), change((s) => (s.metric = "L2")), change((s) => (s.features = 63)),
    change((s) => (s.features = 1e9)), change((s) => (s.seed = -1)), change((s) => (s.frequencies = "####")), change((s) => (s.frequencies = s.frequencies.slice(4))),
    change((s) => (s.frequency_scale = 0)), change((s) => s.queries.spreads.pop()), change((s) => (s.queries.spreads[0] = 0)), change((s) => s.corpus.mean.pop()),
    change((s) => (s.corpus.mean[3] = "x")), change((s) => (s.queries.null.quantiles = [])), change((s) => s.queries.null.quantiles.reverse()),
    change((s) => s.top1.quantiles.reverse()), change((s) => (s.top1.of = 0)), change((s) => (s.empty = { count: 5, of: 4 })), change((s) => (s.from = "elsewhere")),
    change((s) => delete s.corpus), change((s) => (s.queries.far_above = null)),
  ];
  for (const wrong of bad) assert.throws(() => read(wrong), (error) => error.code === "CORRUPT_REGISTRY", wrong.slice(0, 80));
});
