// The package is made for bundlers; this loads the same module without one. Voy tells no distances.

import * as bindings from "voy-search";

const ROWS_AT_ONCE = 5000;

export async function build({ base, dimension, count }) {
  const module = await WebAssembly.instantiateStreaming(fetch("/modules/voy-search/voy_search_bg.wasm"), {
    "./voy_search_bg.js": bindings,
  });
  bindings.__wbg_set_wasm(module.instance.exports);
  const rows = (from, to) => ({
    embeddings: Array.from({ length: to - from }, (_, i) => {
      const row = from + i;
      const embeddings = Array.from(base.subarray(row * dimension, (row + 1) * dimension));
      return { id: String(row), title: "", url: "", embeddings };
    }),
  });
  const index = new bindings.Voy(rows(0, Math.min(ROWS_AT_ONCE, count)));
  for (let row = ROWS_AT_ONCE; row < count; row += ROWS_AT_ONCE) index.add(rows(row, Math.min(row + ROWS_AT_ONCE, count)));
  return { search: (query, limit) => ({ ids: index.search(query, limit).neighbors.map(({ id }) => Number(id)) }) };
}
