import type { Bindings, ForeignHandle, Loader } from '../../build/glue/foreign-glue.js';
import { createGlue } from '../../build/glue/foreign-glue.js';
import type { Direct } from './direct.js';
import type { Description, Hit, Key, SearchPlan, Hints } from './engine.js';
import { ElanusError } from './errors.js';
import { instantiate } from './instance.js';
import { compile, simdOf } from './wasm.js';

/**
 * A file of another library, in an instance of the module that reads such files. It is fetched only when there is one:
 * few pages need its readers. What WebAssembly throws is left to the caller.
 */
export class ForeignIndex {
  readonly #bindings: Bindings;
  readonly #memory: WebAssembly.Memory;
  readonly #simd: Description['simd'];
  #loader: Loader | undefined;
  #handle: ForeignHandle | undefined;
  #fileBytes = 0;
  #written = 0;

  private constructor(bindings: Bindings, memory: WebAssembly.Memory, simd: Description['simd']) {
    this.#bindings = bindings;
    this.#memory = memory;
    this.#simd = simd;
  }

  static async create(hints: Hints): Promise<ForeignIndex> {
    const module = await compile(hints.module);
    const { bindings, memory } = await instantiate(module, createGlue());
    return new ForeignIndex(bindings, memory, simdOf(module));
  }

  /** Bytes of the file. */
  get fileBytes(): number {
    return this.#fileBytes;
  }

  /** Bytes of the instance's memory. */
  get memoryBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  reserve(bytes: number): void {
    this.#loader = new this.#bindings.Loader(bytes);
    this.#fileBytes = bytes;
    this.#written = 0;
  }

  write(bytes: Uint8Array): void {
    // Pointers past 2 GiB come out negative.
    const start = this.#loader!.pointer() >>> 0;
    if (this.#written + bytes.length > this.#fileBytes) throw new ElanusError('INTERNAL', 'more bytes than were reserved');
    new Uint8Array(this.#memory.buffer, start + this.#written, bytes.length).set(bytes);
    this.#written += bytes.length;
  }

  /** Reads bytes `from..to` of a file straight to where they belong. */
  read(direct: Direct, from: number, to: number): void {
    direct.into(this.#loader!, from, to);
  }

  /** Opens what was written. */
  open({ format, dimension, metric }: Hints): Description {
    const loader = this.#loader!;
    // `open_foreign` takes the loader's buffer, whatever comes of it.
    this.#loader = undefined;
    const handle = loader.open_foreign({ format, dimension, metric });
    this.#handle = handle;
    const description = handle.describe() as Omit<Description, 'bytes' | 'card' | 'simd' | 'textField' | 'hasSparse'>;
    return { ...description, textField: undefined, hasSparse: false, bytes: this.#fileBytes, card: '', simd: this.#simd };
  }

  /** Numbers in a query. */
  get dimension(): number {
    return this.#handle!.dimension();
  }

  prepare({ limit, ef, nprobe, searchK, kFactor }: SearchPlan): void {
    this.#handle!.prepare({ limit, ef, nprobe, searchK, kFactor });
  }

  key(row: number): Key {
    return this.#handle!.key(row) as Key;
  }

  /** A row's vector, where queries are written: valid until the next call. */
  vector(row: number): Float32Array {
    this.#handle!.load_vector(row);
    return new Float32Array(this.#memory.buffer, this.#handle!.query_pointer() >>> 0, this.dimension);
  }

  /** The index as an `.elanus` file that keeps its lists or links, and so answers alike. */
  file(): Blob {
    const pieces: BlobPart[] = [];
    this.#handle!.keep((pointer: number, length: number) => {
      // Copied: the memory is WebAssembly's, and may move.
      pieces.push(new Uint8Array(this.#memory.buffer, pointer >>> 0, length).slice());
    });
    return new Blob(pieces, { type: 'application/octet-stream' });
  }

  search(query: Float32Array): Hit[] {
    const handle = this.#handle!;
    new Float32Array(this.#memory.buffer, handle.query_pointer() >>> 0, query.length).set(query);
    const found = handle.search();
    const keys = handle.keys() as Key[];
    const rows = new Uint32Array(this.#memory.buffer, handle.rows_pointer() >>> 0, found);
    const distances = new Float32Array(this.#memory.buffer, handle.distances_pointer() >>> 0, found);
    return keys.map((id, i) => ({ id, distance: distances[i]!, row: rows[i]! }));
  }
}
