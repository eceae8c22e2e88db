/** Queries whose products with a row are taken while the row is in cache. */
const BLOCK = 16;

/**
 * The products of each query with its `limit` nearest rows, largest first, in f64: what answers are
 * held against.
 *
 * @returns {Float64Array[]}
 */
export function nearest({ base, queryVectors, dimension, count, queries }, limit) {
  const best = Array.from({ length: queries }, () => new Float64Array(Math.min(limit, count)).fill(-Infinity));
  for (let first = 0; first < queries; first += BLOCK) {
    const last = Math.min(first + BLOCK, queries);
    for (let row = 0; row < count; row++) {
      for (let query = first; query < last; query++) {
        const product = dot(queryVectors, query * dimension, base, row * dimension, dimension);
        const top = best[query];
        if (product > top[top.length - 1]) insert(top, product);
      }
    }
  }
  return best;
}

export function dot(a, atA, b, atB, dimension) {
  let [x, y, i] = [0, 0, 0];
  for (; i + 1 < dimension; i += 2) {
    x += a[atA + i] * b[atB + i];
    y += a[atA + i + 1] * b[atB + i + 1];
  }
  if (i < dimension) x += a[atA + i] * b[atB + i];
  return x + y;
}

function insert(top, product) {
  let at = top.length - 1;
  while (at > 0 && top[at - 1] < product) {
    top[at] = top[at - 1];
    at -= 1;
  }
  top[at] = product;
}
