import { cancellation } from './cancel.js';
import { type Card, type FieldInfo, parseCard } from './card.js';
import type { BuildPlan, BuildProgress, Engine, Fields, IndexType, Key, Precision } from './engine.js';
import { invalid } from './errors.js';
import { isUrl } from './host.js';
import { moduleSource, startEngine } from './open.js';
import { checkKeys, checkSignal, describe, flatten, isBatch, isNumbers, joinBits, knownOnly, oneOf, whole, type Float16, type Vector } from './options.js';
import { VERSION } from './protocol.js';
import { Index } from './search-index.js';
import { compiledModule, type WasmSource } from './wasm.js';

/** What a field holds. */
export type FieldType = 'Bool' | 'Int64' | 'Double' | 'VarChar';

/** Options of {@link build}. */
export interface BuildOptions {
  /** Numbers in a vector, or bits; needed, and allowed, only if all vectors come in one typed array. */
  dimension?: number;
  /** Default `'COSINE'`. Of vectors of bits `'HAMMING'`, the default, or `'JACCARD'`. */
  metric?: 'L2' | 'IP' | 'COSINE' | 'HAMMING' | 'JACCARD';
  /**
   * Default `'SCAN_RABITQ'`; of vectors of bits `'BIN_FLAT'`, the default, or `'BIN_IVF_FLAT'`. `'AUTOINDEX'` chooses by size, dimension and `maxBytesPerVector`; `index.card.build`
   * says what and why.
   */
  indexType?: IndexType | 'AUTOINDEX';
  /**
   * What rows are kept as for exact distances: `int8`, one of `bf16`, `f16` and `f32`, or both; an empty list keeps
   * codes only. Default `['f32']` for FLAT and IVF_FLAT, else `['int8']`.
   */
  rerank?: readonly Precision[];
  /** AUTOINDEX: bytes of the file that a vector may take, without its keys and fields. */
  maxBytesPerVector?: number;
  /** SCAN_RABITQ, IVF_RABITQ: bits a dimension of the codes, 1 to 8; with 5 or more an index does without rows (`rerank: []`). Default 1. */
  bits?: number;
  /** IVF_PQ: parts of a code, 1 to the dimension, which they needn't divide. Default: so many that a code takes a bit a dimension. */
  m?: number;
  /** IVF_PQ: bits of a part. Of 8 a search scans 4 and reads the others of the best. Default 8. */
  nbits?: 4 | 8;
  /** HNSW: how many candidates an insertion keeps, 1 to 4,096. Default 200. */
  efConstruction?: number;
  /** IVF, BIN_IVF_FLAT: how many lists the vectors are parted into, 1 to 65,536. Default: 1.5 times the root of their number. */
  nlist?: number;
  /** With how many vectors the recall of searches is measured, for the option `recall` of a search. Default 0: not at all. */
  calibrate?: number;
  /** Seeds every random choice, 0 to 2^53 − 1. Default 42. */
  seed?: number;
  /** Primary keys, one a vector: whole numbers and BigInts, or strings. Default: the vectors' positions. */
  ids?: readonly Key[];
  /** What the card calls the primary key. Default `'id'`. */
  idField?: string;
  /** One object a vector, whose members come back with hits and can be filtered by. */
  fields?: readonly Readonly<Record<string, unknown>>[];
  /** Which fields filters can name, and their types. Default: those with booleans, numbers, or texts of up to 128 bytes only. */
  filterable?: Readonly<Record<string, FieldType>>;
  /** Which fields come back with hits. Default all. */
  stored?: readonly string[];
  /** The index's name, for its card. */
  name?: string;
  /** What the card says besides, such as `model`. */
  card?: Readonly<Record<string, unknown>>;
  /** As for {@link open}. */
  thread?: 'worker' | 'main';
  /** Told of each phase as it goes on, about 25 times a second at most. */
  onProgress?: (progress: BuildProgress) => void;
  /** Ends the build and gives its memory back; the promise is then rejected with `signal.reason`. */
  signal?: AbortSignal;
  /** As for {@link open}. */
  wasm?: WasmSource;
  /** Where the module that builds comes from; by default `elanus-build.wasm` next to this package's script. */
  buildWasm?: string | URL | WebAssembly.Module;
  /** As for {@link open}. */
  workerUrl?: string | URL;
}

