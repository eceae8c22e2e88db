import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { bench } from "./support.mjs";

const SCRIPT = fileURLToPath(new URL("../../benches/run.mjs", import.meta.url));

test("a smoke run measures every index type and finds every answer right", async (t) => {
  const out = mkdtempSync(path.join(tmpdir(), "elanus-bench-"));
  t.after(() => rmSync(out, { recursive: true, force: true }));
  const { code, stdout, stderr } = await bench(SCRIPT, "--quick", "--no-native", "--peers", "javascript", "--out", out);
  assert.equal(code, 0, stderr);
  const { datasets } = JSON.parse(readFileSync(path.join(out, "results.json"), "utf8"));
  const { rows } = datasets[0];
  for (const engine of ["FLAT f32", "FLAT int8", "SCAN_RABITQ int8", "SCAN_RABITQ f32", "HNSW int8+f32"]) {
    const own = rows.filter((row) => row.engine === `Elanus ${engine}` && row.setting !== "ef 10");
    assert.ok(own.length > 0, `${engine} is missing`);
    assert.ok(own.some((row) => row.recall > 0.95), `${engine} finds too little`);
    assert.ok(own.every((row) => row.p50 > 0 && row.p95 >= row.p50 && row.buildSeconds > 0 && row.bytes > 0));
  }
  assert.deepEqual(new Set(rows.map((row) => row.place)), new Set(["Chromium, main", "Chromium, worker"]));
  assert.ok(rows.every((row) => row.wrong === undefined));
  assert.match(stdout, /recall@10/);
  assert.match(readFileSync(path.join(out, "report.md"), "utf8"), /\| Elanus HNSW int8\+f32 \| Chromium, main \| ef 40 \|/);
  assert.match(readFileSync(path.join(out, "synthetic.svg"), "utf8"), /^<svg[^]*Elanus FLAT f32[^]*<\/svg>/);
});

test("wrong options are refused with what to do", async () => {
  for (const args of [["--dataset", "none"], ["--rounds", "0"], ["--queries", "many"], ["--unknown"]]) {
    const { code, stderr } = await bench(SCRIPT, ...args);
    assert.notEqual(code, 0);
    assert.match(stderr, /What to do:/, args.join(" "));
  }
  const { code, stdout } = await bench(SCRIPT, "--help");
  assert.equal(code, 0);
  assert.match(stdout, /--quick/);
});
