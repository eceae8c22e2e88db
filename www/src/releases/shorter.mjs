// A second model that costs nothing: the first numbers of another one's vectors. Those of the demo's model are in the order of how
// much they tell, so what is left is worse and still good.

export const FEWER = 64;

/** @param {ArrayLike<number>} vector */
export function shorten(vector) {
  const short = Float32Array.from({ length: FEWER }, (_, i) => vector[i]);
  const length = Math.hypot(...short);
  return length > 0 ? short.map((x) => x / length) : short;
}
