export const FEWER: number;
export function shorten(vector: ArrayLike<number>): Float32Array;
