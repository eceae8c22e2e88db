/**
 * Every cell of metric × index type × rows × filter × save and load, through the packed package in Chromium, against the
 * plain definition. The cells and the recall that each must reach are those of the native test.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { launch, newPage } from "./support/browser.mjs";
import { buildIndex } from "./support/cli.mjs";
import { clustered, distance } from "./support/data.mjs";
import { serve } from "./support/server.mjs";
import { projectWithPage } from "./support/tarball.mjs";

const { k, metrics, types, filters, cases } = JSON.parse(readFileSync(new URL("../table.json", import.meta.url)));
const QUERIES = 6;

/** Rows in clusters, the first of them zero, the last copies of others; and queries like them. */
function draw({ count, dimension, zeros, copies }) {
  const all = clustered({ count: count + QUERIES, dimension, centres: 20, spread: 0.5, seed: count });
  const vectors = all.slice(0, count);
  for (let row = 0; row < zeros; row += 1) vectors[row].fill(0);
  for (let copy = 0; copy < copies; copy += 1) vectors[count - 1 - copy].set(vectors[Math.min(zeros, count - 1) + Math.floor(copy / 3)]);
  return { vectors, queries: all.slice(count), rows: vectors.map((_, n) => ({ n, third: n % 3 })) };
}

/** The mean share of the nearest that was found; a row as near as the k-th counts, whichever it is. */
function recall(metric, { vectors, queries }, { modulus, below }, found, what) {
  const sign = metric === "L2" ? 1 : -1;
  const shares = queries.map((query, i) => {
    // A zero vector has no direction: its similarity is 0.
    const all = vectors.map((vector) => sign * (distance(metric, vector, query) || 0));
    const allowed = (row) => row % modulus === 0 && row < below;
    const nearest = all.filter((_, row) => allowed(row)).sort((a, b) => a - b).slice(0, k);
    const hits = found[i];
    assert.equal(hits.length, nearest.length, what);
    assert.ok(hits.every(([row]) => allowed(row)), what);
    for (let at = 1; at < hits.length; at += 1) {
      const [[row, near], [next, far]] = [hits[at - 1], hits[at]];
      assert.ok(sign * near < sign * far || (near === far && row < next), `${what}: in the order of distance, then of rows`);
    }
    const kth = nearest.at(-1);
    return nearest.length === 0 ? 1 : hits.filter(([row]) => all[row] <= kth + 1e-5 * Math.max(1, Math.abs(kth))).length / nearest.length;
  });
  return shares.reduce((a, b) => a + b, 0) / shares.length;
}

test("every cell reaches its floor, before and after it is saved", async (t) => {
  const { folder, installed } = projectWithPage(t, "table");
  const browser = await launch(t);
  const { origin } = await serve(t, { "/": folder, "/elanus/": installed });
  const { page, complaints } = await newPage(browser, `${origin}/`);
  await page.waitForFunction(() => globalThis.elanus);
  let cells = 0;
  for (const given of cases) {
    const data = draw(given);
    for (const { indexType, bits = 1, m, nbits, rerank, floor, search } of types) {
      for (const metric of metrics) {
        const args = ["--metric", metric, "--index-type", indexType, "--rerank", rerank.join(",") || "none", "--bits", bits, "--ef-construction", "60", "--calibrate", "0"];
        if (m) args.push("--m", Math.min(m, given.dimension));
        if (nbits) args.push("--nbits", nbits);
        buildIndex(folder, data.vectors, { rows: data.rows, args });
        const answers = await page.evaluate(
          async ({ queries, filters, options }) => {
            const bytes = new Uint8Array(await (await fetch("/out.elanus", { cache: "no-store" })).arrayBuffer());
            const ask = async (index) => {
              const found = [];
              for (const { expression } of filters) {
                const lists = await index.search(queries, { ...options, ...(expression && { filter: expression }) });
                found.push(lists.map((hits) => hits.map(({ id, distance }) => [Number(id), distance])));
              }
              return found;
            };
            const index = await elanus.open(bytes);
            const saved = await index.toBytes();
            const before = await ask(index);
            await index.close();
            const again = await elanus.open(new Blob([saved]), { thread: "main" });
            const after = await ask(again);
            await again.close();
            return { before, after, same: saved.length === bytes.length && saved.every((byte, i) => byte === bytes[i]) };
          },
          { queries: data.queries.map((query) => Array.from(query)), filters, options: { limit: k, ...search } },
        );
        const what = `${given.name}, ${indexType} ${metric} in ${bits} bits, ${m} parts of ${nbits}, ${rerank}`;
        assert.ok(answers.same, `${what}: what is saved is what was opened`);
        assert.deepEqual(answers.after, answers.before, what);
        filters.forEach((filter, i) => {
          const reached = recall(metric, data, filter, answers.before[i], `${what} ${filter.expression}`);
          assert.ok(reached >= floor, `${what} ${filter.expression}: recall ${reached}, below ${floor}`);
          cells += 1;
        });
      }
    }
  }
  assert.equal(cells, cases.length * types.length * metrics.length * filters.length);
  assert.deepEqual(complaints, []);
});
