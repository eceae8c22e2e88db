import type { Piece } from './intervals.js';

/**
 * The list of what is kept of a file: entries of 32 bytes behind each other, each written after the bytes that it speaks of
 * are durable. One that was cut or mangled is none: its bytes are fetched again.
 *
 * ```text
 * f64   first byte of the range
 * f64   the byte behind its last
 * f64   its place in the file of kept bytes
 * u32   0
 * u32   FNV-1a of the 28 bytes before
 * ```
 */
export const ENTRY_BYTES = 32;

export function encodeEntries(pieces: readonly Piece[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(pieces.length * ENTRY_BYTES);
  pieces.forEach(({ from, to, at }, i) => {
    const view = new DataView(out.buffer, i * ENTRY_BYTES, ENTRY_BYTES);
    [from, to, at].forEach((number, n) => view.setFloat64(8 * n, number, true));
    view.setUint32(28, fnv1a(out.subarray(i * ENTRY_BYTES, i * ENTRY_BYTES + 28)), true);
  });
  return out;
}

/** The entries that are whole, and speak of kept bytes that are there. */
export function decodeEntries(bytes: Uint8Array, keptBytes: number, fileBytes: number): Piece[] {
  const out: Piece[] = [];
  for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, ENTRY_BYTES);
    if (view.getUint32(28, true) !== fnv1a(bytes.subarray(at, at + 28))) continue;
    const [from, to, place] = [0, 8, 16].map((offset) => view.getFloat64(offset, true)) as [number, number, number];
    const are = [from, to, place].every(Number.isSafeInteger) && from >= 0 && from < to && to <= fileBytes && place >= 0;
    if (are && place + to - from <= keptBytes) out.push({ from, to, at: place });
  }
  return out;
}

function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
