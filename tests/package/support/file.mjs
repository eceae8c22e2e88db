/**
 * A second, independent writer of index files, by docs/format.md: small FLAT files for tests that need no build, and
 * right checksums over wrong bytes for tests of forged ones.
 */

const MAGIC = Buffer.from("\x89ELANUS\n", "latin1");
const HEADER = 128;
const ENTRY = 32;
const ALIGN = 64;

export const KIND = { card: 1, rotation: 2, centroids: 3, lists: 4, codes: 5, keys: 6, rowsI8: 7, rowsF32: 8, columns: 9, fields: 10, graph: 11 };
export const METRIC = { L2: 0, IP: 1, COSINE: 2 };

const MASK = (1n << 64n) - 1n;
const [P1, P2, P3, P4, P5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
];
const rotl = (x, by) => ((x << by) | (x >> (64n - by))) & MASK;
const round = (sum, lane) => (rotl((sum + lane * P2) & MASK, 31n) * P1) & MASK;
const merge = (hash, sum) => ((hash ^ round(0n, sum)) * P1 + P4) & MASK;

/** XXH64 with seed 0 (the published specification). */
export function xxh64(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.byteLength;
  let at = 0;
  let hash;
  if (end >= 32) {
    let [a, b, c, d] = [(P1 + P2) & MASK, P2, 0n, (MASK + 1n - P1) & MASK];
    for (; at + 32 <= end; at += 32) {
      a = round(a, view.getBigUint64(at, true));
      b = round(b, view.getBigUint64(at + 8, true));
      c = round(c, view.getBigUint64(at + 16, true));
      d = round(d, view.getBigUint64(at + 24, true));
    }
    hash = (rotl(a, 1n) + rotl(b, 7n) + rotl(c, 12n) + rotl(d, 18n)) & MASK;
    hash = [a, b, c, d].reduce(merge, hash);
  } else {
    hash = P5;
  }
  hash = (hash + BigInt(end)) & MASK;
  for (; at + 8 <= end; at += 8) {
    hash = (rotl(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4) & MASK;
  }
  if (at + 4 <= end) {
    hash = (rotl(hash ^ ((BigInt(view.getUint32(at, true)) * P1) & MASK), 23n) * P2 + P3) & MASK;
    at += 4;
  }
  for (; at < end; at += 1) hash = (rotl(hash ^ ((BigInt(bytes[at]) * P5) & MASK), 11n) * P1) & MASK;
  hash = ((hash ^ (hash >> 33n)) * P2) & MASK;
  hash = ((hash ^ (hash >> 29n)) * P3) & MASK;
  return hash ^ (hash >> 32n);
}

const aligned = (n) => Math.ceil(n / ALIGN) * ALIGN;

/**
 * Writes a file.
 *
 * @param {{ count: number, dimension: number, metric: number, indexType: number, seed?: bigint }} header
 * @param {[number, Uint8Array][]} sections kind and bytes, in ascending order of kinds
 */
export function writeFile(header, sections) {
  let end = aligned(HEADER + ENTRY * sections.length);
  const places = sections.map(([, bytes]) => {
    const offset = end;
    end = aligned(offset + bytes.length);
    return offset;
  });
  const last = sections.length - 1;
  const length = last < 0 ? HEADER : places[last] + sections[last][1].length;
  const file = Buffer.alloc(length);
  MAGIC.copy(file);
  file.writeUInt32LE(1, 8);
  file.writeUInt32LE(HEADER, 12);
  file.writeBigUInt64LE(BigInt(length), 16);
  file.writeBigUInt64LE(BigInt(header.count), 24);
  file.writeUInt32LE(header.dimension, 32);
  file.set([header.metric, header.indexType, 0, 0], 36);
  file.writeBigUInt64LE(header.seed ?? 0n, 40);
  file.writeUInt32LE(sections.length, 48);
  sections.forEach(([kind, bytes], i) => {
    const entry = HEADER + ENTRY * i;
    file.writeUInt32LE(kind, entry);
    file.writeBigUInt64LE(BigInt(places[i]), entry + 8);
    file.writeBigUInt64LE(BigInt(bytes.length), entry + 16);
    file.set(bytes, places[i]);
  });
  return reseal(file);
}

/** The sections that a file's table states. */
export function sectionsOf(file) {
  return Array.from({ length: file.readUInt32LE(48) }, (_, i) => {
    const entry = HEADER + ENTRY * i;
    return {
      entry,
      kind: file.readUInt32LE(entry),
      offset: Number(file.readBigUInt64LE(entry + 8)),
      length: Number(file.readBigUInt64LE(entry + 16)),
    };
  });
}

/** Makes every checksum right for whatever the bytes now are, as a forger would. */
export function reseal(file) {
  const sections = sectionsOf(file);
  for (const { entry, offset, length } of sections) {
    if (offset + length <= file.length) file.writeBigUInt64LE(xxh64(file.subarray(offset, offset + length)), entry + 24);
  }
  return resealHeader(file);
}

/** The same for header and table only. */
export function resealHeader(file) {
  const table = file.subarray(HEADER, Math.min(file.length, HEADER + ENTRY * file.readUInt32LE(48)));
  file.writeBigUInt64LE(xxh64(table), 56);
  file.writeBigUInt64LE(xxh64(file.subarray(0, HEADER - 8)), HEADER - 8);
  return file;
}

/** A FLAT file of these vectors; COSINE rows are stored normalised. */
export function flatFile(vectors, { metric = "COSINE", card = {}, keys } = {}) {
  const dimension = vectors[0].length;
  const rows = new Float32Array(vectors.length * dimension);
  vectors.forEach((vector, row) => rows.set(metric === "COSINE" ? normalised(vector) : vector, row * dimension));
  const sections = [[KIND.card, Buffer.from(JSON.stringify({ name: "test", fields: [], ...card }))]];
  if (keys) {
    const section = Buffer.alloc(8 + 8 * keys.length);
    section.writeUInt32LE(1, 0);
    keys.forEach((key, row) => section.writeBigInt64LE(BigInt(key), 8 + 8 * row));
    sections.push([KIND.keys, section]);
  }
  sections.push([KIND.rowsF32, new Uint8Array(rows.buffer)]);
  return writeFile({ count: vectors.length, dimension, metric: METRIC[metric], indexType: 0 }, sections);
}

export function normalised(vector) {
  const length = Math.hypot(...vector);
  return vector.map((x) => x / length);
}
