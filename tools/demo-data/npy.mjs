import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";

/** Writes rows of f32 as a NumPy file (format version 1.0). */
export async function writeNpy(file, rows, dimension, batches) {
  const out = createWriteStream(file);
  out.write(header(rows, dimension));
  for (const batch of batches) {
    const values = new Float32Array(batch.length * dimension);
    batch.forEach((vector, row) => values.set(vector, row * dimension));
    if (!out.write(new Uint8Array(values.buffer))) await new Promise((resolve) => out.once("drain", resolve));
  }
  out.end();
  await finished(out);
}

function header(rows, dimension) {
  const magic = Buffer.from("\x93NUMPY\x01\x00", "latin1");
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${dimension}), }`;
  // The data starts at a multiple of 64; the header ends with a line feed.
  const length = Math.ceil((magic.length + 2 + text.length + 1) / 64) * 64 - magic.length - 2;
  const size = Buffer.alloc(2);
  size.writeUInt16LE(length);
  return Buffer.concat([magic, size, Buffer.from(`${text.padEnd(length - 1)}\n`, "latin1")]);
}
