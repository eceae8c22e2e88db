// Runs in Chromium; driven from outside through globalThis.bench.

const entry = new URLSearchParams(location.search).get("package");
const { open } = await import(new URL(entry, new URL("/pkg/", location.origin)).href);

const indexes = new Map();
let queries = [];

globalThis.bench = {
  async useQueries(url, dimension, count) {
    const numbers = new Float32Array(await bytesOf(url));
    queries = Array.from({ length: count }, (_, i) => numbers.slice(i * dimension, (i + 1) * dimension));
  },

  /** Times are from bytes in memory, as after a download. */
  async open(name, url, thread, hints = {}) {
    const bytes = await bytesOf(url);
    const began = performance.now();
    const index = await open(bytes, { ...hints, thread });
    const opened = performance.now();
    await index.search(queries[0]);
    const answered = performance.now();
    indexes.set(name, index);
    return { openMs: opened - began, firstAnswerMs: answered - began, ...(await index.memory()) };
  },

  async search(name, options, first, last) {
    const index = indexes.get(name);
    const [ids, similarities, ms] = [[], [], []];
    for (const query of queries.slice(first, last)) {
      const began = performance.now();
      const hits = await index.search(query, options);
      ms.push(performance.now() - began);
      ids.push(hits.map((hit) => Number(hit.id)));
      similarities.push(hits.map((hit) => hit.distance));
    }
    return { ids, similarities, ms };
  },

  async closeAll() {
    for (const index of indexes.values()) await index.close();
    indexes.clear();
  },
};

async function bytesOf(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.arrayBuffer();
}
