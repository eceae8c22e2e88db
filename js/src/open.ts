import { cancellation } from './cancel.js';
import { checkModel, type ModelSource, parseCard } from './card.js';
import type { Engine, LoadMode, ModuleSource, Progress, Source, Hints } from './engine.js';
import { ElanusError, invalid } from './errors.js';
import { asBytes, isBlob, isFileHandle, isModule, isUrl, nodeFiles } from './host.js';
import type { Network, Traffic } from './lazy/ranges.js';
import { Index } from './search-index.js';
import { LocalEngine } from './local-engine.js';
import { checkModelShape, checkSignal, describe, flag, knownOnly } from './options.js';
import { RemoteEngine } from './remote-engine.js';
import { INDEX_WORKER, spawn } from './spawn.js';
import { compiledModule, type MainModule, mainModule, type WasmSource } from './wasm.js';

/** Options of {@link open}. */
export interface OpenOptions {
  /**
   * Where the index lives and is searched. `'worker'`: in a worker of its own, so that the page never waits; the default
   * where there are workers. `'main'`: in the calling thread; the default elsewhere, Node among them. If no worker can
   * be started and none was asked for, the calling thread is used; `index.thread` says what it came to.
   */
  thread?: 'worker' | 'main';
  /**
   * How much of the file is fetched, and when. `'eager'` (the default): all of it, before `open` is done. `'lazy'`: only what
   * opening and each search read, in ranges of bytes; the file must be built with `--checks` as IVF_RABITQ, SCAN_RABITQ (1 bit)
   * or IVF_PQ (4 bits). Then `search` has no `exact`, `radius`, `recall` and groups, and calls that need the whole file are
   * refused; `index.prefetch()` brings it. `'background'`: the same, and the rest is fetched while it is searched. Where
   * the file or its host doesn't allow it, the file is loaded whole, and `index.loading` says why.
   */
  load?: LoadMode;
  /** `load: 'lazy'` and `'background'`: told of what was fetched so far, whenever something came. */
  onTraffic?: (traffic: Traffic) => void;
  /**
   * `load: 'lazy'` and `'background'`: how often a request is repeated that fails in a way that may pass (a lost connection, HTTP
   * 408, 425, 429, 5xx), ever later and not before the host's own `Retry-After`: default 4. And after how many
   * milliseconds without a byte it is given up: default 15,000.
   */
  network?: { retries?: number; timeout?: number };
  /**
   * `load: 'lazy'` and `'background'`: keep what was fetched for the next visit, which then fetches only what it lacks, and works
   * offline as far as that goes. `{ bytes }`: so much of all files together; what was used longest ago goes first. Default
   * 256 MiB; `false` keeps nothing.
   */
  keep?: boolean | { bytes?: number };
  /** Called when loading begins, while it goes on (about 25 times a second at most) and when the index is ready. */
  onProgress?: (progress: Progress) => void;
  /** Abandons the loading; the promise is then rejected with `signal.reason`. */
  signal?: AbortSignal;
  /** Check every byte of the file against its checksums, and its structure. Default true; leave it on for files of strangers. */
  verify?: boolean;
  /** The model that queries will be embedded with, or the embedder itself; a file of another one is refused. */
  model?: ModelSource;
  /**
   * Files of other libraries: whose file it is, `'Faiss'`, `'hnswlib'`, `'Annoy'`, `'usearch'`, `'NMSLIB'` or `'instant-distance'`, where the
   * content doesn't show it. Annoy's never does.
   */
  format?: 'Faiss' | 'hnswlib' | 'Annoy' | 'usearch' | 'NMSLIB' | 'instant-distance';
  /** Files of other libraries: numbers (or bits) in a vector. Needed for Annoy. */
  dimension?: number;
  /**
   * Files of other libraries: how nearness is measured. Needed for hnswlib, Annoy and graphs of NMSLIB that
   * aren't optimised. The libraries' own words (`'angular'`) are understood, too.
   */
  metric?: 'L2' | 'IP' | 'COSINE' | 'L1' | 'HAMMING' | (string & {});
  /** Where the WebAssembly module comes from, as in {@link init}; looked at only if none is loaded yet. */
  wasm?: WasmSource;
  /** Where the module for files of other libraries comes from; by default `elanus-foreign.wasm` next to this package's script. */
  foreignWasm?: string | URL | WebAssembly.Module;
  /** Where the module that searches parts of files comes from; by default `elanus-lazy.wasm` next to this package's script. */
  lazyWasm?: string | URL | WebAssembly.Module;
  /** Where the worker's script comes from; by default `worker.js` next to this package's script. */
  workerUrl?: string | URL;
}

