import { ElanusError, invalid } from './errors.js';
import type { AskedKind } from './asked.js';
import type { Card, ModelSource } from './card.js';
import type { IteratorOptions, Key, Metric, SearchOptions, SearchPlan } from './engine.js';

/** What a vector may be: floats, or anything that holds numbers in order; of bits a Uint8Array, or an array of bytes, of 8 bits each. */
export type Vector = Float32Array | Float64Array | Float16 | Int8Array | Uint8Array | readonly number[];

/** Floats of 16 bits, where the language has them. */
export type Float16 = typeof globalThis extends { Float16Array: { prototype: infer T extends ArrayLike<number> } } ? T : never;

/** What arrays of numbers that aren't bits call themselves. Some of the hosts that this runs in have no `Float16Array`. */
const NUMBERS = ['Float16Array', 'Float32Array', 'Float64Array', 'Int8Array'];

/** Whether a value is a typed array of which each number is one of a vector of floats. */
export const isNumbers = (value: unknown): value is Float32Array =>
  ArrayBuffer.isView(value) && NUMBERS.includes((value as Float32Array)[Symbol.toStringTag]);

const MAX_LIMIT = 16_384;
/** A filter longer than this is a mistake or an attack; ten thousand keys in a list take about as much. */
const MAX_FILTER_CHARS = 1 << 20;

/** Checks that options are an object with known names only: a typo must not be ignored in silence. */
export function knownOnly<T extends object>(given: T | undefined, names: readonly (keyof T & string)[], call: string): T {
  if (given === undefined) return {} as T;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalid(`the options of ${call} must be an object, not ${describe(given)}`);
  }
  for (const name of Object.keys(given)) {
    if (!(names as readonly string[]).includes(name)) {
      throw invalid(`${call} has no option ${JSON.stringify(name)}; it has ${names.join(', ')}`, { option: name });
    }
  }
  return given;
}

const WHAT_IS_FOUND = [
  'filter', 'outputFields', 'recall', 'exact', 'radius', 'rangeFilter', 'rerank', 'ef', 'nprobe', 'field', 'dropRatioSearch',
  'signal', 'model',
] as const;
const SEARCH_OPTIONS = ['limit', 'offset', 'groupByField', 'groupSize', 'strictGroupSize', 'onCoarse', ...WHAT_IS_FOUND] as const;
const ITERATOR_OPTIONS = ['batchSize', 'limit', ...WHAT_IS_FOUND] as const;
const DEFAULT_BATCH = 1000;

/** What a search is to do, and what concerns this side of it only. */
export interface Planned {
  readonly plan: SearchPlan;
  readonly signal: AbortSignal | undefined;
  readonly model: ModelSource | undefined;
}

/** How many hits, and how many are passed over. */
export function extentOf(o: Pick<SearchOptions, 'limit' | 'offset'>): { limit: number; offset: number } {
  const limit = whole(o.limit, 'limit', 1, MAX_LIMIT) ?? 10;
  const offset = whole(o.offset, 'offset', 0, MAX_LIMIT - 1) ?? 0;
  if (offset + limit > MAX_LIMIT) {
    throw invalid(`offset ${offset} and limit ${limit} are more than ${MAX_LIMIT} together; searchIterator comes further`);
  }
  return { limit, offset };
}

/** Checks the options of a search against the index. */
export function planSearch(given: SearchOptions | undefined, card: Card, metric: Metric, kind: AskedKind): Planned {
  const o = knownOnly(given, SEARCH_OPTIONS, 'search');
  if (o.onCoarse !== undefined && typeof o.onCoarse !== 'function') throw invalid(`onCoarse must be a function, not ${describe(o.onCoarse)}`);
  const { limit, offset } = extentOf(o);
  if (o.groupByField === undefined) {
    for (const name of ['groupSize', 'strictGroupSize'] as const) {
      if (o[name] !== undefined) throw invalid(`${name} is about groups: give groupByField, too, or leave it out`);
    }
  } else if (typeof o.groupByField !== 'string') {
    throw invalid(`groupByField must be the name of a field, not ${describe(o.groupByField)}`);
  }
  const groupSize = whole(o.groupSize, 'groupSize', 1, Math.floor(MAX_LIMIT / (offset + limit)));
  const strictGroupSize = flag(o.strictGroupSize, 'strictGroupSize') ?? false;
  const extent = { limit, offset, groupByField: o.groupByField, groupSize, strictGroupSize };
  return planned(o, extent, card, metricOf(kind, metric), kind);
}

const FOREIGN_OPTIONS = ['limit', 'ef', 'nprobe', 'searchK', 'kFactor', 'signal'] as const;

