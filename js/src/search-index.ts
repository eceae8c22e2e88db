/// <reference lib="esnext.disposable" preserve="true" />
import { areMany, kindOf, type Query, readQueries, readQuery } from './asked.js';
import { type Card, checkModel, type FieldInfo } from './card.js';
import type { Description, Engine, Entity, Hit, IteratorOptions, Key, Lists, Loading, MemoryUsage, Metric, SearchOptions, Vectors } from './engine.js';
import { ElanusError } from './errors.js';
import { type HybridOptions, type HybridSearch, planHybrid } from './hybrid.js';
import type { Traffic } from './lazy/ranges.js';
import { checkFields, checkKeys, checkRows, checkSignal, flatten, flattenBits, knownOnly, planForeignSearch, planIteration, planSearch, type Vector } from './options.js';

/** Ends the workers of indexes that were dropped without `close()`. Made at the first one: nothing runs at import. */
let dropped: FinalizationRegistry<Engine> | undefined;

/** An open index file. Made by {@link open}. */
export class Index {
  /** Rows in the index. */
  readonly count: number;
  /** Numbers in a dense vector, bits in one of bits; 0 if the file has none. */
  readonly dimension: number;
  /**
   * `COSINE`, `IP` and `BM25`: larger distances are nearer; `L2` (squared), `HAMMING` and `JACCARD`: smaller are nearer. A file of another library gives that
   * library's distances, which have more names.
   */
  readonly metric: Description['metric'];
  /** Its name in Milvus, such as `SCAN_RABITQ` or `HNSW`; of another library's file, what that library calls it. */
  readonly indexType: Description['indexType'];
  /** `elanus`, or the library whose file it is. */
  readonly format: 'elanus' | 'Faiss' | 'hnswlib' | 'Annoy' | 'usearch' | 'NMSLIB' | 'instant-distance';
  /**
   * Whether vectors are of bits: a query then is their bytes, packed as the vectors of the index are (in files of other
   * libraries, and wherever it matters which is which, the lowest bit of the first byte first).
   */
  readonly binary: boolean;
  /** The lists that the rows of an IVF index lie in. */
  readonly lists: Lists | undefined;
  /** Of a graph in a file of another library: how many rows each level has, from the lowest up. */
  readonly levels: readonly number[] | undefined;
  /** The field whose words can be searched for; `undefined` if the file has none. */
  readonly textField: string | undefined;
  /** Whether the file has sparse vectors. */
  readonly hasSparse: boolean;
  /** Bytes of the index file. */
  readonly bytes: number;
  /** What the file says of itself: its name, its model, how it was built. */
  readonly card: Card;
  /** The stored fields that `outputFields` and filters can name. */
  readonly fields: readonly FieldInfo[];
  /** The instructions of the module that was loaded. Both answer alike; `relaxed-simd` is faster, where a host has it. */
  readonly simd: 'simd128' | 'relaxed-simd';
  /** How much of the file is fetched, and when; and if not as asked for, why. */
  readonly loading: Loading;
  /** Which thread it lives in. */
  readonly thread: 'worker' | 'main';
  readonly #engine: Engine;
  #closed = false;

  /** @internal */
  constructor(
    engine: Engine,
    { count, dimension, metric, indexType, lists, levels, format, binary, textField, hasSparse, bytes, simd, loading }: Description,
    card: Card,
    thread: 'worker' | 'main',
  ) {
    this.#engine = engine;
    this.count = count;
    this.dimension = dimension;
    this.metric = metric;
    this.indexType = indexType;
    this.lists = lists;
    this.levels = levels;
    this.textField = textField;
    this.hasSparse = hasSparse;
    this.format = format;
    this.binary = binary;
    this.bytes = bytes;
    this.simd = simd;
    this.loading = loading;
    this.card = card;
    this.fields = card.fields;
    this.thread = thread;
    dropped ??= new FinalizationRegistry((held) => held.close());
    dropped.register(this, engine, this);
  }

