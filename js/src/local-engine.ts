import type { Bindings, IndexHandle, IterationHandle, Loader } from '../../build/glue/glue.js';
import { createGlue } from '../../build/glue/glue.js';
import type { Asked, Queries } from './asked.js';
import { type Direct, openDirect } from './direct.js';
import type {
  BuildPlan,
  BuildProgress,
  Description,
  Engine,
  Entity,
  Fields,
  Hit,
  Key,
  LoadOptions,
  MemoryUsage,
  ModuleSource,
  SearchPlan,
  Source,
  Hints,
  Vectors,
} from './engine.js';
import { ElanusError, fromPlain, invalid, isThrownByCore } from './errors.js';
import { FileBuilder } from './file-builder.js';
import { ForeignIndex } from './foreign-index.js';
import type { Fusion, PlannedSearch } from './hybrid.js';
import { isModule, nextTask } from './host.js';
import { asOutOfMemory, instantiate } from './instance.js';
import type { RangeKeep } from './lazy/keep.js';
import type { PartialIndex } from './lazy/partial-index.js';
import type { Range, RangeSource, Traffic } from './lazy/ranges.js';
import { PIECE_BYTES, PREFIX_BYTES, pour, type Sink, UNKNOWN } from './load.js';
import { readStored } from './stored.js';
import { compileFirst, type MainModule, simdOf } from './wasm.js';

/** Asked for at once where the whole is wanted. */
const CHUNK_BYTES = 1 << 20;
const NO_TRAFFIC: Traffic = { bytes: 0, requests: 0, roundTrips: 0, keptBytes: 0 };

/** A batch of queries lets other events through after working this long. */
const SLICE_MS = 8;

/**
 * An index in this thread. Each has a WebAssembly instance of its own: WebAssembly memory never shrinks, so only
 * dropping the instance gives it back.
 */
