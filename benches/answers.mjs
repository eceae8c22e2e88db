import { dot } from "./truth.mjs";

/** Products this close count as equal: f32 engines can't order them. */
const TIE = 1e-6;

/**
 * Holds answers to one query against the truth.
 *
 * @param {number[]} ids rows, nearest first
 * @param {number[] | undefined} similarities what the engine says of them, if it does
 * @param {number} tolerance how far it may be off
 * @returns {{ found: number, wanted: number, fault?: string }}
 */
export function judge(ids, similarities, tolerance, query, dataset, truth) {
  const { base, queryVectors, dimension, count, passes } = dataset;
  const wanted = truth[query].length;
  const fault = (text) => ({ found: 0, wanted, fault: `query ${query}: ${text}` });
  if (ids.length !== wanted) return fault(`${ids.length} answers where ${wanted} were asked for`);
  if (new Set(ids).size !== ids.length) return fault("a row comes twice");
  let found = 0;
  for (const [at, id] of ids.entries()) {
    if (!Number.isInteger(id) || id < 0 || id >= count) return fault(`${id} is no row`);
    if (passes && !passes(id)) return fault(`row ${id} doesn't pass the filter`);
    const product = dot(queryVectors, query * dimension, base, id * dimension, dimension);
    if (similarities && !(Math.abs(similarities[at] - product) <= tolerance)) {
      return fault(`row ${id} is said to be ${similarities[at]} near, but is ${product}`);
    }
    if (product >= truth[query][wanted - 1] - TIE) found += 1;
  }
  return { found, wanted };
}

/** A line for each row of ours whose answers are wrong. What others do wrong is said in the table and isn't our failure. */
export function answerRates(report) {
  return report.datasets.flatMap(({ title, rows }) =>
    rows.filter((row) => row.wrong && !row.peer).map((row) => `${title}: ${row.engine} ${row.setting}: ${row.wrong}`),
  );
}
