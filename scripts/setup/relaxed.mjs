import { readFileSync } from "node:fs";

/** What the module says of itself in a custom section of this name: see js/src/wasm.ts. */
const SECTION = "simd";

/**
 * The module with `i8x16.relaxed_swizzle` in place of every `i8x16.swizzle`, and nothing else changed.
 *
 * For indices below 16 both are defined alike, and the crate has no others (src/distance/simd128.rs). Told of relaxed
 * SIMD, the compiler would use of it what it likes, and some of that gives other bits on other hosts.
 *
 * @param {string} file a module
 * @returns {Promise<Uint8Array>}
 */
export async function relaxed(file) {
  // Imported here: this file is loaded before the dependencies are installed.
  const { default: binaryen } = await import("binaryen");
  const strict = binaryen.readBinary(readFileSync(file));
  const text = strict.emitText();
  const features = strict.getFeatures() | binaryen.Features.RelaxedSIMD;
  strict.dispose();
  const changed = text.replaceAll("(i8x16.swizzle", "(i8x16.relaxed_swizzle");
  if (changed === text) throw new Error(`${file} has no i8x16.swizzle: its SIMD was lost`);
  const module = binaryen.parseText(changed);
  module.setFeatures(features);
  module.addCustomSection(SECTION, new TextEncoder().encode("relaxed-simd"));
  if (!module.validate()) throw new Error(`${file} isn't valid any more with relaxed SIMD`);
  const bytes = module.emitBinary();
  module.dispose();
  return bytes;
}
