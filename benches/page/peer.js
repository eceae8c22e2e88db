// One engine of somebody else, in a tab of its own; driven from outside through globalThis.bench.
//
// A module in peers/ exports `build(data, options)`: an index over data = { base, dimension, count }, as
// { search(query, limit, options) }, which gives { ids, similarities? } or the promise of it.

const memories = new Set();
watchMemories();

const { build } = await import(`./peers/${new URLSearchParams(location.search).get("module")}.js`);

let index;
let queries = [];

globalThis.bench = {
  async useDataset(baseUrl, queriesUrl, dimension, count) {
    const numbers = new Float32Array(await bytesOf(queriesUrl));
    queries = Array.from({ length: count }, (_, i) => numbers.slice(i * dimension, (i + 1) * dimension));
    const base = new Float32Array(await bytesOf(baseUrl));
    return { base, dimension, count: base.length / dimension };
  },

  async build(dataset, options) {
    const data = await globalThis.bench.useDataset(...dataset);
    const began = performance.now();
    index = await build(data, options);
    const built = performance.now();
    await index.search(queries[0], 10, {});
    return { buildSeconds: (built - began) / 1000, firstAnswerMs: performance.now() - built };
  },

  async search(limit, options, first, last) {
    const [ids, similarities, ms] = [[], [], []];
    for (const query of queries.slice(first, last)) {
      const began = performance.now();
      const answer = await index.search(query, limit, options);
      ms.push(performance.now() - began);
      ids.push(Array.from(answer.ids, Number));
      if (answer.similarities) similarities.push(Array.from(answer.similarities));
    }
    return { ids, similarities: similarities.length > 0 ? similarities : undefined, ms };
  },

  /** The engine's WebAssembly memory and whatever JavaScript's side of the tab holds. */
  async memory() {
    const module = [...memories].reduce((sum, memory) => sum + memory.buffer.byteLength, 0);
    const measured = await performance.measureUserAgentSpecificMemory?.();
    return module + (measured?.bytes ?? 0);
  },
};

/** The browser's own measure leaves WebAssembly memory out, so modules are asked for it as they start. */
function watchMemories() {
  for (const name of ["instantiate", "instantiateStreaming"]) {
    const original = WebAssembly[name];
    WebAssembly[name] = async (source, imports, ...rest) => {
      const result = await original(source, imports, ...rest);
      const exported = Object.values((result.instance ?? result).exports);
      const imported = Object.values(imports ?? {}).flatMap((names) => Object.values(names));
      for (const value of [...exported, ...imported]) if (value instanceof WebAssembly.Memory) memories.add(value);
      return result;
    };
  }
}

async function bytesOf(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.arrayBuffer();
}
