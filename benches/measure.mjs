import { judge } from "./answers.mjs";
import { Random } from "./random.mjs";

/** Queries that are run in one go before the next setting has its turn. */
const CHUNK = 25;

/** Settings slower than this (ms) answer only the first queries: enough to see that they are slow. */
const SLOW = 4;
const SLOW_QUERIES = 50;

/**
 * Times every runner over the queries, in short turns in changing order, so that whatever else the
 * machine does hits all alike.
 *
 * A runner has { engine, setting, floor, tolerance, about, run(first, last) }, and run gives
 * { ids, similarities?, ms }, each with one entry a query. One that searches among some of the rows has a truth of its
 * own and says which rows those are: { truth, passes(row) }.
 */
export async function measure({ runners, dataset, truth, limit, rounds, log }) {
  const states = [];
  for (const runner of runners) {
    const warm = await runner.run(0, Math.min(5, dataset.queries));
    const slow = Math.min(...warm.ms) > SLOW;
    states.push({ runner, queries: slow ? Math.min(SLOW_QUERIES, dataset.queries) : dataset.queries, ms: [], found: 0, wanted: 0 });
  }
  const random = new Random(7);
  for (let round = 0; round < rounds; round++) {
    log(`measuring ${states.length} settings, round ${round + 1} of ${rounds}`);
    for (let first = 0; first < dataset.queries; first += CHUNK) {
      for (const turn of random.permutation(states.length)) {
        const state = states[turn];
        const last = Math.min(first + CHUNK, state.queries);
        if (first >= last) continue;
        const answer = await state.runner.run(first, last);
        state.ms.push(...answer.ms);
        if (round === 0) take(state, answer, first, dataset, truth);
      }
    }
  }
  return states.map((state) => summary(state, dataset, limit));
}

function take(state, { ids, similarities }, first, dataset, all) {
  const { tolerance, truth = all, passes } = state.runner;
  for (const [i, list] of ids.entries()) {
    const { found, wanted, fault } = judge(list, similarities?.[i], tolerance, first + i, { ...dataset, passes }, truth);
    state.found += found;
    state.wanted += wanted;
    state.fault ??= fault;
  }
}

function summary({ runner, ms, found, wanted, fault, queries }, { count }, limit) {
  const sorted = Float64Array.from(ms).sort();
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  const recall = found / wanted;
  const low = recall < runner.floor ? `recall@${limit} ${recall.toFixed(3)} is below its floor of ${runner.floor}` : undefined;
  return {
    engine: runner.engine,
    setting: runner.setting,
    place: runner.place,
    recall,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    mean: sorted.reduce((sum, x) => sum + x, 0) / sorted.length,
    queries,
    ...runner.about,
    peer: runner.peer,
    bytesPerVector: runner.about.bytes === undefined ? undefined : runner.about.bytes / count,
    wrong: fault ?? low,
  };
}