export class LocalEngine implements Engine, Sink {
  /** Compiled and started, unless it hasn't been needed yet. */
  #module: MainModule;
  #builder: FileBuilder | undefined;
  #bindings!: Bindings;
  #memory!: WebAssembly.Memory;
  #loader: Loader | undefined;
  #handle: IndexHandle | undefined;
  /** In place of the two above if the file is another library's. */
  #foreign: ForeignIndex | undefined;
  /** In their place as long as only parts of the file are there. */
  #partial: PartialIndex | undefined;
  #ranges: RangeSource | undefined;
  #keep: RangeKeep | undefined;
  #prefetching: Promise<void> | undefined;
  #fileBytes = 0;
  #written = 0;
  /** Whether vectors are of bits. */
  #binary = false;
  /** A view on the query buffer, made anew when memory has grown. */
  #query: Float32Array | Uint8Array = new Float32Array(0);
  readonly #iterations = new Map<number, { readonly handle: IterationHandle; readonly outputFields: SearchPlan['outputFields'] }>();
  #lastIteration = 0;
  #closed: ElanusError | undefined;
  /** Searches wait for each other here: they share the query buffer and the prepared options. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(module: MainModule) {
    this.#module = module;
  }

  static async create(module: MainModule): Promise<LocalEngine> {
    const engine = new LocalEngine(module);
    if (isModule(module)) await engine.#start();
    return engine;
  }

  /** Starts the main module, if that wasn't done yet. */
  async #start(): Promise<void> {
    if (this.#bindings) return;
    const module = isModule(this.#module) ? this.#module : await compileFirst(this.#module);
    const { bindings, memory } = await instantiate(module, createGlue());
    if (this.#closed) throw this.#closed;
    [this.#module, this.#bindings, this.#memory] = [module, bindings, memory];
  }

  async load(source: Source, options: LoadOptions): Promise<Description> {
    if (options.mode === 'eager') return this.#loadWhole(source, options);
    // Few pages need it.
    const { openParts } = await import('./lazy/open-parts.js');
    const opened = await this.#calling(() => openParts(source, options));
    if ('index' in opened) {
      const { index, ranges, keep, description } = opened;
      [this.#partial, this.#ranges, this.#keep, this.#fileBytes] = [index, ranges, keep, description.bytes];
      options.onProgress({ loaded: ranges.tally.traffic.bytes, total: description.bytes, phase: 'ready' });
      if (options.mode === 'background') this.#bring(options.verify).catch(() => undefined);
      return description;
    }
    const { reason, response } = opened;
    const whole = response ? await this.finish(await pour(response, this, options), options) : await this.#loadWhole(source, options);
    return { ...whole, loading: { mode: 'eager', reason } };
  }

  async #loadWhole(source: Source, options: LoadOptions): Promise<Description> {
    const direct = await openDirect(source);
    const total = direct ? await this.#read(direct, options) : await pour(source, this, options);
    return this.finish(total, options);
  }

  async #read(direct: Direct, { hints, onProgress, signal }: LoadOptions): Promise<number> {
    try {
      const total = await this.inspect(direct.prefix(PREFIX_BYTES), direct.bytes, hints);
      this.reserve(total);
      for (let at = 0; at < total; at += PIECE_BYTES) {
        onProgress({ loaded: at, total, phase: 'download' });
        await nextTask();
        signal?.throwIfAborted();
        this.#call(() => {
          const to = Math.min(at + PIECE_BYTES, total);
          if (this.#foreign) this.#foreign.read(direct, at, to);
          else direct.into(this.#loader!, at, to);
        });
      }
      return total;
    } finally {
      direct.close();
    }
  }

  async inspect(prefix: Uint8Array, exact: number | undefined, hints: Hints): Promise<number> {
    await this.#start();
    const { format, dimension, metric } = hints;
    if (!this.#call(() => this.#bindings.is_foreign(prefix, exact, { format, dimension, metric }))) {
      return this.#call(() => this.#bindings.inspect(prefix, exact));
    }
    this.#foreign = await ForeignIndex.create(hints);
    return exact ?? UNKNOWN;
  }

  reserve(bytes: number): void {
    if (this.#foreign) return this.#call(() => this.#foreign!.reserve(bytes));
    this.#loader = this.#call(() => new this.#bindings.Loader(bytes));
    this.#fileBytes = bytes;
    this.#written = 0;
  }

  write(bytes: Uint8Array): void {
    if (this.#foreign) return this.#call(() => this.#foreign!.write(bytes));
    // Pointers past 2 GiB come out negative.
    const start = this.#call(() => this.#loader!.pointer()) >>> 0;
    if (this.#written + bytes.length > this.#fileBytes) throw new ElanusError('INTERNAL', 'more bytes than were reserved');
    new Uint8Array(this.#memory.buffer, start + this.#written, bytes.length).set(bytes);
    this.#written += bytes.length;
  }

  /** Opens what was written. */
  async finish(total: number, { verify, hints, onProgress, signal }: Finish): Promise<Description> {
    if (verify) {
      onProgress({ loaded: total, total, phase: 'verify' });
      await nextTask();
      signal?.throwIfAborted();
    }
    if (this.#foreign) {
      const description = { ...this.#call(() => this.#foreign!.open(hints!)), loading: { mode: 'eager' as const } };
      onProgress({ loaded: total, total, phase: 'ready' });
      return description;
    }
    const loader = this.#loader!;
    // `open` takes the loader's buffer, whatever comes of it.
    this.#loader = undefined;
    const handle = this.#call(() => loader.open(verify));
    this.#handle = handle;
    const description = this.#call(() => handle.describe() as Omit<Description, 'bytes' | 'format' | 'binary' | 'simd' | 'loading'>);
    onProgress({ loaded: total, total, phase: 'ready' });
    this.#binary = description.indexType.startsWith('BIN_');
    return { ...description, format: 'elanus', binary: this.#binary, bytes: total, simd: simdOf(this.#module as WebAssembly.Module), loading: { mode: 'eager' } };
  }

  async traffic(): Promise<Traffic> {
    this.#call(() => undefined);
    return this.#ranges?.tally.traffic ?? NO_TRAFFIC;
  }

  async prefetch(signal: AbortSignal | undefined): Promise<void> {
    this.#call(() => undefined);
    if (!this.#partial) return;
    await untilAborted(this.#bring(true), signal);
  }

  evict(): Promise<void> {
    return this.#inTurn(async () => {
      this.#call(() => this.#partial?.evict());
      await this.#keep?.clear();
    });
  }

  /** Brings the whole file, in order, and then searches that. */
  #bring(verify: boolean): Promise<void> {
    this.#prefetching ??= this.#bringAll(verify).finally(() => (this.#prefetching = undefined));
    return this.#prefetching;
  }

  async #bringAll(verify: boolean, again = false): Promise<void> {
    const [ranges, keep, total] = [this.#ranges!, this.#keep!, this.#fileBytes];
    await this.#start();
    const loader = this.#call(() => new this.#bindings.Loader(total));
    let taken = false;
    try {
      for (let at = 0; at < total; at += 2 * CHUNK_BYTES) {
        const both = [at, at + CHUNK_BYTES].filter((from) => from < total);
        const some = both.map((from): Range => [from, Math.min(from + CHUNK_BYTES, total)]);
        const kept = again ? some.map(() => undefined) : await keep.read(some);
        taken ||= kept.some((part) => part !== undefined);
        const fetched = await ranges.fetch(some.filter((_, i) => !kept[i]), undefined);
        const parts = kept.map((part) => part ?? fetched.shift()!);
        some.forEach(([from], i) => kept[i] ?? keep.put(from, parts[i]!));
        const start = this.#call(() => loader.pointer()) >>> 0;
        parts.forEach((part, i) => new Uint8Array(this.#memory.buffer, start + some[i]![0], part.length).set(part));
      }
    } catch (error) {
      if (!this.#closed) loader.free();
      throw error;
    }
    try {
      await this.#inTurn(async () => {
        // What was kept is never trusted.
        this.#handle = this.#call(() => loader.open(verify || taken));
      });
    } catch (error) {
      if (!taken || !(error instanceof ElanusError) || error.code !== 'CORRUPT_FILE') throw error;
      await keep.clear();
      return this.#bringAll(verify, true);
    }
    await this.#inTurn(async () => {
      this.#call(() => this.#partial!.free());
      this.#partial = undefined;
    });
  }

  async beginBuild(count: number, dimension: number, binary: boolean, module: ModuleSource): Promise<void> {
    this.#builder = await FileBuilder.create(module, count, dimension, binary);
  }

  async addVectors(vectors: Float32Array | Uint8Array): Promise<void> {
    this.#builder!.addVectors(vectors);
  }

  async addKeys(keys: readonly Key[]): Promise<void> {
    this.#builder!.addKeys(keys);
  }

  async addFields(fields: Fields): Promise<void> {
    this.#builder!.addFields(fields);
  }

  async finishBuild(plan: BuildPlan, signal: AbortSignal | undefined, onProgress: (progress: BuildProgress) => void): Promise<Description> {
    const builder = this.#builder!;
    // Dropped with all of its memory, however the build ends.
    this.#builder = undefined;
    await builder.finish(plan, this, onProgress, signal);
    const total = this.#fileBytes;
    const description = await this.finish(total, { verify: false, signal, onProgress: () => undefined });
    onProgress({ phase: 'ready', done: total, total });
    return description;
  }

  async file(): Promise<Blob> {
    if (this.#foreign) return this.#call(() => this.#foreign!.file());
    this.#ownOnly('toBlob');
    const start = this.#call((handle) => handle.file_pointer()) >>> 0;
    return new Blob([new Uint8Array(this.#memory.buffer, start, this.#fileBytes)], { type: 'application/octet-stream' });
  }

  search(queries: Queries, plan: SearchPlan, signal: AbortSignal | undefined, onCoarse?: Coarse): Promise<Hit[][]> {
    const run = async (): Promise<Hit[][]> => {
      signal?.throwIfAborted();
      if (this.#foreign) return this.#searchForeign(this.#foreign, queries as Float32Array, plan, signal);
      if (this.#partial) return this.#searchParts(this.#partial, queries, plan, { signal, onCoarse });
      const { outputFields, ...options } = plan;
      const dimension = this.#call((handle) => handle.dimension());
      this.#call((handle) => handle.prepare(options));
      const results: Hit[][] = [];
      let resumed = performance.now();
      const step = queries instanceof Float32Array ? dimension : queries instanceof Uint8Array ? dimension / 8 : 1;
      for (let at = 0; at < queries.length; at += step) {
        if (performance.now() - resumed > SLICE_MS) {
          await nextTask();
          signal?.throwIfAborted();
          resumed = performance.now();
        }
        const query = queries instanceof Float32Array || queries instanceof Uint8Array ? queries.subarray(at, at + step) : queries[at]!;
        results.push(this.#searchOne(query, outputFields));
      }
      return results;
    };
    return this.#inTurn(run);
  }

  hybridSearch(
    searches: readonly PlannedSearch[],
    fusion: Fusion,
    outputFields: SearchPlan['outputFields'],
    signal: AbortSignal | undefined,
  ): Promise<Hit[]> {
    return this.#inTurn(async () => {
      signal?.throwIfAborted();
      this.#ownOnly('hybridSearch');
      const found = this.#call((index) => {
        for (const { query, plan } of searches) {
          const { outputFields: _, ...options } = plan;
          index.prepare(options);
          this.#write(index, query);
          index.add();
        }
        return index.fuse(fusion);
      });
      return this.#hits(found, outputFields);
    });
  }

  iterate(query: Asked, { outputFields, ...options }: SearchPlan, limit: number | undefined): Promise<number> {
    return this.#inTurn(async () => {
      this.#ownOnly('searchIterator');
      const handle = this.#call((index) => {
        index.prepare(options);
        this.#write(index, query);
        return index.iterate(limit);
      });
      this.#iterations.set(++this.#lastIteration, { handle, outputFields });
      return this.#lastIteration;
    });
  }

  advance(iteration: number, signal: AbortSignal | undefined): Promise<Hit[]> {
    return this.#inTurn(async () => {
      signal?.throwIfAborted();
      const found = this.#call((index) => index.advance(this.#iterations.get(iteration)!.handle));
      return this.#hits(found, this.#iterations.get(iteration)!.outputFields);
    });
  }

  endIteration(iteration: number): Promise<void> {
    return this.#inTurn(async () => {
      this.#call(() => this.#iterations.get(iteration)?.handle.free());
      this.#iterations.delete(iteration);
    });
  }

  get(keys: readonly Key[], outputFields: readonly string[] | '*' | undefined): Promise<Entity[]> {
    return this.#inTurn(async () => {
      this.#ownOnly('get');
      const found = this.#call((handle) => handle.find([...keys]));
      return this.#found(found, outputFields);
    });
  }

  vectors(rows: Uint32Array, signal: AbortSignal | undefined): Promise<Vectors> {
    return this.#inTurn(async () => {
      signal?.throwIfAborted();
      if (this.#partial) throw this.#lacksWhole('vectors');
      const ids: Key[] = [];
      let vectors: Float32Array | Uint8Array | undefined;
      let resumed = performance.now();
      for (const [i, row] of rows.entries()) {
        if (performance.now() - resumed > SLICE_MS) {
          await nextTask();
          signal?.throwIfAborted();
          resumed = performance.now();
        }
        this.#call((handle) => {
          ids.push((this.#foreign ? this.#foreign.key(row) : handle.key(row)) as Key);
          const vector = this.#foreign ? this.#foreign.vector(row) : this.#vector(handle, row);
          vectors ??= new (vector instanceof Uint8Array ? Uint8Array : Float32Array)(rows.length * vector.length);
          vectors.set(vector, i * vector.length);
        });
      }
      return { ids, vectors: vectors ?? new Float32Array(0) };
    });
  }

  async memory(): Promise<MemoryUsage> {
    this.#call(() => undefined);
    if (this.#foreign) {
      const { memoryBytes, fileBytes } = this.#foreign;
      return { wasmBytes: this.#memory.buffer.byteLength + memoryBytes, fileBytes };
    }
    if (this.#partial) return this.#call(() => this.#partial!.memory());
    return { wasmBytes: this.#memory.buffer.byteLength, fileBytes: this.#fileBytes };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = new ElanusError('CLOSED', 'the index was closed; open it again to search');
    try {
      this.#handle?.free();
      this.#loader?.free();
    } catch {
      // After a trap there is nothing to save; the instance is dropped as a whole.
    }
    // Everything that reaches the instance goes, so that its memory can be collected.
    this.#builder = undefined;
    this.#loader = undefined;
    this.#handle = undefined;
    this.#foreign = undefined;
    this.#partial = undefined;
    this.#ranges = undefined;
    void this.#keep?.close().catch(() => undefined);
    this.#keep = undefined;
    this.#iterations.clear();
    this.#query = new Float32Array(0);
    this.#bindings = undefined as never;
    this.#memory = undefined as never;
  }

  async #searchForeign(index: ForeignIndex, queries: Float32Array, plan: SearchPlan, signal: AbortSignal | undefined): Promise<Hit[][]> {
    const numbers = this.#call(() => index.dimension);
    this.#call(() => index.prepare(plan));
    const results: Hit[][] = [];
    let resumed = performance.now();
    for (let at = 0; at < queries.length; at += numbers) {
      if (performance.now() - resumed > SLICE_MS) {
        await nextTask();
        signal?.throwIfAborted();
        resumed = performance.now();
      }
      results.push(this.#call(() => index.search(queries.subarray(at, at + numbers))));
    }
    return results;
  }

  async #searchParts(
    index: PartialIndex,
    queries: Queries,
    plan: SearchPlan,
    { signal, onCoarse }: { signal: AbortSignal | undefined; onCoarse: Coarse | undefined },
  ): Promise<Hit[][]> {
    if (!(queries instanceof Float32Array)) throw this.#lacksWhole('a search for words or sparse vectors');
    const results: Hit[][] = [];
    const step = index.dimension;
    for (let at = 0; at < queries.length; at += step) {
      results.push(await this.#calling(() => index.search(queries.subarray(at, at + step), plan, signal, onCoarse)));
    }
    return results;
  }

  #lacksWhole(call: string): ElanusError {
    return invalid(`${call} needs the whole file, of which parts are there; call index.prefetch() first, or open it with load: 'eager'`);
  }

  /** Refuses what only `.elanus` files can do, and of those only ones that are there whole. */
  #ownOnly(call: string): void {
    this.#call(() => undefined);
    if (this.#partial) throw this.#lacksWhole(call);
    if (this.#foreign) throw invalid(`${call} is for .elanus files; a file of another library can only be searched`);
  }

  #searchOne(query: Asked, outputFields: readonly string[] | '*' | undefined): Hit[] {
    const found = this.#call((handle) => {
      this.#write(handle, query);
      return handle.search();
    });
    return this.#hits(found, outputFields);
  }

  /** Puts a query where the index looks for it. */
  #write(handle: IndexHandle, query: Asked): void {
    if (typeof query === 'string') return handle.ask_text(query);
    if (!(query instanceof Float32Array || query instanceof Uint8Array)) return handle.ask_sparse(query.indices, query.values);
    handle.ask_vector();
    if (this.#query.buffer !== this.#memory.buffer) {
      const View = query instanceof Uint8Array ? Uint8Array : Float32Array;
      this.#query = new View(this.#memory.buffer, handle.query_pointer() >>> 0, query.length);
    }
    this.#query.set(query);
  }

  /** A row's vector, where queries are written: valid until the next call. */
  #vector(handle: IndexHandle, row: number): Float32Array | Uint8Array {
    handle.load_vector(row);
    const start = handle.query_pointer() >>> 0;
    return this.#binary
      ? new Uint8Array(this.#memory.buffer, start, handle.dimension() / 8)
      : new Float32Array(this.#memory.buffer, start, handle.dimension());
  }

  /** What the last search left, with keys and fields. */
  #hits(found: number, outputFields: readonly string[] | '*' | undefined): Hit[] {
    const distances = this.#call((handle) =>
      new Float32Array(this.#memory.buffer, handle.distances_pointer() >>> 0, found).slice(),
    );
    return this.#found(found, outputFields).map(({ id, row, ...fields }, i) => ({
      id,
      distance: distances[i]!,
      row,
      ...fields,
    }));
  }

  /** The rows that the last search or look-up left, with their keys and fields. */
  #found(count: number, wanted: readonly string[] | '*' | undefined): Entity[] {
    const keys = this.#call((handle) => handle.keys() as Key[]);
    const fields = wanted && this.#fields(wanted);
    const rows = this.#call((handle) => new Uint32Array(this.#memory.buffer, handle.rows_pointer() >>> 0, count).slice());
    return keys.map((id, i) => ({ id, row: rows[i]!, ...(fields && { fields: fields[i]! }) }));
  }

  #fields(wanted: readonly string[] | '*'): Record<string, unknown>[] {
    return readStored(this.#call((handle) => handle.fields()), wanted);
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(run);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  /** The same of a call that waits in between. */
  async #calling<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      // Its own errors pass; what the module throws is made one.
      if (!isThrownByCore(error) && !(error instanceof WebAssembly.RuntimeError)) throw error;
      return this.#call(() => {
        throw error;
      });
    }
  }

  /** Calls into WebAssembly, and makes a typed error of what it throws. */
  #call<T>(call: (handle: IndexHandle) => T): T {
    if (this.#closed) throw this.#closed;
    try {
      return call(this.#handle!);
    } catch (error) {
      if (isThrownByCore(error)) throw fromPlain({ details: undefined, ...error });
      if (error instanceof ElanusError) throw error;
      // A trap. The instance's state can't be trusted any more.
      this.close();
      this.#closed = asOutOfMemory(error) ?? new ElanusError(
        'INTERNAL',
        `a fault in elanus (${error instanceof Error ? error.message : error}); the index was closed. Please report it`,
        { cause: error },
      );
      throw this.#closed;
    }
  }
}

/** Is told of what codes alone find. */
type Coarse = (hits: Hit[]) => void;

/** What opening takes once all bytes are there. */
type Finish = Pick<LoadOptions, 'verify' | 'onProgress' | 'signal'> & { readonly hints?: Hints };

/** A promise that others wait for, too, can't be cancelled; waiting for it can. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
