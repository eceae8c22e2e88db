import type { Asked, Queries } from './asked.js';
import type { FieldInfo, ModelSource } from './card.js';
import type { Fusion, PlannedSearch } from './hybrid.js';
import type { KeptIn } from './lazy/keep.js';
import type { Network, Traffic } from './lazy/ranges.js';

/** How far `open` has come. */
export interface Progress {
  /** Bytes that have arrived. */
  readonly loaded: number;
  /** Bytes of the whole file; unknown until its header has arrived. */
  readonly total: number | undefined;
  readonly phase: 'download' | 'verify' | 'ready';
}

/** A primary key: a number; a bigint where a number would lose digits (beyond ±2^53); or a string. */
export type Key = number | bigint | string;

/** One result of a search. */
export interface Hit {
  /** The row's primary key. */
  readonly id: Key;
  /**
   * COSINE and IP: the similarity, larger is nearer. L2: the squared distance, smaller is nearer. HAMMING: bits that differ,
   * JACCARD: 1 less the share of the bits of either that both have, smaller is nearer. BM25, and the fused score
   * of a hybrid search: larger is better.
   */
  readonly distance: number;
  /** The row's position in the file, from 0. */
  readonly row: number;
  /** The stored fields named in `outputFields`; missing if none were. */
  readonly fields?: Record<string, unknown>;
}

/** One row found by its key. */
export interface Entity {
  readonly id: Key;
  readonly row: number;
  readonly fields?: Record<string, unknown>;
}

/** What an open index holds in memory. */
export interface MemoryUsage {
  /** Bytes of WebAssembly memory that this index has, all hints. */
  readonly wasmBytes: number;
  /** How many of them are the file itself, or what has come of it. */
  readonly fileBytes: number;
}

/** Options of {@link Index.search}. */
export interface SearchOptions {
  /** How many hits at most (with `groupByField`: how many groups): 1 to 16,384, together with `offset`. Default 10. */
  limit?: number;
  /** How many of the nearest hits (or groups) are passed over. Default 0. */
  offset?: number;
  /** Only hits nearer than this distance. L2, HAMMING and JACCARD: `distance < radius`; COSINE and IP: `distance > radius`. */
  radius?: number;
  /** With `radius`: only hits that aren't nearer than this. L2, HAMMING and JACCARD: `distance >= rangeFilter`; COSINE and IP: `distance <= rangeFilter`. */
  rangeFilter?: number;
  /** Only the nearest `groupSize` hits with the same value in this field, which filters can name: a Bool, an Int64 or a VarChar. */
  groupByField?: string;
  /** How many hits of a group at most, from 1 on. Default 1. */
  groupSize?: number;
  /**
   * Look on until each group has `groupSize` hits or there are no more. By default a search ends when there are `limit`
   * groups, and a group has those of its hits that came before.
   */
  strictGroupSize?: boolean;
  /** Only rows for which this is true, in Milvus's grammar: `'pos == "noun" and year > 1990'`. */
  filter?: string;
  /** Stored fields to return with each hit; `['*']` for all. Default none. */
  outputFields?: readonly string[];
  /**
   * The share of the nearest rows that is to be found, more than 0 and at most 1: the index sets by itself what was
   * measured to reach it when the file was built. In place of `exact`, `rerank` and `ef`.
   */
  recall?: number;
  /** Compare with every row at the precision of the stored rows instead of using the index. */
  exact?: boolean;
  /**
   * Scan: how many of the best by code are compared again with the stored rows, 0 to 1,000,000. 0 trusts the codes
   * alone, and distances are then estimates. Default: as many as the codes' error bound asks for.
   */
  rerank?: number;
  /** Breadth of an HNSW walk: 1 to 65,536. More finds more and takes longer. */
  ef?: number;
  /** IVF, and inverted lists of other libraries: how many lists are looked into, 1 to 65,536. More finds more and takes longer. */
  nprobe?: number;
  /** Words: the field that they are looked for in. A file has the words of one, and this checks that it is that one. */
  field?: string;
  /**
   * Sparse: leaves out this part of the query's dimensions, those of the smallest values: 0 or more, less than 1.
   * Faster, and no longer exact. Default 0.
   */
  dropRatioSearch?: number;
  /** Files of Annoy: how many candidates are gathered. Default `limit` times the number of trees. */
  searchK?: number;
  /** Files of Faiss, refined indexes: how many times `limit` candidates are compared again. */
  kFactor?: number;
  /**
   * Files in ranges: told of what codes alone find, a round trip before the rows to compare have come. Distances are estimates, and
   * the order may change. Of other files, and of several queries at once, nothing is told.
   */
  onCoarse?: (hits: Hit[]) => void;
  /** Abandons the search; its promise is then rejected with `signal.reason`. */
  signal?: AbortSignal;
  /** The model that embedded the query, or the embedder itself; another one than the index's is refused. */
  model?: ModelSource;
}