/** Checks the options of a search in a file of another library. */
export function planForeignSearch(given: SearchOptions | undefined): Planned {
  const o: Pick<SearchOptions, (typeof FOREIGN_OPTIONS)[number]> = knownOnly(given, FOREIGN_OPTIONS, 'search in a file of another library');
  if (o.kFactor !== undefined && !(typeof o.kFactor === 'number' && o.kFactor >= 1 && Number.isFinite(o.kFactor))) {
    throw invalid(`kFactor must be a number from 1 on, not ${describe(o.kFactor)}`);
  }
  const plan: SearchPlan = {
    limit: whole(o.limit, 'limit', 1, MAX_LIMIT) ?? 10,
    ef: whole(o.ef, 'ef', 1, 65_536),
    nprobe: whole(o.nprobe, 'nprobe', 1, 0xffff_ffff),
    searchK: whole(o.searchK, 'searchK', 1, 0xffff_ffff),
    kFactor: o.kFactor,
    offset: 0,
    radius: undefined,
    rangeFilter: undefined,
    groupByField: undefined,
    groupSize: undefined,
    strictGroupSize: false,
    filter: undefined,
    recall: undefined,
    exact: false,
    rerank: undefined,
    field: undefined,
    dropRatioSearch: 0,
    outputFields: undefined,
  };
  return { plan, signal: checkSignal(o.signal), model: undefined };
}

/** Checks the options of an iteration against the index. */
export function planIteration(
  given: IteratorOptions | undefined,
  card: Card,
  metric: Metric,
  kind: AskedKind,
): Planned & { readonly limit: number | undefined } {
  const o = knownOnly(given, ITERATOR_OPTIONS, 'searchIterator');
  const batchSize = whole(o.batchSize, 'batchSize', 1, MAX_LIMIT) ?? DEFAULT_BATCH;
  const limit = whole(o.limit, 'limit', 1, Number.MAX_SAFE_INTEGER);
  return { ...planned(o, { limit: batchSize, offset: 0 }, card, metricOf(kind, metric), kind), limit };
}

const NO_GROUPS = { groupByField: undefined, groupSize: undefined, strictGroupSize: false } as const;

/** Checks what is found by a query of this kind. */
export function planned(
  o: { readonly [name in (typeof WHAT_IS_FOUND)[number]]?: SearchOptions[name] | undefined },
  extent: Pick<SearchPlan, 'limit' | 'offset'> & Partial<Pick<SearchPlan, 'groupByField' | 'groupSize' | 'strictGroupSize'>>,
  card: Card,
  metric: Metric,
  kind: AskedKind,
): Planned {
  for (const [name, only] of ONLY_FOR) {
    if (o[name] !== undefined && kind !== only) throw invalid(`${name} is for a ${only} query, but this one is a ${kind} query; leave it out`);
  }
  if (o.field !== undefined && typeof o.field !== 'string') throw invalid(`field must be a name, not ${describe(o.field)}`);
  const ratio = o.dropRatioSearch;
  if (ratio !== undefined && (typeof ratio !== 'number' || !(ratio >= 0 && ratio < 1))) {
    throw invalid(`dropRatioSearch must be 0 or more and less than 1, not ${describe(ratio)}`);
  }
  if (o.filter !== undefined && (typeof o.filter !== 'string' || o.filter.length > MAX_FILTER_CHARS)) {
    throw invalid(`filter must be a string of at most ${MAX_FILTER_CHARS} characters`);
  }
  const plan: SearchPlan = {
    ...NO_GROUPS,
    ...extent,
    ...ring(o, metric),
    filter: o.filter?.trim() || undefined,
    recall: share(o),
    exact: flag(o.exact, 'exact') ?? false,
    rerank: whole(o.rerank, 'rerank', 0, 1_000_000),
    ef: whole(o.ef, 'ef', 1, 65_536),
    nprobe: whole(o.nprobe, 'nprobe', 1, 65_536),
    field: o.field,
    dropRatioSearch: ratio ?? 0,
    searchK: undefined,
    kFactor: undefined,
    outputFields: checkFields(o.outputFields, card),
  };
  return { plan, signal: checkSignal(o.signal), model: checkModelShape(o.model) };
}

function share({
  recall,
  exact,
  rerank,
  ef,
  nprobe,
}: { readonly [name in 'recall' | 'exact' | 'rerank' | 'ef' | 'nprobe']?: SearchOptions[name] | undefined }): number | undefined {
  if (recall === undefined) return undefined;
  if (typeof recall !== 'number' || !(recall > 0 && recall <= 1)) {
    throw invalid(`recall must be a number more than 0 and at most 1, not ${describe(recall)}`);
  }
  if (exact || rerank !== undefined || ef !== undefined || nprobe !== undefined) {
    throw invalid('recall chooses exact, rerank, ef and nprobe by itself; leave them out');
  }
  return recall;
}

