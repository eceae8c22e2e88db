/** Vectors made of a seed, and what an exact search over them finds. */

/** Uniform numbers in 0..1 (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Vectors in clusters, as embeddings are: `count` rows around `centres` points. */
export function clustered({ count, dimension, centres = 50, spread = 0.6, seed }) {
  const next = random(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const around = Array.from({ length: centres }, () => Float32Array.from({ length: dimension }, normal));
  return Array.from({ length: count }, () => {
    const centre = around[Math.floor(next() * centres)];
    return centre.map((x) => x + spread * normal());
  });
}

/** What callers see as `distance`, in double precision. */
export function distance(metric, a, b) {
  let [dot, aa, bb, l2] = [0, 0, 0, 0];
  for (let i = 0; i < a.length; i += 1) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
    l2 += (a[i] - b[i]) ** 2;
  }
  if (metric === "L2") return l2;
  return metric === "IP" ? dot : dot / Math.sqrt(aa * bb);
}

/** The `k` nearest rows, best first. */
export function exact(metric, vectors, query, k) {
  const sign = metric === "L2" ? 1 : -1;
  return vectors
    .map((vector, row) => ({ row, distance: distance(metric, vector, query) }))
    .sort((a, b) => sign * (a.distance - b.distance) || a.row - b.row)
    .slice(0, k);
}
