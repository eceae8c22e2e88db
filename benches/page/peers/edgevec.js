// EdgeVec gives out its own row numbers, in order. Its scores differ by metric, so only its ids are judged.

import init, { EdgeVec, EdgeVecConfig } from "edgevec";

const ROWS_AT_ONCE = 1000;

export async function build({ base, dimension, count }, { metric, m, efConstruction, ef, rescored }) {
  await init();
  const config = new EdgeVecConfig(dimension);
  config.metric = metric;
  if (m !== undefined) {
    config.m = m;
    config.m0 = 2 * m;
  }
  if (efConstruction !== undefined) config.ef_construction = efConstruction;
  if (ef !== undefined) config.ef_search = ef;
  const index = new EdgeVec(config);
  if (rescored && !index.hasBQ()) index.enableBQ();
  const [first] = index.insertBatchFlat(base.slice(0, dimension), 1);
  for (let row = 1; row < count; row += ROWS_AT_ONCE) {
    const end = Math.min(row + ROWS_AT_ONCE, count);
    index.insertBatchFlat(base.slice(row * dimension, end * dimension), end - row);
  }
  return {
    search(query, limit, { factor }) {
      const hits = factor === undefined ? index.search(query, limit) : index.searchBQRescored(query, limit, factor);
      return { ids: hits.map(({ id }) => id - first) };
    },
  };
}