const OPTIONS = [
  'dimension', 'metric', 'indexType', 'rerank', 'maxBytesPerVector', 'bits', 'm', 'nbits', 'efConstruction', 'nlist', 'calibrate', 'seed', 'ids',
  'idField', 'fields', 'filterable', 'stored', 'name', 'card', 'thread', 'onProgress', 'signal', 'wasm', 'buildWasm', 'workerUrl',
] as const;

const FLOATS_AT_ONCE = 1 << 20;
const ROWS_AT_ONCE = 2000;
/** A text field is worth filtering by if no value is longer. */
const MAX_INFERRED_TEXT = 128;
const INDEX_TYPES = ['FLAT', 'SCAN_RABITQ', 'HNSW', 'HNSW_SQ8', 'IVF_FLAT', 'IVF_SQ8', 'IVF_PQ', 'IVF_RABITQ', 'AUTOINDEX'] as const;
const PRECISIONS: readonly Precision[] = ['int8', 'bf16', 'f16', 'f32'];
const BINARY_TYPES = ['BIN_FLAT', 'BIN_IVF_FLAT'] as const;
const TYPES = ['Bool', 'Int64', 'Double', 'VarChar'] as const;

/**
 * Builds an index of vectors, in a worker unless told otherwise. It can be searched at once, and saved with `toBlob()` or
 * `toBytes()`: the same file, byte for byte, that `elanus build` makes of the same input, options and seed (graphs excepted).
 *
 * While it builds, memory holds the vectors and the file; afterwards the file only. On the calling thread a build holds
 * up everything else; `signal` is then looked at between steps, and so can be fired from `onProgress` only.
 *
 * Vectors of floats may come in 16 bits (Float16Array) or as integers (Int8Array). `rerank: ['int8']` keeps integers of −127
 * to 127 as they are, but for COSINE, which brings them to length 1.
 *
 * Vectors of bits come as Uint8Arrays, of 8 bits a byte. Which bit of a byte is which dimension is up to you, as long as
 * queries are packed as the vectors are.
 *
 * @throws ElanusError `INVALID_INPUT` for vectors, keys or fields that can't be kept; `INVALID_ARGUMENT`, `DIMENSION_MISMATCH`,
 *   `INVALID_VECTOR`, `OUT_OF_MEMORY`, `WASM_UNAVAILABLE`, `WORKER_FAILED`. Rejected with `signal.reason` if the signal fires.
 */