/** Options that mean something for one kind of query only. */
const ONLY_FOR = [['recall', 'vector'], ['rerank', 'vector'], ['ef', 'vector'], ['field', 'text'], ['dropRatioSearch', 'sparse']] as const;

/** What the distances of a query's hits are. */
export const metricOf = (kind: AskedKind, own: Metric): Metric => ({ vector: own, text: 'BM25', sparse: 'IP' } as const)[kind];

function ring(
  { radius, rangeFilter, rerank }: { readonly [name in 'radius' | 'rangeFilter' | 'rerank']?: number | undefined },
  metric: Metric,
): Pick<SearchPlan, 'radius' | 'rangeFilter'> {
  for (const [name, value] of [['radius', radius], ['rangeFilter', rangeFilter]] as const) {
    if (value !== undefined && (typeof value !== 'number' || !Number.isFinite(Math.fround(value)))) {
      throw invalid(`${name} must be a finite number, a distance, not ${describe(value)}`);
    }
  }
  if (radius === undefined) {
    if (rangeFilter !== undefined) throw invalid('rangeFilter is the inner edge of a ring and needs radius, the outer one: give both');
    return { radius, rangeFilter };
  }
  if (rerank !== undefined) {
    throw invalid('a search within a radius compares as many rows as the error bound asks for; leave out rerank');
  }
  const isDistance = metric === 'L2' || metric === 'HAMMING' || metric === 'JACCARD';
  if (rangeFilter !== undefined && (isDistance ? rangeFilter >= radius : rangeFilter <= radius)) {
    throw invalid(
      isDistance
        ? `rangeFilter ${rangeFilter} must be less than radius ${radius}: hits are those with rangeFilter <= distance < radius for ${metric}`
        : `rangeFilter ${rangeFilter} must be greater than radius ${radius}: hits are those with radius < distance <= rangeFilter for ${metric}`,
    );
  }
  return { radius, rangeFilter };
}

export function checkFields(given: readonly string[] | undefined, card: Card): readonly string[] | '*' | undefined {
  if (given === undefined) return undefined;
  if (!Array.isArray(given) || given.some((name) => typeof name !== 'string')) {
    throw invalid("outputFields must be a list of field names, or ['*'] for all of them");
  }
  if (given.length === 0) return undefined;
  if (given.includes('*')) return '*';
  for (const name of given) {
    if (!card.fields.some((field) => field.name === name)) {
      const names = card.fields.map((field) => field.name);
      throw new ElanusError(
        'FIELD_NOT_FOUND',
        `the index has no field ${JSON.stringify(name)}; it has ${names.length ? names.join(', ') : 'no stored fields'}`,
        { details: { field: name, fields: names } },
      );
    }
  }
  return given;
}

export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || signal === null) return undefined;
  if (typeof (signal as AbortSignal).throwIfAborted !== 'function') throw invalid('signal must be an AbortSignal');
  return signal as AbortSignal;
}

export function checkModelShape(model: unknown): ModelSource | undefined {
  if (model === undefined || model === null) return undefined;
  const card = typeof model === 'object' && 'card' in model ? (model as { card: unknown }).card : model;
  if (typeof card !== 'object' || card === null || typeof (card as { dimension?: unknown }).dimension !== 'number') {
    throw invalid('model must be a model card ({ name, revision, fingerprint, dimension, normalised }) or an embedder');
  }
  return model as ModelSource;
}

export function checkKeys(given: unknown): Key[] {
  const keys = (Array.isArray(given) ? given : [given]) as unknown[];
  for (const key of keys) {
    const ok = typeof key === 'string' || typeof key === 'bigint' || Number.isSafeInteger(key);
    if (!ok) throw invalid(`${describe(key)} is no key; keys are whole numbers (BigInt beyond 2^53) or strings`);
  }
  return keys as Key[];
}

/** Checks positions of rows in an index of `count`. */
export function checkRows(given: unknown, count: number): Uint32Array {
  if (!Array.isArray(given) && !(given instanceof Uint32Array)) throw invalid(`rows must be a list of their positions, not ${describe(given)}`);
  for (const row of given as ArrayLike<unknown> & Iterable<unknown>) {
    if (!(Number.isInteger(row) && (row as number) >= 0 && (row as number) < count)) {
      throw invalid(`${describe(row)} is no row; the index has ${count}, from 0 on`);
    }
  }
  return Uint32Array.from(given as number[]);
}