/** Options of {@link Index.searchIterator}: those of a search that say what is found, but no offset and no groups. */
export interface IteratorOptions
  extends Pick<
    SearchOptions,
    | 'filter' | 'outputFields' | 'recall' | 'exact' | 'radius' | 'rangeFilter' | 'rerank' | 'ef' | 'nprobe' | 'field'
    | 'dropRatioSearch' | 'signal' | 'model'
  > {
  /** How many hits come at once: 1 to 16,384. Default 1,000. */
  batchSize?: number;
  /** How many hits come altogether, at most; there is no upper bound. Default all. */
  limit?: number;
}

/** How far `build` has come. */
export interface BuildProgress {
  /** `load`: vectors are handed over; `build`: steps of the build, a few for each vector; `ready`: bytes of the file. */
  readonly phase: 'load' | 'build' | 'ready';
  readonly done: number;
  readonly total: number;
}

/** What rows are kept as: integers of 8 bits, floats of 16 bits (bf16 has the range of f32 and 8 bits of precision, f16 11 bits), f32. */
export type Precision = 'int8' | 'bf16' | 'f16' | 'f32';

/** What a file is built with, checked and with defaults filled in. */
export interface BuildPlan {
  readonly metric: 'L2' | 'IP' | 'COSINE' | 'HAMMING' | 'JACCARD';
  readonly indexType: IndexType | 'AUTOINDEX';
  readonly rerank: readonly Precision[];
  readonly maxBytesPerVector: number | undefined;
  readonly bits: number;
  /** IVF_PQ: parts and their bits; `undefined` leaves them to the core. */
  readonly m: number | undefined;
  readonly nbits: number | undefined;
  readonly efConstruction: number;
  /** IVF: how many lists; `undefined` leaves it to the core. */
  readonly nlist: number | undefined;
  readonly calibrate: number;
  readonly seed: number;
  readonly card: Record<string, unknown>;
  readonly primaryKey: { readonly name: string; readonly type: string } | undefined;
  readonly schema: readonly FieldInfo[];
  /** Why AUTOINDEX chose what it did. */
  readonly reason: string | undefined;
  readonly tool: string;
}

/** Fields of some rows. */
export interface Fields {
  /** Names and types of those that filters can name. */
  readonly names: readonly string[];
  readonly types: readonly string[];
  /** Their values, row by row. */
  readonly values: readonly (readonly unknown[])[];
  /** What comes back with hits, a JSON object a row; empty if nothing does. */
  readonly stored: readonly string[];
  /** Whether these are the first rows. */
  readonly first: boolean;
}