export async function build(vectors: Float32Array | Float64Array | Float16 | Int8Array | Uint8Array | readonly Vector[], options?: BuildOptions): Promise<Index> {
  const o = knownOnly(options, OPTIONS, 'build');
  const { count, dimension, binary, piece } = layOut(vectors, o.dimension);
  const plan = planBuild(o, binary);
  if (o.onProgress !== undefined && typeof o.onProgress !== 'function') throw invalid('onProgress must be a function');
  if (o.thread !== undefined) oneOf(o.thread, 'thread', ['worker', 'main'] as const);
  if (o.workerUrl !== undefined && typeof o.workerUrl !== 'string' && !isUrl(o.workerUrl)) throw invalid('workerUrl must be a string or a URL');
  // Bundlers look for exactly this expression.
  const builder = moduleSource(o.buildWasm, 'buildWasm', new URL('./elanus-build.wasm', import.meta.url));
  const keys = o.ids === undefined ? undefined : checkKeys(o.ids);
  for (const [name, list] of [['ids', o.ids], ['fields', o.fields]] as const) {
    if (list !== undefined && (!Array.isArray(list) || list.length !== count)) {
      throw invalid(`${name} must be a list with an entry for each of the ${count} vectors, not ${describe(list)} of ${(list as unknown[]).length}`);
    }
  }
  const outer = checkSignal(o.signal);
  outer?.throwIfAborted();
  const { signal, report, release } = cancellation(outer, o.onProgress);
  let engine: Engine | undefined;
  try {
    const module = await compiledModule(o.wasm);
    signal.throwIfAborted();
    const started = await startEngine(module, o.thread, o.workerUrl);
    engine = started.engine;
    signal.throwIfAborted();
    await engine.beginBuild(count, dimension, binary, builder);
    const rowsAtOnce = Math.max(1, Math.floor(FLOATS_AT_ONCE / dimension));
    for (let row = 0; row < count; row += rowsAtOnce) {
      signal.throwIfAborted();
      const end = Math.min(row + rowsAtOnce, count);
      await engine.addVectors(piece(row, end));
      report({ phase: 'load', done: end, total: count });
    }
    if (keys && keys.length > 0) await engine.addKeys(keys);
    const { schema, rows } = o.fields ? survey(o.fields, o) : { schema: [], rows: () => [] };
    for (const some of rows()) {
      signal.throwIfAborted();
      await engine.addFields(some);
    }
    const primaryKey = keys && { name: o.idField ?? 'id', type: typeof keys[0] === 'string' ? 'VarChar' : 'Int64' } as const;
    const description = await engine.finishBuild({ ...plan, schema, primaryKey }, signal, report);
    signal.throwIfAborted();
    return new Index(engine, description, parseCard(description.card), started.thread);
  } catch (error) {
    engine?.close();
    throw error;
  } finally {
    release();
  }
}

/** Vectors in rows, however they were given. */
function layOut(
  vectors: unknown,
  dimension: unknown,
): { count: number; dimension: number; binary: boolean; piece: (from: number, to: number) => Float32Array | Uint8Array } {
  if (isNumbers(vectors)) {
    const d = whole(dimension, 'dimension', 1, 65_536);
    if (d === undefined) throw invalid('vectors in one array of numbers need the option dimension: how many numbers each has');
    if (vectors.length % d !== 0) throw invalid(`${vectors.length} numbers are no whole vectors of ${d}`);
    return { count: vectors.length / d, dimension: d, binary: false, piece: (from, to) => new Float32Array(vectors.subarray(from * d, to * d)) };
  }
  if (vectors instanceof Uint8Array) {
    const d = wholeBytes(whole(dimension, 'dimension', 8, MAX_BITS));
    if (d === undefined) throw invalid('vectors in one Uint8Array need the option dimension: how many bits each has');
    const bytes = d / 8;
    if (vectors.length % bytes !== 0) throw invalid(`${vectors.length} bytes are no whole vectors of ${d} bits`);
    return { count: vectors.length / bytes, dimension: d, binary: true, piece: (from, to) => vectors.slice(from * bytes, to * bytes) };
  }
  if (!isBatch(vectors)) throw invalid(`vectors must be a Float32Array, a Uint8Array, or a list of vectors, not ${describe(vectors)}`);
  if (dimension !== undefined) throw invalid('dimension is for vectors in one array; a list of vectors says it by itself');
  const d = vectors[0]!.length;
  if (vectors[0] instanceof Uint8Array) {
    const bits = whole(8 * d, 'the number of bits of vector 0', 8, MAX_BITS)!;
    return { count: vectors.length, dimension: bits, binary: true, piece: (from, to) => joinBits(vectors.slice(from, to), bits, from) };
  }
  return { count: vectors.length, dimension: d, binary: false, piece: (from, to) => flatten(vectors.slice(from, to), d, from) };
}

/** As many as vectors of floats may have floats, in bytes. */
const MAX_BITS = 262_144;

function wholeBytes(bits: number | undefined): number | undefined {
  if (bits !== undefined && bits % 8 !== 0) throw invalid(`a vector of bits has a multiple of 8 of them, not ${bits}; fill its last byte up with zeros`);
  return bits;
}

