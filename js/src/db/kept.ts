import type { Bindings, CollectionHandle } from '../../../build/glue/collection-glue.js';
import type { Key } from '../engine.js';
import { ElanusError } from '../errors.js';
import { nextTask } from '../host.js';
import type { Instance } from '../instance.js';
import type { Folder, OpenFile } from './files.js';
import type { Batch, Condition, Found, PlainSchema, SearchAsked, SegmentStats, Stats } from './protocol.js';
import { Slots } from './slots.js';
import type { Request } from './tabs.js';

/** An instance of the module that keeps collections. */
export type Module = Instance<Bindings>;

const logName = (number: number): string => `log-${number}`;
const segmentName = (number: number): string => `segment-${number}`;

/** One collection: the core's part in an instance of its own, and its files. */
export class Kept {
  readonly #module: Module;
  readonly #handle: CollectionHandle;
  readonly #folder: Folder;
  readonly #manifest: Slots;
  readonly schema: PlainSchema;
  /** Bytes of torn tails that were cut when it was opened. */
  readonly cut: number;
  #log: OpenFile;
  #work: Promise<void> = Promise.resolve();
  #working = false;
  #broken: unknown;
  /** Why sealing or compaction came to an end last time. */
  #fault: unknown;

  private constructor(module: Module, handle: CollectionHandle, folder: Folder, manifest: Slots, log: OpenFile, cut: number) {
    this.#module = module;
    this.#handle = handle;
    this.#folder = folder;
    this.#manifest = manifest;
    this.#log = log;
    this.cut = cut;
    this.schema = handle.schema() as PlainSchema;
  }

  /** Makes a new collection durable. It is nobody's until a catalog names its folder. */
  static async create(module: Module, folder: Folder, schema: PlainSchema): Promise<Kept> {
    const handle = module.bindings.CollectionHandle.create(schema);
    // What an interrupted attempt has left.
    for (const name of await folder.names()) await folder.remove(name);
    const log = await folder.open(logName(0));
    log.write(module.bindings.head_of_log(0), 0);
    log.flush();
    const manifest = await Slots.open(folder, 'manifest');
    manifest.write(handle.manifest());
    return new Kept(module, handle, folder, manifest, log, 0);
  }

  static async open(module: Module, folder: Folder): Promise<Kept> {
    const { bindings } = module;
    const names = new Set(await folder.names());
    const manifest = await Slots.open(folder, 'manifest');
    const open: OpenFile[] = [];
    try {
      const opening = new bindings.Opening(...manifest.read());
      manifest.counts(opening.slot());
      for (const number of opening.files()) {
        if (!names.has(segmentName(number))) throw missing(segmentName(number));
        const file = await folder.open(segmentName(number));
        open.push(file);
        const loader = new bindings.Loader(file.size());
        loader.read_file(file.handle!, 0, file.size());
        opening.add(loader);
        open.pop();
        file.close();
      }
      const first = opening.first_log();
      const handle = opening.finish();
      let cut = 0;
      for (let number = first; number === first || names.has(logName(number)); number++) {
        if (!names.has(logName(number))) throw missing(logName(number));
        open.pop()?.close();
        const file = await folder.open(logName(number));
        open.push(file);
        const replayed = handle.replay(number, file.read()) as { keep: number; cut: number };
        if (replayed.keep === 0 || replayed.cut > 0) {
          cut += replayed.cut;
          file.truncate(replayed.keep);
          if (replayed.keep === 0) file.write(bindings.head_of_log(number), 0);
          file.flush();
        }
      }
      const kept = new Kept(module, handle, folder, manifest, open.pop()!, cut);
      await kept.#sweep();
      return kept;
    } catch (error) {
      manifest.close();
      for (const file of open) file.close();
      throw error;
    }
  }

  /** Bytes of WebAssembly memory. */
  get memoryBytes(): number {
    return this.#module.memory.buffer.byteLength;
  }

  put({ vectors, keys, values, documents }: Batch, replace: boolean, request?: Request): Key[] {
    return this.#commit(() => this.#handle.put(vectors, keys as unknown[], values as unknown[], documents as string[], replace), request);
  }

  remove(keys: readonly Key[], request?: Request): Key[] {
    return this.#commit(() => this.#handle.remove(keys as unknown[]), request);
  }

  removeWhere({ filter, params }: Condition, request?: Request): Key[] {
    return this.#commit(() => this.#handle.remove_where(filter ?? '', params), request);
  }

