import { ElanusError, invalid } from './errors.js';
import type { Card, ModelSource } from './card.js';
import type { Key, SearchOptions, SearchPlan } from './engine.js';

/** What a query may be: floats, or anything that holds numbers in order. */
export type Vector = Float32Array | Float64Array | readonly number[];

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

const SEARCH_OPTIONS = ['limit', 'filter', 'outputFields', 'exact', 'rerank', 'ef', 'signal', 'model'] as const;

/** Checks the options of a search against the index's card. */
export function planSearch(
  given: SearchOptions | undefined,
  card: Card,
): { plan: SearchPlan; signal: AbortSignal | undefined; model: ModelSource | undefined } {
  const o = knownOnly(given, SEARCH_OPTIONS, 'search');
  if (o.filter !== undefined && (typeof o.filter !== 'string' || o.filter.length > MAX_FILTER_CHARS)) {
    throw invalid(`filter must be a string of at most ${MAX_FILTER_CHARS} characters`);
  }
  const plan: SearchPlan = {
    limit: whole(o.limit, 'limit', 1, MAX_LIMIT) ?? 10,
    filter: o.filter?.trim() || undefined,
    exact: flag(o.exact, 'exact') ?? false,
    rerank: whole(o.rerank, 'rerank', 0, 1_000_000),
    ef: whole(o.ef, 'ef', 1, 65_536),
    outputFields: checkFields(o.outputFields, card),
  };
  return { plan, signal: checkSignal(o.signal), model: checkModelShape(o.model) };
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

/** Whether the argument of `search` is many vectors. */
export function isBatch(given: unknown): given is readonly Vector[] {
  return Array.isArray(given) && given.length > 0 && typeof given[0] === 'object' && given[0] !== null;
}

/** Lays vectors one after the other, checking each number. */
export function flatten(vectors: readonly Vector[], dimension: number): Float32Array {
  const out = new Float32Array(vectors.length * dimension);
  vectors.forEach((vector, i) => {
    const which = vectors.length > 1 ? `query ${i}` : 'the query';
    const list = Array.isArray(vector);
    if (!list && !(vector instanceof Float32Array) && !(vector instanceof Float64Array)) {
      throw invalid(`${which} must be a Float32Array, a Float64Array or an array of numbers, not ${describe(vector)}`);
    }
    if (vector.length !== dimension) {
      throw new ElanusError(
        'DIMENSION_MISMATCH',
        `the index holds vectors of ${dimension} dimensions, but ${which} has ${vector.length}; ` +
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

function whole(value: unknown, name: string, from: number, to: number): number | undefined {
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