function planBuild(o: BuildOptions, binary: boolean): Omit<BuildPlan, 'schema' | 'primaryKey'> {
  const metric = binary
    ? oneOf(o.metric ?? 'HAMMING', 'metric of vectors of bits', ['HAMMING', 'JACCARD'] as const)
    : oneOf(o.metric ?? 'COSINE', 'metric', ['L2', 'IP', 'COSINE'] as const);
  const indexType = binary
    ? oneOf(o.indexType ?? 'BIN_FLAT', 'indexType of vectors of bits', BINARY_TYPES)
    : oneOf(o.indexType ?? 'SCAN_RABITQ', 'indexType', INDEX_TYPES);
  if (binary && o.rerank !== undefined) throw invalid(`rerank is for vectors of floats; ${indexType} has none`);
  if (indexType === 'AUTOINDEX') {
    if (o.rerank !== undefined) throw invalid('AUTOINDEX chooses the rows, too; leave out rerank, or name an index type');
  } else if (o.maxBytesPerVector !== undefined) {
    throw invalid('maxBytesPerVector is for AUTOINDEX; leave it out, or ask for that');
  }
  if (o.nlist !== undefined && !indexType.includes('IVF')) throw invalid(`nlist is for indexes of lists; ${indexType} has none, or chooses`);
  const given = o.rerank ?? (binary ? [] : indexType === 'FLAT' || indexType === 'IVF_FLAT' ? ['f32'] : ['int8']);
  if (!Array.isArray(given)) throw invalid("rerank must be a list of 'int8' and one of 'bf16', 'f16' and 'f32'");
  given.forEach((name) => oneOf(name, 'rerank', PRECISIONS));
  const bits = whole(o.bits, 'bits', 1, 8) ?? 1;
  if (bits > 1 && !indexType.endsWith('RABITQ')) throw invalid(`bits is for RaBitQ codes; ${indexType} has none, or chooses`);
  for (const name of ['m', 'nbits'] as const) {
    if (o[name] !== undefined && indexType !== 'IVF_PQ') throw invalid(`${name} is for IVF_PQ; ${indexType} has no parts`);
  }
  if (o.nbits !== undefined && o.nbits !== 4 && o.nbits !== 8) throw invalid(`nbits must be 4 or 8, not ${describe(o.nbits)}`);
  const card = o.card ?? {};
  if (typeof card !== 'object' || card === null || Array.isArray(card)) throw invalid('card must be an object');
  for (const name of ['build', 'fields', 'primary_key']) {
    if (Object.hasOwn(card, name)) throw invalid(`the card has a member ${name}, which the build writes itself; take it out`);
  }
  if (o.name !== undefined && typeof o.name !== 'string') throw invalid('name must be a string');
  return {
    metric,
    indexType,
    rerank: PRECISIONS.filter((name) => given.includes(name)),
    maxBytesPerVector: whole(o.maxBytesPerVector, 'maxBytesPerVector', 1, 2 ** 31),
    bits,
    m: whole(o.m, 'm', 1, 65_536),
    nbits: o.nbits,
    efConstruction: whole(o.efConstruction, 'efConstruction', 1, 4096) ?? 200,
    nlist: whole(o.nlist, 'nlist', 1, 65_536),
    calibrate: whole(o.calibrate, 'calibrate', 0, 10_000) ?? 0,
    seed: whole(o.seed, 'seed', 0, Number.MAX_SAFE_INTEGER) ?? 42,
    card: { ...card, ...(o.name !== undefined && { name: o.name }) } satisfies Partial<Card> as Record<string, unknown>,
    reason: undefined,
    tool: `elanus ${VERSION}`,
  };
}

interface Seen {
  types: Set<string>;
  longest: number;
}