/** Kept of all files that are fetched in ranges. */
const KEPT_BYTES = 256 << 20;

const OPEN_OPTIONS = [
  'thread', 'load', 'onTraffic', 'network', 'keep', 'onProgress', 'signal', 'verify', 'model', 'format', 'dimension', 'metric', 'wasm', 'foreignWasm', 'lazyWasm', 'workerUrl',
] as const;

/**
 * Where an index file can come from: an address (in Node also a file path), a `File` or `Blob`, the handle of a file (of
 * the origin's own file system, or one that a visitor chose), or bytes in memory.
 */
export type IndexSource = string | URL | Blob | FileSystemFileHandle | ArrayBuffer | ArrayBufferView;

/**
 * Opens an index file, or one of another library (Faiss, hnswlib, Annoy, usearch, NMSLIB, instant-distance), which is recognised by its
 * content. From such a file `search` answers as the library does, with its ids and its distances; filters, fields,
 * iterators and `get` are for `.elanus` files.
 *
 * The file is streamed into WebAssembly memory of its own, without a second copy beside it, and stays there until
 * `close()`. A buffer that is given as the source is copied and stays usable.
 *
 * @throws ElanusError `FETCH_FAILED` if the download fails; `UNSUPPORTED_FORMAT`, `UNSUPPORTED_VERSION` or `CORRUPT_FILE`
 *   if it isn't a whole index file; `MODEL_MISMATCH`; `OUT_OF_MEMORY`; `WASM_UNAVAILABLE`; `WORKER_FAILED`;
 *   `INVALID_ARGUMENT` for options or sources that are none. Rejected with `signal.reason` if the signal fires.
 */
export async function open(source: IndexSource, options?: OpenOptions): Promise<Index> {
  const o = knownOnly(options, OPEN_OPTIONS, 'open');
  if (o.thread !== undefined && o.thread !== 'worker' && o.thread !== 'main') {
    throw invalid(`thread must be 'worker' or 'main', not ${describe(o.thread)}`);
  }
  if (o.onProgress !== undefined && typeof o.onProgress !== 'function') {
    throw invalid(`onProgress must be a function, not ${describe(o.onProgress)}`);
  }
  if (o.workerUrl !== undefined && typeof o.workerUrl !== 'string' && !isUrl(o.workerUrl)) {
    throw invalid(`workerUrl must be a string or a URL, not ${describe(o.workerUrl)}`);
  }
  if (o.load !== undefined && !['eager', 'lazy', 'background'].includes(o.load)) {
    throw invalid(`load must be 'eager', 'lazy' or 'background', not ${describe(o.load)}`);
  }
  if (o.onTraffic !== undefined && typeof o.onTraffic !== 'function') {
    throw invalid(`onTraffic must be a function, not ${describe(o.onTraffic)}`);
  }
  const mode = o.load ?? 'eager';
  const network = networkOf(o.network);
  const keep = keepOf(o.keep);
  // Bundlers look for exactly this expression.
  const lazyModule = moduleSource(o.lazyWasm, 'lazyWasm', new URL('./elanus-lazy.wasm', import.meta.url));
  const verify = flag(o.verify, 'verify') ?? true;
  const model = checkModelShape(o.model);
  const hints = hintsOf(o);
  const outer = checkSignal(o.signal);
  const from = sourceOf(source);

  outer?.throwIfAborted();
  const { signal, report, release } = cancellation(outer, o.onProgress);
  let engine: Engine | undefined;
  let thread: 'worker' | 'main';
  try {
    const module = await until(signal, mode === 'eager' ? compiledModule(o.wasm) : mainModule(o.wasm));
    ({ engine, thread } = await startEngine(module, o.thread, o.workerUrl));
    signal.throwIfAborted();
    const description = await engine.load(from, {
      verify, hints, mode, network, keep, lazyModule, onProgress: report, onTraffic: o.onTraffic ?? (() => undefined), signal,
    });
    signal.throwIfAborted();
    const card = parseCard(description.card);
    if (model) checkModel(card, model);
    return new Index(engine, description, card, thread);
  } catch (error) {
    engine?.close();
    throw error;
  } finally {
    release();
  }
}

