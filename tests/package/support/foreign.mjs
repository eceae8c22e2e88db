/** Files of other libraries with the libraries' own answers beside them, as tools/fixtures/ writes them. */
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";

/** Distances that differ by no more than this, relative to the largest, are a tie; answers may differ by the other. */
const TIE = 1e-5;
const TOLERANCE = 1e-4;

/** The files of a library below a folder, each with its answers. */
export function fixtures(folder, library) {
  return readdirSync(path.join(folder, library))
    .filter((name) => !/\.(json|jsonl)$/.test(name))
    .map((name) => {
      // Some ids have more digits than a number: they are compared as what is left of them.
      const told = JSON.parse(readFileSync(path.join(folder, library, name.replace(/\.\w+$/, ".json")), "utf8"));
      return { name: `${library}/${name}`, ...told };
    });
}

/** Opens a file and asks for all that its answers tell of. Runs in the page, too. */
export async function ask({ open, source, hints, queries, searches, thread }) {
  const index = await open(source, { ...hints, ...(thread && { thread }) });
  const { count, dimension, metric } = index;
  const found = [];
  for (const { limit, ef, nprobe, search_k: searchK, k_factor: kFactor } of searches) {
    const hits = await index.search(queries, { limit, ef, nprobe, searchK, kFactor });
    found.push(hits.map((hits) => hits.map(({ id, distance }) => [Number(id), distance])));
  }
  await index.close();
  return { count, dimension, metric, found };
}

/** How many ranks were compared, and those that differ by more than a tie. */
export function compare({ name, count, dimension, metric, searches }, answer) {
  for (const [what, found, expected] of [["vectors", answer.count, count], ["dimensions", answer.dimension, dimension], ["metric", answer.metric, metric]]) {
    if (found !== expected) return { ranks: 1, wrong: [`${name}: ${what} ${found} rather than ${expected}`] };
  }
  let ranks = 0;
  const wrong = [];
  for (const [s, { ids, distances }] of searches.entries()) {
    for (const [q, list] of ids.entries()) {
      const expected = list.map((id, rank) => [id, distances[q][rank]]).filter(([id, distance]) => id >= 0 && distance !== null);
      const scale = Math.max(1e-30, ...expected.map(([, distance]) => Math.abs(distance)));
      const found = answer.found[s][q];
      if (found.length !== expected.length) wrong.push(`${name}: ${found.length} hits rather than ${expected.length}`);
      for (const [rank, [id, distance]] of expected.entries()) {
        ranks++;
        const apart = Math.abs((found[rank]?.[1] ?? Infinity) - distance);
        if (apart > TOLERANCE * scale || (found[rank][0] !== id && apart > TIE * scale)) {
          wrong.push(`${name}: ${found[rank]} rather than ${[id, distance]}`);
        }
      }
    }
  }
  return { ranks, wrong };
}