/** What the fields are, from all rows, as `elanus build` sees the same rows as lines of JSON. */
function survey(
  rows: readonly Readonly<Record<string, unknown>>[],
  { filterable, stored }: BuildOptions,
): { schema: FieldInfo[]; rows: () => Iterable<Fields> } {
  const seen = new Map<string, Seen>();
  const bytes = new TextEncoder();
  rows.forEach((row, i) => {
    if (typeof row !== 'object' || row === null || Array.isArray(row)) throw invalid(`fields: entry ${i} must be an object, not ${describe(row)}`);
    for (const [name, value] of Object.entries(row)) {
      if (value === undefined) continue;
      let field = seen.get(name);
      if (!field) seen.set(name, (field = { types: new Set(), longest: 0 }));
      const type = typeOf(value);
      if (type !== 'null') field.types.add(type);
      if (typeof value === 'string' && field.longest <= MAX_INFERRED_TEXT) {
        field.longest = Math.max(field.longest, bytes.encode(value).length);
      }
    }
  });
  for (const name of [...Object.keys(filterable ?? {}), ...(stored ?? [])]) {
    if (!seen.has(name)) throw invalid(`no row has a field ${JSON.stringify(name)}; there are: ${[...seen.keys()].join(', ')}`);
  }
  const schema: FieldInfo[] = [];
  for (const [name, { types, longest }] of seen) {
    const inferred = typeOfAll(types);
    const wished = filterable && Object.hasOwn(filterable, name) ? oneOf(filterable[name], `the type of ${name}`, TYPES) : undefined;
    const column = filterable ? wished : inferred && longest <= MAX_INFERRED_TEXT ? inferred : undefined;
    const isStored = stored?.includes(name) ?? true;
    if (column || isStored) schema.push({ name, type: column ?? inferred ?? 'JSON', filterable: column !== undefined, stored: isStored });
  }
  return { schema, rows: () => pieces(rows, schema, filterable) };
}

function* pieces(
  rows: readonly Readonly<Record<string, unknown>>[],
  schema: readonly FieldInfo[],
  filterable: BuildOptions['filterable'],
): Iterable<Fields> {
  // In the order in which the caller names them, as on the command line.
  const columns = filterable
    ? Object.keys(filterable).map((name) => schema.find((field) => field.name === name)!)
    : schema.filter((field) => field.filterable);
  const storedNames = new Set(schema.filter((field) => field.stored).map((field) => field.name));
  for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
    const some = rows.slice(at, at + ROWS_AT_ONCE);
    yield {
      names: columns.map((field) => field.name),
      types: columns.map((field) => field.type),
      values: columns.length ? some.map((row, i) => columns.map(({ name }) => scalar(row[name], name, at + i))) : [],
      stored: storedNames.size ? some.map((row) => storedText(row, storedNames)) : [],
      first: at === 0,
    };
  }
}

/** What a column takes: what JSON has no number for is null there, too. */
function scalar(value: unknown, name: string, row: number): unknown {
  if (value === undefined) return null;
  const type = typeOf(value);
  if (type === 'other') throw invalid(`fields: ${JSON.stringify(name)} of entry ${row} is ${describe(value)}, which can't be filtered by`);
  return type === 'null' ? null : value;
}

const text = (value: unknown): string => (typeof value === 'bigint' ? value.toString() : JSON.stringify(value)!);

function storedText(row: Readonly<Record<string, unknown>>, names: ReadonlySet<string>): string {
  const members = Object.entries(row).filter(([name, value]) => value !== undefined && names.has(name));
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${text(value)}`).join(',')}}`;
}

/** As it is written in JSON: 1.0 is written 1, and is an integer. */
function typeOf(value: unknown): FieldType | 'null' | 'other' {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return 'Bool';
  if (typeof value === 'string') return 'VarChar';
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value ? 'Int64' : 'other';
  if (typeof value !== 'number') return 'other';
  if (!Number.isFinite(value)) return 'null';
  if (/[.e]/.test(String(value))) return 'Double';
  return Math.abs(value) < 2 ** 63 ? 'Int64' : 'other';
}

function typeOfAll(types: ReadonlySet<string>): FieldType | undefined {
  const [first, second] = [...types].sort();
  if (types.size === 1) return TYPES.find((type) => type === first);
  return types.size === 2 && first === 'Double' && second === 'Int64' ? 'Double' : undefined;
}
