import { loadHnswlib } from "hnswlib-wasm";

const ROWS_AT_ONCE = 1000;

export async function build({ base, dimension, count }, { m, efConstruction }) {
  const { HierarchicalNSW } = await loadHnswlib();
  const index = new HierarchicalNSW("ip", dimension, "");
  index.initIndex(count, m, efConstruction, 42);
  for (let row = 0; row < count; row += ROWS_AT_ONCE) {
    const end = Math.min(row + ROWS_AT_ONCE, count);
    const rows = Array.from({ length: end - row }, (_, i) => base.slice((row + i) * dimension, (row + i + 1) * dimension));
    index.addPoints(rows, Array.from(rows, (_, i) => row + i), false);
  }
  return {
    search(query, limit, { ef = 40 }) {
      index.setEfSearch(ef);
      const { neighbors, distances } = index.searchKnn(query, limit, undefined);
      return { ids: neighbors, similarities: distances.map((distance) => 1 - distance) };
    },
  };
}