  /** Works out a write, makes it durable, applies it. Nothing comes in between: none of it waits. A request that was done isn't done again. */
  #commit(workOut: () => number, request: Request | undefined): Key[] {
    const handle = this.#handle;
    const keys = this.#guarded(() => {
      const done = request && handle.answer(request.client, request.number);
      if (done) return done as Key[];
      let length = workOut();
      if (length > 0) {
        if (request) length = handle.name_request(request.client, request.number);
        const at = handle.at();
        try {
          this.#log.write(this.#view(handle.frame_pointer(), length), at);
          this.#log.flush();
        } catch (error) {
          this.#undo(at);
          throw error;
        }
      }
      return handle.apply() as Key[];
    });
    // What fails there is told by `stats`, and tried again after the next write.
    if (handle.is_full()) this.maintain().catch(() => undefined);
    return keys;
  }

  /** Calls the core. A trap ends the instance: what it had in memory can't be trusted any more, the files can. */
  #guarded<T>(act: () => T): T {
    if (this.#broken !== undefined) throw this.#broken;
    try {
      return act();
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) {
        this.#broken = new ElanusError(
          'OUT_OF_MEMORY',
          `the collection came to an end (${error.message}); memory has probably run out: close the database and connect again, and keep less in one collection`,
          { cause: error },
        );
        throw this.#broken;
      }
      throw error;
    }
  }

  /** Cuts off what a failed write has left. If even that can't be done, nothing more may be written after it. */
  #undo(at: number): void {
    try {
      this.#log.truncate(at);
      this.#log.flush();
    } catch (error) {
      this.#broken = error;
    }
  }

  search(vector: Float32Array, asked: SearchAsked): Found {
    const { output, ...options } = asked;
    return this.#guarded(() => {
      this.#handle.search(vector, options);
      return this.#found(output, Array.from(this.#handle.distances()));
    });
  }

  query({ filter, params }: Condition, limit: number | undefined, offset: number, output: SearchAsked['output']): Found {
    return this.#guarded(() => {
      this.#handle.query(filter, params, limit, offset);
      return this.#found(output);
    });
  }

  get(keys: readonly Key[], output: SearchAsked['output']): Found {
    return this.#guarded(() => {
      this.#handle.find(keys as unknown[]);
      return this.#found(output);
    });
  }

  count({ filter, params }: Condition): number {
    return this.#guarded(() => this.#handle.count(filter, params));
  }

  #found(output: SearchAsked['output'], distances?: number[]): Found {
    return {
      entities: this.#handle.entities(output.documents) as Found['entities'],
      vectors: output.vectors ? this.#handle.vectors() : undefined,
      distances,
    };
  }

  /** Seals what is full and puts small segments together, step by step, until there is nothing more to do. */
  maintain(): Promise<void> {
    if (!this.#working) {
      this.#working = true;
      const work = this.#work.then(() => this.#steps(false)).finally(() => (this.#working = false));
      this.#work = this.#noted(work);
      return work;
    }
    return this.#work;
  }

  /** Seals everything and makes one segment of all, without what is gone. */
  compact(): Promise<void> {
    const work = this.#work.then(async () => {
      if (this.#handle.has_log()) await this.#nextLog();
      await this.#steps(true);
    });
    this.#work = this.#noted(work);
    return work;
  }

  /** The end of some work, however it ends. */
  #noted(work: Promise<void>): Promise<void> {
    return work.then(
      () => void (this.#fault = undefined),
      (error: unknown) => void (this.#fault = error),
    );
  }

  async #steps(all: boolean): Promise<void> {
    for (let last = false; !last; ) {
      if (this.#handle.is_full()) await this.#nextLog();
      let file = this.#guarded(() => this.#handle.plan(false));
      if (file === undefined) {
        last = true;
        if (!all) return;
        file = this.#guarded(() => this.#handle.plan(true));
        if (file === undefined) return;
      }
      await nextTask();
      const length = this.#guarded(() => this.#handle.build());
      await nextTask();
      if (length !== undefined) {
        const target = await this.#folder.open(segmentName(file));
        try {
          target.truncate(0);
          target.write(this.#view(this.#handle.built_pointer(), length), 0);
          target.flush();
        } finally {
          target.close();
        }
      }
      this.#manifest.write(this.#handle.finish());
      await this.#sweep();
    }
  }

  async #nextLog(): Promise<void> {
    const number = this.#handle.log() + 1;
    const log = await this.#folder.open(logName(number));
    try {
      log.truncate(0);
      log.write(this.#module.bindings.head_of_log(number), 0);
      log.flush();
    } catch (error) {
      log.close();
      await this.#folder.remove(logName(number));
      throw error;
    }
    this.#log.close();
    this.#log = log;
    this.#handle.freeze();
  }

  /** Removes files that the manifest doesn't speak of. */
  async #sweep(): Promise<void> {
    const first = this.#handle.first_log();
    const files = new Set(Array.from(this.#handle.files(), segmentName));
    for (const name of await this.#folder.names()) {
      const log = /^log-(\d+)$/.exec(name);
      if (log ? Number(log[1]) < first : name.startsWith('segment-') && !files.has(name)) await this.#folder.remove(name);
    }
  }

  stats(): Stats {
    const pairs = this.#handle.segments();
    const segments: SegmentStats[] = [];
    for (let i = 0; i < pairs.length; i += 2) segments.push({ rows: pairs[i]!, deleted: pairs[i + 1]! });
    const fault = this.#fault === undefined ? undefined : String((this.#fault as { message?: string }).message ?? this.#fault);
    return { rowCount: this.count({ filter: undefined, params: undefined }), segments, memoryBytes: this.memoryBytes, cutBytes: this.cut, fault };
  }

  async close(): Promise<void> {
    await this.#work;
    this.#broken = new ElanusError('CLOSED', 'the collection was closed; open it again');
    this.#log.close();
    this.#manifest.close();
  }

  #view(pointer: number, length: number): Uint8Array {
    // Pointers past 2 GiB come out negative.
    return new Uint8Array(this.#module.memory.buffer, pointer >>> 0, length);
  }
}

function missing(name: string): ElanusError {
  return new ElanusError('CORRUPT_FILE', `the collection's file ${name} is gone; put it back, or restore the collection from elsewhere`);
}