  /**
   * Finds the rows nearest to a vector, or to each of many; the best first, ties by row. Words find the rows whose text
   * fits them best (BM25), a sparse vector those of the largest product, if the file has what is needed.
   *
   * Searches may overlap: they are answered in the order they were asked.
   *
   * @throws ElanusError `DIMENSION_MISMATCH`, `INVALID_VECTOR`, `INVALID_FILTER`, `FIELD_NOT_FOUND`, `MODEL_MISMATCH`,
   *   `INVALID_ARGUMENT`, `CLOSED`, `WORKER_FAILED`. Rejected with `signal.reason` if the signal fires.
   */
  search(query: Query, options?: SearchOptions): Promise<Hit[]>;
  search(queries: readonly Query[], options?: SearchOptions): Promise<Hit[][]>;
  async search(given: Query | readonly Query[], options?: SearchOptions): Promise<Hit[] | Hit[][]> {
    this.#checkOpen();
    const batch = areMany(given);
    const list = batch ? given : [given as Query];
    const own = this.format === 'elanus';
    const { plan, signal, model } =
      own ? planSearch(options, this.card, this.metric as Metric, kindOf(list[0])) : planForeignSearch(options);
    signal?.throwIfAborted();
    if (model) checkModel(this.card, model);
    const queries = own ? readQueries(list, this) : (this.binary ? flattenBits : flatten)(list as readonly Vector[], this.dimension);
    const hits = await this.#engine.search(queries, plan, signal, batch ? undefined : options?.onCoarse);
    return batch ? hits : hits[0]!;
  }

  /**
   * Does several searches and fuses their lists, by reciprocal rank or by weights:
   * `index.hybridSearch([{ data: vector }, { data: 'small bird' }])`. A hit's `distance` is its fused score.
   *
   * @throws ElanusError what {@link search} throws
   */
  async hybridSearch(searches: readonly HybridSearch[], options?: HybridOptions): Promise<Hit[]> {
    this.#checkOpen();
    const planned = planHybrid(searches, options, { card: this.card, metric: this.metric as Metric, held: this });
    planned.signal?.throwIfAborted();
    if (planned.model) checkModel(this.card, planned.model);
    return this.#engine.hybridSearch(planned.searches, planned.fusion, planned.outputFields, planned.signal);
  }

