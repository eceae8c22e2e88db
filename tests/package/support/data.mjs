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
  if (metric === "L2") return squared(a, b);
  return metric === "IP" ? dot(a, b) : dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i] * b[i];
  return sum;
}

function squared(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

/** The `k` nearest rows, best first. */
export function exact(metric, vectors, query, k) {
  const sign = metric === "L2" ? 1 : -1;
  const distances = Float64Array.from(vectors, (vector) => distance(metric, vector, query));
  const kth = distances.map((d) => sign * d).sort()[Math.min(k, vectors.length) - 1];
  return Array.from(distances, (d, row) => ({ row, distance: d }))
    .filter(({ distance: d }) => sign * d <= kth)
    .sort((a, b) => sign * (a.distance - b.distance) || a.row - b.row)
    .slice(0, k);
}
