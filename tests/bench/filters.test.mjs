import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { judge } from "../../benches/answers.mjs";
import { bench } from "./support.mjs";

const SCRIPT = fileURLToPath(new URL("../../benches/filters.mjs", import.meta.url));

test("a smoke run goes from all rows to one and finds every answer right", async (t) => {
  const out = mkdtempSync(path.join(tmpdir(), "elanus-filters-"));
  t.after(() => rmSync(out, { recursive: true, force: true }));
  const { code, stdout, stderr } = await bench(SCRIPT, "--quick", "--out", out);
  assert.equal(code, 0, stderr);
  const { count, rows } = JSON.parse(readFileSync(path.join(out, "results.json"), "utf8")).datasets[0];
  for (const engine of ["FLAT", "SCAN_RABITQ", "IVF_RABITQ", "IVF_FLAT", "HNSW"]) {
    const own = rows.filter((row) => row.engine === engine);
    assert.deepEqual(own.map(({ pass }) => pass / count), [1, 0.5, 0.1, 0.01, 0.001, 1 / count]);
    assert.ok(own.every((row) => row.p50 > 0 && row.wrong === undefined));
    assert.ok(own.filter((row) => row.pass <= 200).every((row) => row.recall === 1), engine);
  }
  assert.match(stdout, /one row/);
  assert.match(readFileSync(path.join(out, "report.md"), "utf8"), /\| 0\.1 % \|/);
  assert.match(readFileSync(path.join(out, "filters.svg"), "utf8"), /^<svg[^]*IVF_RABITQ[^]*<\/svg>/);
});

test("a row that doesn't pass is a fault", () => {
  const dataset = { base: [1, 0, 0, 1], queryVectors: [1, 0], dimension: 2, count: 2, passes: (row) => row === 1 };
  const truth = [Float64Array.of(0)];
  assert.equal(judge([1], [0], 1e-6, 0, dataset, truth).found, 1);
  assert.match(judge([0], [1], 1e-6, 0, dataset, truth).fault, /row 0 doesn't pass/);
});

test("wrong options are refused with what to do", async () => {
  for (const args of [["--dataset", "none"], ["--rounds", "0"], ["--unknown"]]) {
    const { code, stderr } = await bench(SCRIPT, ...args);
    assert.notEqual(code, 0);
    assert.match(stderr, /What to do:[^]*bench:filters|Choose from/, args.join(" "));
  }
});