/** Whether a list is one of vectors, and not a vector. */
export function isBatch(given: unknown): given is readonly Vector[] {
  return Array.isArray(given) && given.length > 0 && typeof given[0] === 'object' && given[0] !== null;
}

/**
 * Lays vectors of bits one after the other, as bytes.
 *
 * @param first as for {@link flatten}
 */
export function joinBits(vectors: readonly Vector[], bits: number, first?: number): Uint8Array {
  const bytes = Math.ceil(bits / 8);
  const out = new Uint8Array(vectors.length * bytes);
  vectors.forEach((vector, i) => {
    const list: unknown = vector;
    const which = first !== undefined ? `vector ${first + i}` : 'a query';
    const right = list instanceof Uint8Array || (Array.isArray(list) && list.every((byte) => Number.isInteger(byte) && byte >= 0 && byte < 256));
    if (!right) {
      const holds = first !== undefined ? 'the vectors before it are of bits' : 'the index holds vectors of bits';
      throw new ElanusError('INVALID_VECTOR', `${holds}: ${which} must be a Uint8Array or an array of their bytes, not ${describe(vector)}`);
    }
    if (vector.length !== bytes) {
      const expected = first !== undefined ? 'vector 0 has' : 'the index holds vectors of';
      throw new ElanusError('DIMENSION_MISMATCH', `${expected} ${bits} bits, but ${which} has ${vector.length} bytes`, {
        details: { expected: bits, found: 8 * vector.length },
      });
    }
    out.set(vector, i * bytes);
  });
  return out;
}

/** Queries of bits as files of other libraries are asked: a number a byte. */
export const flattenBits = (vectors: readonly Vector[], bits: number): Float32Array => Float32Array.from(joinBits(vectors, bits));

/**
 * Lays vectors one after the other, checking each number.
 *
 * @param first the position of the first among the vectors that are to be built from; without it they are queries
 */
export function flatten(vectors: readonly Vector[], dimension: number, first?: number): Float32Array {
  const out = new Float32Array(vectors.length * dimension);
  vectors.forEach((vector, i) => {
    const which = first !== undefined ? `vector ${first + i}` : vectors.length > 1 ? `query ${i}` : 'the query';
    const list = Array.isArray(vector);
    if (vector instanceof Uint8Array) {
      throw new ElanusError('INVALID_VECTOR', `${which} is a Uint8Array, of bits, but the ${first !== undefined ? 'vectors before it are' : 'index is'} of floats`);
    }
    if (!list && !isNumbers(vector)) {
      throw invalid(`${which} must be a Float32Array, Float64Array, Float16Array, Int8Array or an array of numbers, not ${describe(vector)}`);
    }
    if (vector.length !== dimension) {
      throw new ElanusError(
        'DIMENSION_MISMATCH',
        first !== undefined
          ? `vector 0 has ${dimension} dimensions, but ${which} has ${vector.length}; all must come from one model`
          : `the index holds vectors of ${dimension} dimensions, but ${which} has ${vector.length}; ` +
            'embed it with the model that the index was built with',
        { details: { expected: dimension, found: vector.length } },
      );
    }
    if (list) {
      // Float32Array.set would make numbers of strings, null and booleans.
      const at = vector.findIndex((x) => typeof x !== 'number');
      if (at >= 0) throw notNumber(which, at, describe(vector[at]));
    }
    const row = out.subarray(i * dimension, (i + 1) * dimension);
    row.set(vector);
    const at = row.findIndex((x) => !Number.isFinite(x));
    if (at >= 0) throw notNumber(which, at, String(vector[at]));
  });
  return out;
}

function notNumber(which: string, at: number, found: string): ElanusError {
  return new ElanusError(
    'INVALID_VECTOR',
    `${which} has ${found} at position ${at}, where a finite 32-bit float is needed; look at what made the vector`,
    { details: { position: at } },
  );
}

export function flag(value: unknown, name: string): boolean | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'boolean') throw invalid(`${name} must be true or false, not ${describe(value)}`);
  return value;
}

export function oneOf<T extends string>(value: unknown, name: string, values: readonly T[]): T {
  if (!values.includes(value as T)) throw invalid(`${name} must be one of ${values.join(', ')}, not ${describe(value)}`);
  return value as T;
}

export function whole(value: unknown, name: string, from: number, to: number): number | undefined {
  if (value === undefined) return undefined;
  if (!Number.isInteger(value) || (value as number) < from || (value as number) > to) {
    throw invalid(`${name} must be a whole number from ${from} to ${to}, not ${describe(value)}`);
  }
  return value as number;
}

export function describe(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'undefined') return String(value);
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'object') return `a value of type ${Object.prototype.toString.call(value).slice(8, -1)}`;
  return `a ${typeof value}`;
}