/** The part of the search options that the engine needs, checked and with defaults filled in. */
export interface SearchPlan {
  readonly limit: number;
  readonly offset: number;
  readonly radius: number | undefined;
  readonly rangeFilter: number | undefined;
  readonly groupByField: string | undefined;
  readonly groupSize: number | undefined;
  readonly strictGroupSize: boolean;
  readonly filter: string | undefined;
  readonly recall: number | undefined;
  readonly exact: boolean;
  readonly rerank: number | undefined;
  readonly ef: number | undefined;
  readonly nprobe: number | undefined;
  readonly field: string | undefined;
  readonly dropRatioSearch: number;
  readonly searchK: number | undefined;
  readonly kFactor: number | undefined;
  /** `undefined`: none. `'*'`: all. */
  readonly outputFields: readonly string[] | '*' | undefined;
}

/** How an index is searched. */
export type IndexType = 'FLAT' | 'SCAN_RABITQ' | 'HNSW' | 'HNSW_SQ8' | 'IVF_FLAT' | 'IVF_SQ8' | 'IVF_PQ' | 'IVF_RABITQ'
  | 'BIN_FLAT' | 'BIN_IVF_FLAT' | 'SPARSE_INVERTED_INDEX';

/** The lists that rows of an IVF index lie in: how many there are, and how many rows the least, the middle and the largest have. */
export interface Lists {
  readonly count: number;
  readonly least: number;
  readonly median: number;
  readonly most: number;
}

/** How nearness is measured in an `.elanus` file. */
export type Metric = 'L2' | 'IP' | 'COSINE' | 'HAMMING' | 'JACCARD' | 'BM25';

/**
 * How nearness is measured in a file of another library, whose own distances are returned. `IP_DISTANCE` and
 * `COSINE_DISTANCE` are 1 − product and 1 − cosine, `NEGATIVE_IP` is the product with its sign changed, `JACCARD_DISTANCE`
 * 1 − the share that both have, `EUCLIDEAN` the root of `L2`, `ANGULAR` that of 2 − 2 · cosine. Larger is nearer for `IP`,
 * `COSINE` and `JACCARD`, smaller for all others.
 */
export type ForeignMetric =
  | 'L2' | 'IP' | 'L1' | 'LINF' | 'LP' | 'CANBERRA' | 'BRAY_CURTIS' | 'JENSEN_SHANNON' | 'JACCARD' | 'NAN_EUCLIDEAN' | 'GOWER'
  | 'HAMMING' | 'IP_DISTANCE' | 'NEGATIVE_IP' | 'COSINE_DISTANCE' | 'JACCARD_DISTANCE' | 'SORENSEN_DISTANCE' | 'EUCLIDEAN'
  | 'ANGULAR';

/** Where a module comes from that is fetched when it is needed. */
export type ModuleSource = string | WebAssembly.Module;

/** What a file of another library doesn't say of itself, and where the module that reads such files is. */
export interface Hints {
  readonly format: string | undefined;
  readonly dimension: number | undefined;
  readonly metric: string | undefined;
  readonly module: ModuleSource;
}

/** What a file says of itself, as the core reads it. */
export interface Description {
  /** `elanus`, or the library whose file it is. */
  readonly format: 'elanus' | 'Faiss' | 'hnswlib' | 'Annoy' | 'usearch' | 'NMSLIB' | 'instant-distance';
  /** Whether vectors are of bits; a query then is their bytes. */
  readonly binary: boolean;
  readonly count: number;
  readonly dimension: number;
  readonly metric: Metric | ForeignMetric;
  readonly indexType: IndexType | (string & {});
  readonly lists?: Lists;
  readonly levels?: readonly number[];
  /** The field whose words can be searched for. */
  readonly textField: string | undefined;
  readonly hasSparse: boolean;
  readonly bytes: number;
  /** The card's JSON text. */
  readonly card: string;
  /** Which instructions the module was built with. */
  readonly simd: 'simd128' | 'relaxed-simd';
  readonly loading: Loading;
}

/** Vectors of some rows, with their primary keys. */
export interface Vectors<T extends Float32Array | Uint8Array = Float32Array | Uint8Array> {
  readonly ids: Key[];
  /** `dimension` numbers a row, or as many bits in bytes, row after row. */
  readonly vectors: T;
}