function networkOf(given: OpenOptions['network']): Network {
  const { retries = 4, timeout = 15_000 } = knownOnly(given, ['retries', 'timeout'], 'network');
  if (!Number.isInteger(retries) || retries < 0 || retries > 100) {
    throw invalid(`network.retries must be a whole number from 0 to 100, not ${describe(retries)}`);
  }
  if (!(timeout > 0 && timeout <= 0x7fff_ffff)) throw invalid(`network.timeout must be a number of milliseconds, not ${describe(timeout)}`);
  return { retries, timeout };
}

function keepOf(given: OpenOptions['keep']): number {
  if (given === false) return 0;
  const { bytes = KEPT_BYTES } = knownOnly(given === true ? undefined : given, ['bytes'], 'keep');
  if (!(bytes >= 0)) throw invalid(`keep.bytes must be a number of bytes, not ${describe(bytes)}`);
  return bytes;
}

function hintsOf({ format, dimension, metric, foreignWasm }: OpenOptions): Hints {
  for (const [name, value] of [['format', format], ['metric', metric]] as const) {
    if (value !== undefined && typeof value !== 'string') throw invalid(`${name} must be a name, not ${describe(value)}`);
  }
  if (dimension !== undefined && !(Number.isInteger(dimension) && dimension > 0 && dimension <= 0xffff_ffff)) {
    throw invalid(`dimension must be a whole number from 1 on, not ${describe(dimension)}`);
  }
  // Bundlers look for exactly this expression.
  const module = moduleSource(foreignWasm, 'foreignWasm', new URL('./elanus-foreign.wasm', import.meta.url));
  return { format, dimension, metric, module };
}

/** Where a module comes from that is fetched by whoever needs it: a worker would resolve an address against its own script. */
export function moduleSource(given: string | URL | WebAssembly.Module | undefined, name: string, own: URL): ModuleSource {
  if (given !== undefined && typeof given !== 'string' && !isUrl(given) && !isModule(given)) {
    throw invalid(`${name} must be an address or a WebAssembly.Module, not ${describe(given)}`);
  }
  const module = given ?? own;
  return isModule(module) ? module : absolute(String(module));
}

/** An address as the page would resolve it. */
function absolute(address: string): string {
  const base = (globalThis as { document?: { baseURI: string } }).document?.baseURI ?? globalThis.location?.href;
  return new URL(address, base).href;
}

export async function startEngine(
  module: MainModule,
  wanted: 'worker' | 'main' | undefined,
  workerUrl: string | URL | undefined,
): Promise<{ engine: Engine; thread: 'worker' | 'main' }> {
  const possible = typeof Worker === 'function';
  if (wanted === 'worker' && !possible) {
    throw new ElanusError('WORKER_FAILED', "this host has no web workers; open with thread: 'main', or leave it out");
  }
  if (wanted !== 'main' && possible) {
    try {
      return { engine: await RemoteEngine.create(await spawn(workerUrl, INDEX_WORKER), module), thread: 'worker' };
    } catch (error) {
      if (wanted === 'worker' || !(error instanceof ElanusError) || error.code !== 'WORKER_FAILED') throw error;
      console.warn(`elanus searches on the calling thread: ${error.message}`);
    }
  }
  return { engine: await LocalEngine.create(module), thread: 'main' };
}

function sourceOf(given: unknown): Source {
  if (isUrl(given)) {
    return given.protocol === 'file:' && nodeFiles() ? { kind: 'path', path: given } : { kind: 'url', url: given.href };
  }
  if (typeof given === 'string') {
    const base = (globalThis as { document?: { baseURI: string } }).document?.baseURI ?? globalThis.location?.href;
    if (base === undefined && nodeFiles()) {
      // One letter and a colon is a Windows drive.
      if (!/^[a-z][a-z0-9+.-]+:/i.test(given)) return { kind: 'path', path: given };
      if (given.startsWith('file:')) return { kind: 'path', path: new URL(given) };
    }
    try {
      // A worker would resolve it against its own script.
      return { kind: 'url', url: new URL(given, base).href };
    } catch (cause) {
      throw new ElanusError('INVALID_ARGUMENT', `${describe(given)} is no address`, { cause });
    }
  }
  if (isBlob(given)) return { kind: 'blob', blob: given };
  if (isFileHandle(given)) return { kind: 'handle', handle: given };
  const bytes = asBytes(given);
  if (bytes) return { kind: 'bytes', bytes };
  throw invalid(`an index is opened from a URL, a Blob, File or file handle, an ArrayBuffer or a view on one, not ${describe(given)}`);
}

/** A promise that others share can't be cancelled, but waiting for it can. */
function until<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
