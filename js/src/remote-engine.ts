import type { Asked, Queries } from './asked.js';
import type { BuildPlan, BuildProgress, Description, Engine, Entity, Fields, Hints, Hit, Key, LoadOptions, MemoryUsage, ModuleSource, SearchPlan, Source, Vectors } from './engine.js';
import { ElanusError, fromPlain } from './errors.js';
import type { Fusion, PlannedSearch } from './hybrid.js';
import type { Traffic } from './lazy/ranges.js';
import { lifelineName, watch } from './lifeline.js';
import { pour, type Sink } from './load.js';
import { type Method, type Methods, type Reply, type Request, VERSION } from './protocol.js';
import type { MainModule } from './wasm.js';

/** A call is told of progress of its own kind. */
type Told = (progress: never) => void;

interface Pending {
  resolve(result: unknown): void;
  reject(reason: unknown): void;
  onProgress: Told | undefined;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Told;
  readonly transfer?: Transferable[];
}

/** An index in a worker of its own. Ending the worker is what gives all of its memory back at once. */
export class RemoteEngine implements Engine, Sink {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #ended: ElanusError | undefined;
  readonly #watching = new AbortController();
  #onTraffic: ((traffic: Traffic) => void) | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<Reply>) => this.#receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#die(`the worker failed (${event.message || 'no reason given'})`);
    };
    worker.onmessageerror = () => this.#die('a message from the worker could not be read');
  }

  /**
   * Takes over a worker that has sent its first message.
   *
   * @throws ElanusError `WORKER_FAILED`, or what stops the module from being run
   */
  static async create(worker: Worker, module: MainModule): Promise<RemoteEngine> {
    const engine = new RemoteEngine(worker);
    try {
      const lifeline = lifelineName();
      const held = await engine.#call('start', [module, lifeline]);
      if (held) watch(lifeline, () => engine.#die('the worker was ended from outside'), engine.#watching.signal);
    } catch (error) {
      engine.close();
      throw error;
    }
    return engine;
  }

  async load(source: Source, options: LoadOptions): Promise<Description> {
    const { signal, onProgress, onTraffic, ...plan } = options;
    this.#onTraffic = onTraffic;
    if (source.kind !== 'bytes') return this.#call('load', [source, plan], { signal, onProgress });
    // Bytes in memory go over in pieces, so that there is never a second copy of them all.
    const total = await pour(source, this, options);
    return this.#call('finish', [total, plan.verify, plan.hints], { signal, onProgress });
  }

  inspect(prefix: Uint8Array, exact: number | undefined, hints: Hints): Promise<number> {
    return this.#call('inspect', [prefix, exact, hints]);
  }

  reserve(bytes: number): Promise<void> {
    return this.#call('reserve', [bytes]);
  }

  write(bytes: Uint8Array): Promise<void> {
    const copy = bytes.slice();
    return this.#call('write', [copy], { transfer: [copy.buffer] });
  }

  search(queries: Queries, plan: SearchPlan, signal: AbortSignal | undefined, onCoarse?: (hits: Hit[]) => void): Promise<Hit[][]> {
    const told = onCoarse && { onProgress: onCoarse };
    return this.#call('search', [queries, plan, onCoarse !== undefined], { signal, transfer: buffers(queries), ...told });
  }

  beginBuild(count: number, dimension: number, binary: boolean, module: ModuleSource): Promise<void> {
    return this.#call('beginBuild', [count, dimension, binary, module]);
  }

  addVectors(vectors: Float32Array | Uint8Array): Promise<void> {
    return this.#call('addVectors', [vectors], { transfer: [vectors.buffer] });
  }

  addKeys(keys: readonly Key[]): Promise<void> {
    return this.#call('addKeys', [keys]);
  }

  addFields(fields: Fields): Promise<void> {
    return this.#call('addFields', [fields]);
  }

  finishBuild(plan: BuildPlan, signal: AbortSignal | undefined, onProgress: (progress: BuildProgress) => void): Promise<Description> {
    return this.#call('finishBuild', [plan], { signal, onProgress });
  }

  file(): Promise<Blob> {
    return this.#call('file', []);
  }

  hybridSearch(
    searches: readonly PlannedSearch[],
    fusion: Fusion,
    outputFields: SearchPlan['outputFields'],
    signal: AbortSignal | undefined,
  ): Promise<Hit[]> {
    return this.#call('hybridSearch', [searches, fusion, outputFields], { signal });
  }

  iterate(query: Asked, plan: SearchPlan, limit: number | undefined): Promise<number> {
    return this.#call('iterate', [query, plan, limit], { transfer: buffers(query) });
  }

  advance(iteration: number, signal: AbortSignal | undefined): Promise<Hit[]> {
    return this.#call('advance', [iteration], { signal });
  }

  endIteration(iteration: number): Promise<void> {
    return this.#call('endIteration', [iteration]);
  }

  get(keys: readonly Key[], outputFields: readonly string[] | '*' | undefined): Promise<Entity[]> {
    return this.#call('get', [keys, outputFields]);
  }

  vectors(rows: Uint32Array, signal: AbortSignal | undefined): Promise<Vectors> {
    return this.#call('vectors', [rows], { signal });
  }

  memory(): Promise<MemoryUsage> {
    return this.#call('memory', []);
  }

  traffic(): Promise<Traffic> {
    return this.#call('traffic', []);
  }

  prefetch(signal: AbortSignal | undefined): Promise<void> {
    return this.#call('prefetch', [], { signal });
  }

  evict(): Promise<void> {
    return this.#call('evict', []);
  }

  close(): void {
    this.#end(new ElanusError('CLOSED', 'the index was closed; open it again to search'));
  }

  #call<M extends Method>(method: M, args: Parameters<Methods[M]>, options: CallOptions = {}): Promise<ReturnType<Methods[M]>> {
    const { signal, onProgress, transfer = [] } = options;
    if (this.#ended) return Promise.reject(this.#ended);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const id = ++this.#lastId;
    return new Promise<unknown>((resolve, reject) => {
      const cancel = (): void => {
        this.#pending.delete(id);
        this.#post({ cancel: id });
        reject(signal!.reason);
      };
      const settled = (): void => signal?.removeEventListener('abort', cancel);
      signal?.addEventListener('abort', cancel, { once: true });
      this.#pending.set(id, {
        resolve: (result) => (settled(), resolve(result)),
        reject: (reason) => (settled(), reject(reason)),
        onProgress,
      });
      this.#post({ id, method, args }, transfer);
    }) as Promise<ReturnType<Methods[M]>>;
  }

  #post(message: Request, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  #receive(reply: Reply): void {
    if ('traffic' in reply) return this.#onTraffic?.(reply.traffic);
    if (!('id' in reply)) return;
    const pending = this.#pending.get(reply.id);
    // A cancelled request may still be answered.
    if (!pending) return;
    if ('progress' in reply) {
      pending.onProgress?.(reply.progress as never);
      return;
    }
    this.#pending.delete(reply.id);
    if ('error' in reply) pending.reject(fromPlain(reply.error));
    else pending.resolve(reply.result);
  }

  #die(why: string): void {
    this.#end(new ElanusError('WORKER_FAILED', `${why}; open the index again`));
  }

  #end(reason: ElanusError): void {
    if (this.#ended) return;
    this.#ended = reason;
    this.#watching.abort();
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
  }
}

/** What goes over without being copied: dense vectors. */
const buffers = (queries: Queries | Asked): Transferable[] => (ArrayBuffer.isView(queries) ? [queries.buffer] : []);

/** Waits for a worker's first message, which proves that it runs and is of this build. */
export function greeted(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message || 'its script could not be loaded'));
    };
    worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      const found = 'version' in data ? data.version : 'another script';
      if (found === VERSION) resolve();
      else reject(new Error(`its script is ${found}, but the page has elanus ${VERSION}; clear the cache of old files`));
    };
  });
}
