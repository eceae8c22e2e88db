// A file of vectors, whatever wrote it, as an open index.

import { build, ElanusError, open, type Index, type OpenOptions, type Progress } from "elanus";
import { parse } from "npyjs";

/** What the visitor says of a file that can't say it itself. */
export interface Told {
  format?: NonNullable<OpenOptions["format"]>;
  metric?: string;
  dimension?: number;
}

export interface Opened {
  index: Index;
  /** What was done with the file to make an index of it, if it was none. */
  made: string | undefined;
}

const NPY = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** Metrics that an index of bare vectors can have. */
export const OWN_METRICS = ["COSINE", "IP", "L2"] as const;

export async function openFile(file: File, told: Told, report: (done: number, total: number | undefined) => void, signal: AbortSignal): Promise<Opened> {
  const start = new Uint8Array(await file.slice(0, NPY.length).arrayBuffer());
  if (NPY.every((byte, i) => start[i] === byte)) return fromVectors(file, told, report, signal);
  const options: OpenOptions = { signal, onProgress: ({ loaded, total }: Progress) => report(loaded, total) };
  if (told.format) options.format = told.format;
  if (told.metric) options.metric = told.metric;
  if (told.dimension) options.dimension = told.dimension;
  return { index: await open(file, options), made: undefined };
}

/** Vectors without an index get one. */
async function fromVectors(file: File, told: Told, report: (done: number, total: number | undefined) => void, signal: AbortSignal): Promise<Opened> {
  const { data, shape, dtype, fortranOrder } = parse(await file.arrayBuffer());
  const [count, dimension] = shape;
  if (shape.length !== 2 || !count || !dimension) {
    throw new TypeError(`the .npy holds an array of shape (${shape.join(", ")}), where rows × dimensions are needed`);
  }
  if (!/^[fiu][1248]$/.test(dtype) || fortranOrder) {
    throw new TypeError(`the .npy holds ${dtype} in ${fortranOrder ? "columns" : "rows"}, where numbers in rows are needed`);
  }
  const metric = OWN_METRICS.find((name) => name === told.metric) ?? "COSINE";
  const vectors = data instanceof Float32Array ? data : Float32Array.from(data as unknown as ArrayLike<number>, Number);
  const indexType = "AUTOINDEX";
  const index = await build(vectors, { dimension, metric, indexType, signal, onProgress: ({ done, total }) => report(done, total) });
  return { index, made: `built here from the vectors of a .npy (${dtype})` };
}

/** Vectors handed to a build at once: bounded memory beside the file's own. */
const ROWS_AT_ONCE = 4096;

/** An `.elanus` file, and whether it is the index as it was, with its lists or links, or one built anew. */
export interface Saved {
  blob: Blob;
  kept: boolean;
}

/** The open index as an `.elanus` file: the same index where one can be, else the same vectors, ids and metric, indexed anew. */
export async function asElanus(index: Index, report: (done: number, total: number | undefined) => void, signal: AbortSignal): Promise<Saved> {
  try {
    return { blob: await index.toBlob(), kept: true };
  } catch (error) {
    if (!(error instanceof ElanusError && error.code === "UNSUPPORTED_FORMAT")) throw error;
  }
  return { blob: await rebuilt(index, report, signal), kept: false };
}

async function rebuilt(index: Index, report: (done: number, total: number | undefined) => void, signal: AbortSignal): Promise<Blob> {
  const { count, dimension } = index;
  const all = new Float32Array(count * dimension);
  const keys: (number | bigint)[] = [];
  for (let first = 0; first < count; first += ROWS_AT_ONCE) {
    const rows = Uint32Array.from({ length: Math.min(ROWS_AT_ONCE, count - first) }, (_, i) => first + i);
    const { ids, vectors } = await index.vectors(rows, { signal });
    all.set(vectors, first * dimension);
    keys.push(...(ids as (number | bigint)[]));
    report(first + rows.length, count);
  }
  const metric = /^(IP|DOT)/.test(index.metric) ? "IP" : /COSINE|ANGULAR/.test(index.metric) ? "COSINE" : "L2";
  const built = await build(all, {
    dimension,
    metric,
    ids: keys,
    indexType: "AUTOINDEX",
    signal,
    onProgress: ({ done, total }) => report(done, total),
  });
  try {
    return await built.toBlob();
  } finally {
    await built.close();
  }
}

/** Metrics whose order an `.elanus` file of the same vectors keeps. */
export function canSave(index: Index): boolean {
  return index.format === "elanus" || (!index.binary && /^(L2|EUCLIDEAN|IP|COSINE|IP_DISTANCE|COSINE_DISTANCE|ANGULAR)$/.test(index.metric));
}