  /**
   * Iterates over the rows nearest to a vector, a batch at a time, the best first:
   * `for await (const hits of index.searchIterator(vector)) …`. It goes on where a `limit` must end, and gives no row
   * twice and leaves none out. A row that an approximate search had passed over comes in a later batch.
   *
   * Nothing happens before the first batch is asked for. Between batches an iteration holds one bit a row; it gives
   * that back at its end, and when the loop is left.
   *
   * @throws ElanusError what {@link search} throws, at the first batch
   */
  async *searchIterator(query: Query, options?: IteratorOptions): AsyncGenerator<Hit[], void, undefined> {
    this.#checkOpen();
    const { plan, limit, signal, model } = planIteration(options, this.card, this.metric as Metric, kindOf(query));
    signal?.throwIfAborted();
    if (model) checkModel(this.card, model);
    const iteration = await this.#engine.iterate(readQuery(query, this), plan, limit);
    try {
      for (let hits: Hit[]; (hits = await this.#engine.advance(iteration, signal)).length > 0; ) yield hits;
    } finally {
      // Of a closed index nothing is left to be given back.
      if (!this.#closed) await this.#engine.endIteration(iteration).catch(() => undefined);
    }
  }

  /**
   * Fetches rows by their primary keys. Keys that the index doesn't have are left out, so look at the `id` of each.
   *
   * @param ids one key or a list of them
   * @param options `outputFields`: stored fields to return; default `['*']`, all of them
   * @throws ElanusError `FIELD_NOT_FOUND`, `INVALID_ARGUMENT`, `CLOSED`, `WORKER_FAILED`
   */
  async get(ids: Key | readonly Key[], options?: { outputFields?: readonly string[] }): Promise<Entity[]> {
    this.#checkOpen();
    const { outputFields = ['*'] } = knownOnly(options, ['outputFields'], 'get');
    return this.#engine.get(checkKeys(ids), checkFields(outputFields, this.card));
  }

  /**
   * The vectors of rows, by their position in the file (`row` of a hit; 0 to `count` − 1), with their primary keys: in the
   * best precision that the file has, normalised for COSINE; vectors of bits as their bytes. What is kept in 8 bits or in codes comes back as near as that.
   * `index.search(vector)` with one finds what is near the row.
   *
   * @param rows positions, in any order
   * @throws ElanusError `INVALID_ARGUMENT` if there is no such row, or the file holds nothing that vectors could be made of;
   *   `CLOSED`, `WORKER_FAILED`. Rejected with `signal.reason` if the signal fires.
   */
  async vectors<T extends Float32Array | Uint8Array = Float32Array>(
    rows: readonly number[] | Uint32Array,
    options?: { signal?: AbortSignal },
  ): Promise<Vectors<T>> {
    this.#checkOpen();
    const signal = checkSignal(knownOnly(options, ['signal'], 'vectors').signal);
    return (await this.#engine.vectors(checkRows(rows, this.count), signal)) as Vectors<T>;
  }

  /**
   * The index file, as it was opened or built, to be saved or served: `open` takes it. A file of another library becomes an
   * `.elanus` file with the same lists or links, which answers alike.
   *
   * @throws ElanusError `CLOSED`, `WORKER_FAILED`; `UNSUPPORTED_FORMAT` if an `.elanus` file can't answer as the other
   *   library's does, with why not, `INVALID_ARGUMENT` if it has no metric that orders alike: `vectors` and `build` make an
   *   index of such a file's vectors
   */
  async toBlob(): Promise<Blob> {
    this.#checkOpen();
    return this.#engine.file();
  }

  /**
   * The index file's bytes.
   *
   * @throws ElanusError `CLOSED`, `WORKER_FAILED`
   */
  async toBytes(): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await (await this.toBlob()).arrayBuffer());
  }

  /**
   * What the index holds in memory.
   *
   * @throws ElanusError `CLOSED`, `WORKER_FAILED`
   */
  async memory(): Promise<MemoryUsage> {
    this.#checkOpen();
    return this.#engine.memory();
  }

  /**
   * What was fetched in ranges so far; nothing if the file was loaded whole.
   *
   * @throws ElanusError `CLOSED`, `WORKER_FAILED`
   */
  async traffic(): Promise<Traffic> {
    this.#checkOpen();
    return this.#engine.traffic();
  }

  /**
   * Brings all of the file that isn't there. From then on it is as if it had been opened with `load: 'eager'`: searches
   * wait for nothing, and all calls are possible. Searches may go on meanwhile. Of a file that is there it does nothing.
   *
   * @throws ElanusError `FETCH_FAILED`, `SOURCE_CHANGED`, `CORRUPT_FILE`, `OUT_OF_MEMORY`, `CLOSED`, `WORKER_FAILED`. Rejected
   *   with `signal.reason` if the signal fires; what has begun goes on then.
   */
  async prefetch(options?: { signal?: AbortSignal }): Promise<void> {
    this.#checkOpen();
    const signal = checkSignal(knownOnly(options, ['signal'], 'prefetch').signal);
    signal?.throwIfAborted();
    return this.#engine.prefetch(signal);
  }

  /**
   * Lets go of the parts of the file that are in memory and can be fetched again. Does nothing to a file that is there whole.
   *
   * @throws ElanusError `CLOSED`, `WORKER_FAILED`
   */
  async evict(): Promise<void> {
    this.#checkOpen();
    return this.#engine.evict();
  }

  /** Gives the memory back and ends the worker. Searches that are under way are rejected with `CLOSED`. May be called twice. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    dropped?.unregister(this);
    this.#engine.close();
  }

  #checkOpen(): void {
    if (this.#closed) throw new ElanusError('CLOSED', 'the index was closed; open it again to search');
  }
}

export interface Index extends AsyncDisposable {}

// For `await using`, where the host has it.
if (Symbol.asyncDispose) {
  Object.defineProperty(Index.prototype, Symbol.asyncDispose, {
    value(this: Index) {
      return this.close();
    },
  });
}
