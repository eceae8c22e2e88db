import type { ModelSource } from './card.js';

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
  /** COSINE and IP: the similarity, larger is nearer. L2: the squared distance, smaller is nearer. */
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
  /** Bytes of WebAssembly memory that this index has, all told. */
  readonly wasmBytes: number;
  /** How many of them are the file itself. */
  readonly fileBytes: number;
}

/** Options of {@link Index.search}. */
export interface SearchOptions {
  /** How many hits at most: 1 to 16,384. Default 10. */
  limit?: number;
  /** Only rows for which this is true, in Milvus's grammar: `'pos == "noun" and year > 1990'`. */
  filter?: string;
  /** Stored fields to return with each hit; `['*']` for all. Default none. */
  outputFields?: readonly string[];
  /** Compare with every row at the precision of the stored rows instead of using the index. */
  exact?: boolean;
  /**
   * Scan: how many of the best by code are compared again with the stored rows, 0 to 1,000,000. 0 trusts the codes
   * alone, and distances are then estimates. Default: as many as the codes' error bound asks for.
   */
  rerank?: number;
  /** Breadth of an HNSW walk: 1 to 65,536. More finds more and takes longer. */
  ef?: number;
  /** Abandons the search; its promise is then rejected with `signal.reason`. */
  signal?: AbortSignal;
  /** The model that embedded the query, or the embedder itself; another one than the index's is refused. */
  model?: ModelSource;
}

/** The part of the search options that the engine needs, checked and with defaults filled in. */
export interface SearchPlan {
  readonly limit: number;
  readonly filter: string | undefined;
  readonly exact: boolean;
  readonly rerank: number | undefined;
  readonly ef: number | undefined;
  /** `undefined`: none. `'*'`: all. */
  readonly outputFields: readonly string[] | '*' | undefined;
}

/** What a file says of itself, as the core reads it. */
export interface Description {
  readonly count: number;
  readonly dimension: number;
  readonly metric: 'L2' | 'IP' | 'COSINE';
  readonly indexType: 'FLAT' | 'SCAN_RABITQ' | 'HNSW';
  readonly bytes: number;
  /** The card's JSON text. */
  readonly card: string;
}

/** Where an index file comes from. */
export type Source =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'path'; readonly path: string | URL }
  | { readonly kind: 'blob'; readonly blob: Blob }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array };

export interface LoadOptions {
  readonly verify: boolean;
  readonly onProgress: (progress: Progress) => void;
  readonly signal: AbortSignal | undefined;
}

/** One open index, in this thread or behind a worker. */
export interface Engine {
  load(source: Source, options: LoadOptions): Promise<Description>;
  /** `queries` holds whole vectors, one after the other; it may be detached by the call. */
  search(queries: Float32Array, plan: SearchPlan, signal: AbortSignal | undefined): Promise<Hit[][]>;
  get(keys: readonly Key[], outputFields: readonly string[] | '*' | undefined): Promise<Entity[]>;
  memory(): Promise<MemoryUsage>;
  close(): void;
}