/** How much of a file is fetched, and when. */
export type LoadMode = 'eager' | 'lazy' | 'background';

/** How an index is loaded. */
export interface Loading {
  readonly mode: LoadMode;
  /** Why it is `'eager'` although something else was asked for: what of the file or of its host doesn't allow it. */
  readonly reason?: string;
  /**
   * `'lazy'` and `'background'`: where what was fetched is kept for the next visit: in files of the browser's own (`'opfs'`), in
   * IndexedDB, or only in memory.
   */
  readonly keptIn?: KeptIn;
}

/** How to load. */
export interface LoadPlan {
  readonly verify: boolean;
  readonly hints: Hints;
  readonly mode: LoadMode;
  readonly network: Network;
  /** Bytes that may be kept of all files together; 0 keeps nothing. */
  readonly keep: number;
  /** The module that searches parts. */
  readonly lazyModule: ModuleSource;
}

/** Where an index file comes from. */
export type Source =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'path'; readonly path: string | URL }
  | { readonly kind: 'blob'; readonly blob: Blob }
  | { readonly kind: 'handle'; readonly handle: FileSystemFileHandle }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array };

export interface LoadOptions extends LoadPlan {
  /** Told of what is fetched from then on, too, for as long as the index is open. */
  readonly onTraffic: (traffic: Traffic) => void;
  readonly onProgress: (progress: Progress) => void;
  readonly signal: AbortSignal | undefined;
}

/** One open index, in this thread or behind a worker. */
export interface Engine {
  load(source: Source, options: LoadOptions): Promise<Description>;
  /** Whole vectors, one after the other, may be detached by the call. */
  search(queries: Queries, plan: SearchPlan, signal: AbortSignal | undefined, onCoarse?: (hits: Hit[]) => void): Promise<Hit[][]>;
  /** Does all searches and fuses their lists. */
  hybridSearch(
    searches: readonly PlannedSearch[],
    fusion: Fusion,
    outputFields: SearchPlan['outputFields'],
    signal: AbortSignal | undefined,
  ): Promise<Hit[]>;
  /** Makes room for vectors that a file will be built from: floats, or bits. */
  beginBuild(count: number, dimension: number, binary: boolean, module: ModuleSource): Promise<void>;
  /** The next vectors, one after the other, bits as bytes; the array may be detached by the call. */
  addVectors(vectors: Float32Array | Uint8Array): Promise<void>;
  addKeys(keys: readonly Key[]): Promise<void>;
  addFields(fields: Fields): Promise<void>;
  /** Builds the file and opens it. */
  finishBuild(plan: BuildPlan, signal: AbortSignal | undefined, onProgress: (progress: BuildProgress) => void): Promise<Description>;
  /** The whole index file. */
  file(): Promise<Blob>;
  /** Begins an iteration over the hits of one query, at most `limit` of them, and returns its number. */
  iterate(query: Asked, plan: SearchPlan, limit: number | undefined): Promise<number>;
  /** The next `plan.limit` hits of an iteration; fewer only at its end. */
  advance(iteration: number, signal: AbortSignal | undefined): Promise<Hit[]>;
  /** Forgets an iteration. */
  endIteration(iteration: number): Promise<void>;
  get(keys: readonly Key[], outputFields: readonly string[] | '*' | undefined): Promise<Entity[]>;
  /** The keys and the vectors of rows, one after the other. */
  vectors(rows: Uint32Array, signal: AbortSignal | undefined): Promise<Vectors>;
  memory(): Promise<MemoryUsage>;
  /** What was fetched in ranges so far. */
  traffic(): Promise<Traffic>;
  /** Brings all of the file that isn't there. */
  prefetch(signal: AbortSignal | undefined): Promise<void>;
  /** Lets go of what can be fetched again. */
  evict(): Promise<void>;
  close(): void;
}
