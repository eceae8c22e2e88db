import type { Bindings, Builder } from '../../build/glue/build-glue.js';
import { createGlue } from '../../build/glue/build-glue.js';
import { ElanusError, fromPlain, isThrownByCore } from './errors.js';
import type { BuildPlan, BuildProgress, Fields, Key, ModuleSource, Precision } from './engine.js';
import { nextTask } from './host.js';
import { instantiate } from './instance.js';
import { compile } from './wasm.js';

/** What a built file is written to. */
export interface FileSink {
  reserve(bytes: number): void;
  write(bytes: Uint8Array): void;
}

const PROGRESS_MS = 40;

/**
 * Builds one file, in an instance of the module that builds, which is fetched only then: WebAssembly memory never shrinks, and a build takes several
 * times what the index does. Whatever ends a build, dropping this gives all of it back.
 */
export class FileBuilder {
  readonly #bindings: Bindings;
  readonly #memory: WebAssembly.Memory;
  readonly #builder: Builder;
  #written = 0;
  readonly #numbers: number;
  readonly #count: number;
  readonly #dimension: number;

  private constructor(bindings: Bindings, memory: WebAssembly.Memory, count: number, dimension: number, binary: boolean) {
    this.#bindings = bindings;
    this.#memory = memory;
    this.#numbers = binary ? (count * dimension) / 8 : count * dimension;
    this.#count = count;
    this.#dimension = dimension;
    this.#builder = call(() => new bindings.Builder(count, dimension, binary));
  }

  static async create(source: ModuleSource, count: number, dimension: number, binary: boolean): Promise<FileBuilder> {
    const { bindings, memory } = await instantiate(await compile(source), createGlue());
    return new FileBuilder(bindings, memory, count, dimension, binary);
  }

  addVectors(vectors: Float32Array | Uint8Array): void {
    if (this.#written + vectors.length > this.#numbers) throw new ElanusError('INTERNAL', 'more vectors than were announced');
    const start = this.#builder.rows_pointer() >>> 0;
    const View = vectors instanceof Uint8Array ? Uint8Array : Float32Array;
    new View(this.#memory.buffer, start + View.BYTES_PER_ELEMENT * this.#written, vectors.length).set(vectors);
    this.#written += vectors.length;
  }

  addKeys(keys: readonly Key[]): void {
    call(() => this.#builder.add_keys([...keys]));
  }

  addFields({ names, types, values, stored, first }: Fields): void {
    if (names.length > 0) {
      if (first) call(() => this.#builder.set_columns([...names], [...types]));
      for (const row of values) call(() => this.#builder.add_columns([...row]));
    }
    for (const line of stored) call(() => this.#builder.add_fields(line));
  }

  /** AUTOINDEX is settled here, so that one place knows its rules. */
  #settle(plan: BuildPlan): BuildPlan {
    if (plan.indexType !== 'AUTOINDEX') return plan;
    const { indexType, rerank, bits, reason } = call(() =>
      this.#bindings.choose(this.#count, this.#dimension, plan.metric, plan.maxBytesPerVector),
    ) as { indexType: BuildPlan['indexType']; rerank: Precision[]; bits: number; reason: string };
    return { ...plan, indexType, rerank, bits, reason };
  }

  /** Builds, and writes the file to `sink`. */
  async finish(
    given: BuildPlan,
    sink: FileSink,
    onProgress: (progress: BuildProgress) => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    await nextTask();
    signal?.throwIfAborted();
    const plan = this.#settle(given);
    let reported = performance.now();
    const progress = (done: number, total: number): void => {
      // Thrown through the build: its instance is dropped, so nothing has to be put right in it.
      signal?.throwIfAborted();
      if (done < total && performance.now() - reported < PROGRESS_MS) return;
      reported = performance.now();
      onProgress({ phase: 'build', done, total });
      signal?.throwIfAborted();
    };
    const write = (pointer: number, length: number): void => sink.write(new Uint8Array(this.#memory.buffer, pointer >>> 0, length));
    try {
      this.#builder.build(
        {
          metric: plan.metric,
          indexType: plan.indexType,
          rerank: plan.rerank,
          bits: plan.bits,
          m: plan.m,
          nbits: plan.nbits ?? 8,
          efConstruction: plan.efConstruction,
          nlist: plan.nlist,
          calibrate: plan.calibrate,
          seed: plan.seed,
          card: composeCard(plan),
        },
        progress,
        (bytes: number) => sink.reserve(bytes),
        write,
      );
    } catch (error) {
      signal?.throwIfAborted();
      throw typed(error);
    }
  }
}

/** The card as `elanus build` writes it, to the byte. */
function composeCard({ card, primaryKey, schema, metric, indexType, rerank, seed, bits, m, nbits, efConstruction, nlist, reason, tool }: BuildPlan): string {
  const build = {
    tool,
    metric,
    index_type: indexType,
    rerank,
    seed,
    ...(indexType.startsWith('HNSW') && { ef_construction: efConstruction }),
    ...(reason !== undefined && { autoindex: reason }),
    ...(nlist !== undefined && { nlist }),
    ...(bits > 1 && { bits }),
    ...(m !== undefined && { m }),
    ...(nbits !== undefined && { nbits }),
  };
  return JSON.stringify({ ...card, ...(primaryKey && { primary_key: primaryKey }), fields: schema, build });
}

function call<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw typed(error);
  }
}

function typed(error: unknown): unknown {
  if (error instanceof ElanusError) return error;
  if (isThrownByCore(error)) return fromPlain({ details: undefined, ...error });
  if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) {
    return new ElanusError('OUT_OF_MEMORY', `the build came to an end (${error.message}); memory has probably run out: build several indexes`, {
      cause: error,
    });
  }
  return error;
}
