// Lays points in a plane so that their distances there are as near as they can be to the real ones:
// classical scaling (Torgerson 1952), which for Euclidean distances is the same as PCA.

export interface Plane {
  /** One [x, y] a vector, centred, in the units of the distances. */
  points: [number, number][];
  /** How much of the squared spread the two directions hold, 0 to 1. */
  held: number;
}

export function layInPlane(vectors: readonly Float32Array[]): Plane {
  const n = vectors.length;
  const gram = vectors.map((a) => vectors.map((b) => a.reduce((sum, x, i) => sum + x * b[i]!, 0)));
  const means = gram.map((row) => row.reduce((a, b) => a + b, 0) / n);
  const mean = means.reduce((a, b) => a + b, 0) / n;
  const centred = gram.map((row, i) => row.map((value, j) => value - means[i]! - means[j]! + mean));
  const spread = centred.reduce((sum, row, i) => sum + row[i]!, 0);
  const { values, vectors: axes } = symmetricEigen(centred);
  const order = values.map((_, i) => i).sort((a, b) => values[b]! - values[a]!);
  const axis = (rank: number) => {
    const i = order[rank];
    if (i === undefined || values[i]! <= 1e-12) return { length: 0, at: () => 0 };
    const length = Math.sqrt(values[i]!);
    return { length, at: (point: number) => length * axes[point]![i]! };
  };
  const [first, second] = [axis(0), axis(1)];
  return {
    points: vectors.map((_, i) => [first.at(i), second.at(i)]),
    held: spread > 1e-12 ? (first.length ** 2 + second.length ** 2) / spread : 1,
  };
}

/** Jacobi's rotations: slow for large matrices and exact for the twenty-odd rows of a map. */
function symmetricEigen(matrix: number[][]): { values: number[]; vectors: number[][] } {
  const n = matrix.length;
  const a = matrix.map((row) => [...row]);
  const v = a.map((_, i) => a.map((_, j): number => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < 50; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off += a[p]![q]! ** 2;
    if (off < 1e-18) break;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (Math.abs(a[p]![q]!) < 1e-15) continue;
        const theta = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!);
        const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(t, 1);
        const s = t * c;
        for (let k = 0; k < n; k++) {
          const [akp, akq] = [a[k]![p]!, a[k]![q]!];
          a[k]![p] = c * akp - s * akq;
          a[k]![q] = s * akp + c * akq;
        }
        for (let k = 0; k < n; k++) {
          const [apk, aqk] = [a[p]![k]!, a[q]![k]!];
          a[p]![k] = c * apk - s * aqk;
          a[q]![k] = s * apk + c * aqk;
          const [vkp, vkq] = [v[k]![p]!, v[k]![q]!];
          v[k]![p] = c * vkp - s * vkq;
          v[k]![q] = s * vkp + c * vkq;
        }
      }
    }
  }
  return { values: a.map((row, i) => row[i]!), vectors: v };
}

/**
 * An axis has no natural sign. Keeps to where the points were in the last map, or else puts the first
 * point on the right and above, so that a map doesn't flip from one key stroke to the next.
 */
export function orient(points: [number, number][], before: readonly ([number, number] | undefined)[]): [number, number][] {
  const sign = (axis: 0 | 1) => {
    const agreement = points.reduce((sum, point, i) => sum + point[axis] * (before[i]?.[axis] ?? 0), 0);
    return Math.sign(agreement || points[0]?.[axis] || 1);
  };
  const [x, y] = [sign(0), sign(1)];
  return points.map((point) => [point[0] * x, point[1] * y]);
}
