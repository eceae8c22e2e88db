/** What the command writes into a registry has the published shapes. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { buildIndex, cli } from "./support/cli.mjs";
import { clustered } from "./support/data.mjs";

const schema = (name) => {
  const ajv = addFormats(new Ajv({ allErrors: true, strict: true }));
  return ajv.compile(JSON.parse(readFileSync(new URL(`../../docs/schema/${name}-1.json`, import.meta.url))));
};

test("registry.json and manifests have the shapes that are published", (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "elanus-registry-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const registry = (...args) => execFileSync(cli, ["registry", "--registry", path.join(folder, "registry"), "--json", ...args], { encoding: "utf8" });
  const vectors = clustered({ count: 120, dimension: 8, centres: 4, spread: 0.5, seed: 1 });
  buildIndex(folder, vectors, { card: { name: "words", model: { name: "m", dimension: 8 } } });
  writeFileSync(path.join(folder, "model.bin"), "weights");
  registry("init");
  const index = path.join(folder, "out.elanus");
  const rest = ["--model-file", path.join(folder, "model.bin"), "--data", index, "--notes", "first", "--commit", "abc", "--alias", "champion"];
  const { manifest } = JSON.parse(registry("add", index, "--name", "r1", ...rest));

  const read = (name) => JSON.parse(readFileSync(path.join(folder, "registry", name)));
  const check = { registry: schema("registry"), manifest: schema("manifest") };
  const state = read("registry.json");
  assert.ok(check.registry(state), JSON.stringify(check.registry.errors));
  const whole = read(`objects/${manifest}.json`);
  assert.ok(check.manifest(whole), JSON.stringify(check.manifest.errors));

  const sketch = whole.files.find((file) => file.role === "sketch");
  const sketched = read(sketch.path);
  check.sketch = schema("sketch");
  assert.ok(check.sketch(sketched), JSON.stringify(check.sketch.errors));
  assert.equal(sketched.from, "rows");
  assert.equal(check.sketch({ ...sketched, queries: { ...sketched.queries, spreads: [0] } }), false);
  assert.equal(check.manifest({ ...whole, files: [{ ...sketch, role: "notes" }] }), false);

  // The champion, and another release that was evaluated beside it.
  const queries = path.join(folder, "queries.json");
  writeFileSync(queries, JSON.stringify(vectors.slice(0, 5).map((vector) => [...vector])));
  writeFileSync(path.join(folder, "judged.qrels"), "0 0 0 1\n1 0 1 2\n");
  registry("add", index, "--name", "r2");
  registry("evaluate", "r2", queries, "-k", "1,3", "--exact");
  registry("evaluate", "r2", queries, "--qrels", path.join(folder, "judged.qrels"), "--evaluation", "judged");
  const second = JSON.parse(registry("show", "r2"));
  delete second.manifest;
  assert.deepEqual(second.evaluations.map(({ name, against }) => [name, against.name]), [["queries", "r1"], ["judged", "r1"]]);
  assert.ok(check.manifest(second), JSON.stringify(check.manifest.errors));
  const measures = { ...second.evaluations[0].measures, extra: "good" };
  assert.equal(check.manifest({ ...second, evaluations: [{ ...second.evaluations[0], measures }] }), false);

  const policy = schema("policy");
  const whatIsAsked = { schema_version: 1, evaluation: "judged", minimum: { "ndcg@10": 0.5 }, max_regression: { "mrr@10": 0.01 }, max_bytes: 1e9 };
  assert.ok(policy(whatIsAsked), JSON.stringify(policy.errors));
  writeFileSync(path.join(folder, "registry", "policy.json"), JSON.stringify(whatIsAsked));
  assert.equal(JSON.parse(registry("promote", "r2")).verdict.findings.length, 3);
  assert.equal(policy({ schema_version: 1 }), false);
  assert.equal(policy({ ...whatIsAsked, minimum: { "ndcg@10": "0.5" } }), false);

  assert.equal(check.registry({ ...state, aliases: { "../x": "r1" } }), false);
  assert.equal(check.manifest({ ...whole, files: [{ ...whole.files[0], path: "https://elsewhere/x" }] }), false);
});
