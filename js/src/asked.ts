import { ElanusError, invalid } from './errors.js';
import { describe, flatten, isBatch, joinBits, type Vector } from './options.js';

/**
 * A vector of which only the dimensions that aren't 0 are named: `{ indices: [3, 17], values: [0.5, 1.2] }` or
 * `{ 3: 0.5, 17: 1.2 }`. Values aren't negative.
 */
export type SparseVector =
  | { readonly indices: ArrayLike<number>; readonly values: ArrayLike<number> }
  | { readonly [dimension: number]: number };

/** What can be asked: a dense vector (of bits, its bytes), words, or a sparse vector. */
export type Query = Vector | string | SparseVector;

/** A sparse vector as it goes to the core. */
export interface Sparse {
  readonly indices: Uint32Array;
  readonly values: Float32Array;
}

/** One query as it goes to the core: floats, the bytes of bits, words, a sparse vector. */
export type Asked = Float32Array | Uint8Array | string | Sparse;

/** Queries of one kind: dense vectors lie one after the other. */
export type Queries = Float32Array | Uint8Array | readonly (string | Sparse)[];

/** Longer texts are a mistake or an attack: a page of a book has some thousand characters. */
const MAX_TEXT_CHARS = 1 << 20;
const MAX_DIMENSION = 2 ** 32 - 2;

/** Which of a file's indexes a query is for. */
export type AskedKind = 'vector' | 'text' | 'sparse';

export function kindOf(query: unknown): AskedKind {
  if (typeof query === 'string') return 'text';
  const isList = Array.isArray(query) || ArrayBuffer.isView(query);
  return typeof query === 'object' && query !== null && !isList ? 'sparse' : 'vector';
}

/** Whether the argument of `search` is many queries and not one. */
export function areMany(given: unknown): given is readonly Query[] {
  return isBatch(given) || (Array.isArray(given) && typeof given[0] === 'string');
}

/** The vectors that an index holds. */
export interface Held {
  readonly dimension: number;
  readonly binary: boolean;
}

/** Checks queries, all of the first one's kind. */
export function readQueries(given: readonly Query[], held: Held): Queries {
  const kind = kindOf(given[0]);
  const other = given.findIndex((query) => kindOf(query) !== kind);
  if (other >= 0) {
    throw invalid(`query 0 is a ${kind}, but query ${other} is ${describe(given[other])}; ask for each kind on its own, or fuse them with hybridSearch`);
  }
  if (kind === 'vector') return denseQueries(given as readonly Vector[], held);
  return given.map((query) => (typeof query === 'string' ? readText(query) : readSparse(query as SparseVector)));
}

/** Checks one query. */
export function readQuery(given: Query, held: Held): Asked {
  const queries = readQueries([given], held);
  return queries instanceof Float32Array || queries instanceof Uint8Array ? queries : queries[0]!;
}

function denseQueries(vectors: readonly Vector[], { dimension, binary }: Held): Float32Array | Uint8Array {
  if (dimension === 0) throw invalid('the index file holds no dense vectors: ask it with words or a sparse vector');
  return binary ? joinBits(vectors, dimension) : flatten(vectors, dimension);
}

function readText(text: string): string {
  if (text.length > MAX_TEXT_CHARS) throw invalid(`a text query has at most ${MAX_TEXT_CHARS} characters, not ${text.length}`);
  return text;
}

function readSparse(given: SparseVector): Sparse {
  const lists = given as { indices?: ArrayLike<number>; values?: ArrayLike<number> };
  const isLists = typeof lists.indices === 'object' && typeof lists.values === 'object' && lists.indices !== null && lists.values !== null;
  const indices = isLists ? Array.from(lists.indices!) : Object.keys(given).map(Number);
  const values: unknown[] = isLists ? Array.from(lists.values!) : Object.values(given);
  if (indices.length !== values.length) {
    throw notSparse(`it has ${indices.length} indices but ${values.length} values`);
  }
  indices.forEach((index, i) => {
    if (!Number.isInteger(index) || index < 0 || index > MAX_DIMENSION) throw notSparse(`${describe(index)} is no dimension`);
    const value = values[i];
    if (typeof value !== 'number' || !(value >= 0) || !Number.isFinite(Math.fround(value))) {
      throw notSparse(`dimension ${index} has ${describe(value)}, where a number that isn't negative is needed`);
    }
  });
  return { indices: Uint32Array.from(indices), values: Float32Array.from(values as number[]) };
}

const notSparse = (why: string): ElanusError =>
  new ElanusError('INVALID_VECTOR', `this is no sparse vector: ${why}; write it as { indices: [3, 17], values: [0.5, 1.2] } or { 3: 0.5, 17: 1.2 }`);
