import type { PartialHandle } from '../../../build/glue/lazy-glue.js';
import { createGlue } from '../../../build/glue/lazy-glue.js';
import type { Description, Hit, Key, MemoryUsage, ModuleSource, SearchPlan } from '../engine.js';
import { ElanusError, isThrownByCore } from '../errors.js';
import { instantiate } from '../instance.js';
import { readStored } from '../stored.js';
import { compile, simdOf } from '../wasm.js';
import { IN_MEMORY, type RangeKeep } from './keep.js';
import type { Bytes, Range, RangeSource } from './ranges.js';

/** Gaps between wanted bytes that are fetched, too, rather than asked for around. */
const GAP_BYTES = 4 << 10;
/** Requests of one turn, at most, where that takes no gap of more than `FAR_BYTES`: with the first, those of a first answer are about 40. */
const FEW_REQUESTS = 19;
/** In a large file wanted bytes are far apart: this much isn't fetched to save a request. */
const FAR_BYTES = 64 << 10;
const MOST_REQUESTS = 64;
/** Far more turns than any call takes. */
const MOST_TURNS = 24;

/** What a file says of itself. */
type Own = Pick<Description, 'count' | 'dimension' | 'metric' | 'indexType' | 'lists' | 'card'>;

/** Is told of what codes alone find. */
type Told = (hits: Hit[]) => void;

/**
 * An index of which parts are there: it asks for what it lacks, is fed, and asks again. It has an instance of a module of its
 * own, which is smaller than the one for whole files. What the module throws is left to the caller.
 */
export class PartialIndex {
  readonly #handle: PartialHandle;
  readonly #memory: WebAssembly.Memory;
  readonly #source: RangeSource;
  /** What is kept of the file between visits. */
  #keep: RangeKeep = IN_MEMORY;
  /** The instructions of the module. */
  readonly simd: Description['simd'];

  private constructor(handle: PartialHandle, memory: WebAssembly.Memory, source: RangeSource, simd: Description['simd']) {
    this.#handle = handle;
    this.#memory = memory;
    this.#source = source;
    this.simd = simd;
  }

  /** Throws if the file can't be read in parts. */
  static async create(from: ModuleSource, source: RangeSource, fileBytes: number): Promise<PartialIndex> {
    const module = await compile(from);
    const { bindings, memory } = await instantiate(module, createGlue());
    return new PartialIndex(new bindings.PartialHandle(source.head, fileBytes), memory, source, simdOf(module));
  }

  /** Numbers in a query. */
  get dimension(): number {
    return this.#handle.dimension();
  }

  async describe(signal: AbortSignal | undefined): Promise<Own> {
    let description: unknown;
    await this.#until(() => (description = this.#handle.describe()) !== undefined, signal);
    return description as Own;
  }

  async search(query: Float32Array, plan: SearchPlan, signal: AbortSignal | undefined, onCoarse: Told | undefined): Promise<Hit[]> {
    const { outputFields, ...options } = plan;
    const ask = (): void => {
      this.#handle.prepare(options, outputFields !== undefined);
      new Float32Array(this.#memory.buffer, this.#handle.query_pointer() >>> 0, query.length).set(query);
    };
    ask();
    if (onCoarse) {
      await this.#until(() => this.#handle.search(true), signal);
      await this.#until(() => this.#handle.read(), signal);
      const coarse = this.#hits(outputFields);
      // What the caller's function throws is the caller's, and no failure of the search.
      queueMicrotask(() => onCoarse(coarse));
    }
    await this.#until(() => this.#handle.search(false), signal);
    await this.#until(() => this.#handle.read(), signal);
    return this.#hits(outputFields);
  }

  /** From now on takes from there what is there, and keeps there what comes. */
  keepIn(keep: RangeKeep): void {
    this.#keep = keep;
    keep.put(0, this.#source.head);
  }

  memory(): MemoryUsage {
    return { wasmBytes: this.#memory.buffer.byteLength, fileBytes: this.#handle.held_bytes() };
  }

  evict(): void {
    this.#handle.evict();
  }

  free(): void {
    this.#handle.free();
  }

  #hits(outputFields: SearchPlan['outputFields']): Hit[] {
    const keys = this.#handle.keys() as Key[];
    const [rows, distances] = [this.#handle.rows(), this.#handle.distances()];
    const fields = outputFields && this.#fields(outputFields);
    return keys.map((id, i) => ({ id, distance: distances[i]!, row: rows[i]!, ...(fields && { fields: fields[i]! }) }));
  }

  #fields(wanted: readonly string[] | '*'): Record<string, unknown>[] {
    return readStored(this.#handle.fields(), wanted);
  }

  /** Calls until nothing is lacked. */
  async #until(call: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    for (let turn = 0; !call(); turn += 1) {
      if (turn === MOST_TURNS) throw new ElanusError('INTERNAL', 'the index asks for more and more of its file. Please report it');
      if (await this.#feedKept()) continue;
      const apart = this.#handle.lacks(FAR_BYTES, 0xffff_ffff).length / 2;
      const ranges = pairs(this.#handle.lacks(GAP_BYTES, Math.min(Math.max(apart, FEW_REQUESTS), MOST_REQUESTS)));
      const parts = await this.#source.fetch(ranges, signal);
      // The last first: it has what the others are checked by.
      for (let i = ranges.length - 1; i >= 0; i -= 1) await this.#feed(ranges[i]!, parts[i]!, signal);
    }
  }

  /** Feeds what is kept of what is lacked; whether there was something. */
  async #feedKept(): Promise<boolean> {
    const wanted = pairs(this.#handle.lacks(0, 0xffff_ffff));
    const { head } = this.#source;
    const kept = await this.#keep.read(wanted);
    wanted.forEach(([from, to], i) => (kept[i] ??= to <= head.length ? head.subarray(from, to) : undefined));
    let [fed, bytes] = [0, 0];
    // The last first, as always.
    for (let i = wanted.length - 1; i >= 0; i -= 1) {
      if (!kept[i]) continue;
      try {
        this.#handle.feed(wanted[i]![0], kept[i]!);
        fed += 1;
        if (wanted[i]![1] > head.length) bytes += kept[i]!.length;
      } catch (error) {
        if (!isThrownByCore(error)) throw error;
        // Without checksums nothing can be told of it; with them it was damaged.
        if (error.code === 'CORRUPT_FILE') this.#keep.drop(wanted[i]!);
      }
    }
    // Told of once: each telling is a message to the page, which its answer would wait behind.
    if (bytes > 0) this.#source.tally.kept(bytes);
    return fed > 0;
  }

  async #feed(range: Range, bytes: Bytes, signal: AbortSignal | undefined): Promise<void> {
    try {
      this.#handle.feed(range[0], bytes);
      this.#keep.put(range[0], bytes);
    } catch (error) {
      if (!isThrownByCore(error) || error.code !== 'CORRUPT_FILE') throw error;
      // A cache on the way may have kept what the file was before, or a part of it.
      const again = (await this.#source.fetch([range], signal, true))[0]!;
      try {
        this.#handle.feed(range[0], again);
        this.#keep.put(range[0], again);
      } catch (stillWrong) {
        const head = (await this.#source.fetch([[0, 128]], signal, true))[0]!;
        if (!head.every((byte, at) => byte === this.#source.head[at])) throw this.#source.changed('its header is another one');
        throw stillWrong;
      }
    }
  }
}

function pairs(flat: Float64Array): Range[] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!] as const);
}
