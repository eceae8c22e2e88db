/** docs/ci/release.sh, as a CI job would run it for the dictionary: with its own senses, and descriptions of them as queries. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { writeNpy } from "../../tools/demo-data/npy.mjs";

const top = (name) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const demo = (name) => top(`build/demo/${name}`);
const cli = process.env.ELANUS_CLI ?? top("target/release/elanus");

const QUERIES = 300;

/** Half of a gloss is asked, and the sense that has it is what should be found. */
async function queriesOf(at, senses) {
  const { loadStaticModel } = await import(top("pkg/embed.js"));
  const model = await loadStaticModel(top("models/wordnet-static"));
  const step = Math.floor(senses.length / QUERIES);
  const asked = [];
  for (let row = 0; asked.length < QUERIES; row++) {
    const words = senses[row * step].gloss.split(" ");
    const [vector] = model.embed([words.slice(0, Math.ceil(words.length / 2)).join(" ")]);
    // Without a word that the model knows it has no direction.
    asked.push({ id: senses[row * step].id, vector: vector.some((x) => x !== 0) ? vector : model.embed([senses[row * step].gloss])[0] });
  }
  await writeNpy(at("queries.npy"), QUERIES, asked[0].vector.length, [asked.map(({ vector }) => vector)]);
  writeFileSync(at("judged.qrels"), asked.map(({ id }, i) => `${i} 0 ${id} 1\n`).join(""));
}

test("a CI job releases the dictionary when it is good enough, and says by how much it isn't", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "elanus-gate-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const at = (name) => join(folder, name);
  await queriesOf(at, readFileSync(demo("metadata.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line)));
  const build = (name, ...options) => {
    const fields = ["--metadata", demo("metadata.jsonl"), "--id-field", "id", "--fields", "pos:VarChar", "--store", "pos,lemmas,gloss"];
    execFileSync(cli, ["build", demo("vectors.npy"), ...fields, "--card", demo("card.json"), "--output", at(name), "--quiet", ...options]);
    return at(name);
  };
  const release = (name, index) => {
    const asked = [at("queries.npy"), "--vectors", demo("vectors.npy"), "--qrels", at("judged.qrels"), "-k", "10"];
    const ran = spawnSync("sh", [top("docs/ci/release.sh"), at("registry"), name, index, ...asked], { cwd: folder, env: { ...process.env, ELANUS: cli }, encoding: "utf8" });
    const gate = () => readFileSync(at("elanus-report/gate.xml"), "utf8");
    return { ...ran, gate };
  };
  const registry = (...args) => JSON.parse(execFileSync(cli, ["registry", "--registry", at("registry"), "--json", ...args], { encoding: "utf8" }));
  const champion = () => registry("list").aliases.champion;

  const scan = build("scan.elanus");
  execFileSync(cli, ["registry", "--registry", at("registry"), "init", "--quiet"]);
  const policy = {
    schema_version: 1,
    minimum: { "knn_recall@10": 0.95 },
    maximum: { empty: 0 },
    max_regression: { "knn_recall@10": 0.01, "recall@10": 0.01 },
    max_bytes: Math.ceil(1.25 * statSync(scan).size),
  };
  writeFileSync(at("registry/policy.json"), JSON.stringify(policy));

  const first = release("scan", scan);
  assert.equal(first.status, 0, first.stderr);
  assert.equal(champion(), "scan");
  assert.match(first.gate(), /failures="0"/);

  const codes = release("codes", build("codes.elanus", "--rerank", "none"));
  assert.equal(codes.status, 1, codes.stderr);
  assert.match(codes.stderr, /knn_recall@10 at least 0\.9500: 0\.\d{4}: missed by 0\.\d{4}/);
  assert.match(codes.stderr, /GATE_REFUSED/);
  assert.doesNotMatch(codes.gate(), /failures="0"/);
  assert.equal(champion(), "scan");

  const finer = release("finer", build("finer.elanus", "--bits", "2"));
  assert.equal(finer.status, 0, finer.stderr);
  assert.equal(champion(), "finer");
  registry("rollback", "--reason", "to see that it goes back");
  assert.equal(champion(), "scan");
  assert.match(readFileSync(at("elanus-report/evaluation.html"), "utf8"), /recall@10/);
  execFileSync(cli, ["registry", "--registry", at("registry"), "verify", "--quiet"]);
});
