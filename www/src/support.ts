// What the browser lacks, in a sentence that says what to do about it.

// The smallest module with one SIMD instruction in it: `() -> v128 { i32.const 0; i8x16.splat; i8x16.popcnt }`.
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

/** Without this nothing works; undefined when all is there. */
export function lacking(): string | undefined {
  const update = "Any browser of the last few years has it: update this one, or open the page in another.";
  if (typeof WebAssembly !== "object") {
    return `This browser has no WebAssembly, which the search is written in, or it is switched off (some do so in a strict privacy mode). ${update}`;
  }
  if (!WebAssembly.validate(SIMD)) {
    return `This browser’s WebAssembly has no SIMD instructions, which the search needs to compare 117,791 vectors at each key stroke. ${update}`;
  }
  return undefined;
}
