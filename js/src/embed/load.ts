import { ElanusError, invalid } from '../errors.js';
import { asBytes, isBlob, isUrl, nodeFiles } from '../host.js';
import type { ModelFiles } from './static-model.js';

/** One file of a model: its address, or (in Node) its path, or its content. */
export type FileSource = string | URL | Blob | ArrayBuffer | ArrayBufferView;

/** Where a model is: the address of the directory that holds its files, or each file by itself. */
export type ModelLocation =
  | string
  | URL
  | { readonly model: FileSource; readonly tokenizer: FileSource; readonly config: FileSource };

export interface ModelProgress {
  /** Bytes that have come, of all files. */
  readonly loaded: number;
  /** Bytes of all files, where every server says it. */
  readonly total: number | undefined;
}

export interface LoadOptions {
  readonly onProgress?: (progress: ModelProgress) => void;
  readonly signal?: AbortSignal;
}

const NAMES = { model: 'model.safetensors', tokenizer: 'tokenizer.json', config: 'config.json' } as const;
type Part = keyof typeof NAMES;
const PARTS = Object.keys(NAMES) as Part[];

/** A file beyond this is no static model, and reading on would fill the memory. */
const MAX_BYTES: Record<Part, number> = { model: 2 ** 31, tokenizer: 2 ** 28, config: 2 ** 20 };

/** Fetches the three files side by side. */
export async function loadFiles(location: ModelLocation, { onProgress, signal }: LoadOptions): Promise<ModelFiles> {
  signal?.throwIfAborted();
  const sources = sourcesOf(location);
  const seen = PARTS.map(() => ({ loaded: 0, total: undefined as number | undefined }));
  const report = (): void => {
    const loaded = seen.reduce((sum, file) => sum + file.loaded, 0);
    const total = seen.every((file) => file.total !== undefined) ? seen.reduce((sum, file) => sum + file.total!, 0) : undefined;
    onProgress?.({ loaded, total: total !== undefined && total >= loaded ? total : undefined });
  };
  const stop = new AbortController();
  const abort = (): void => stop.abort(signal!.reason);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const [model, tokenizer, config] = await Promise.all(
      PARTS.map((part, i) =>
        read(sources[part], part, stop.signal, (loaded, total) => {
          seen[i] = { loaded, total };
          report();
        }),
      ),
    );
    return { model: model!, tokenizer: tokenizer!, config: config! };
  } catch (error) {
    // The other downloads are of no use any more.
    stop.abort(error);
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

function sourcesOf(location: ModelLocation): Record<Part, FileSource> {
  if (typeof location === 'string' || isUrl(location)) {
    const base = String(location);
    // A query (a version, a token) belongs to each of the files.
    const [, path, rest] = /^([^?#]*)(.*)$/s.exec(base)!;
    const file = (name: string): FileSource => {
      const address = `${path!.endsWith('/') || path === '' ? path : `${path}/`}${name}${rest}`;
      return isUrl(location) ? new URL(address) : address;
    };
    return { model: file(NAMES.model), tokenizer: file(NAMES.tokenizer), config: file(NAMES.config) };
  }
  if (typeof location !== 'object' || location === null) throw noLocation();
  for (const part of PARTS) if (!(part in location)) throw noLocation();
  return location;
}

const noLocation = (): ElanusError =>
  invalid('loadStaticModel takes the address of a model directory, or { model, tokenizer, config } with an address, a Blob or bytes each');

type OnBytes = (loaded: number, total: number | undefined) => void;

async function read(source: FileSource, part: Part, signal: AbortSignal, onBytes: OnBytes): Promise<Uint8Array> {
  const name = NAMES[part];
  let bytes: Uint8Array | undefined;
  if (isBlob(source)) {
    if (source.size <= MAX_BYTES[part]) bytes = new Uint8Array(await source.arrayBuffer());
  } else if (typeof source === 'string' || isUrl(source)) {
    const path = asPath(source);
    bytes = path === undefined ? await download(source, part, signal, onBytes) : await readPath(path, name);
  } else {
    bytes = asBytes(source);
    if (!bytes) throw invalid(`the model's ${part} must be an address, a Blob or bytes, not ${source === null ? 'null' : typeof source}`);
  }
  signal.throwIfAborted();
  if (!bytes || bytes.length > MAX_BYTES[part]) throw tooLarge(part);
  onBytes(bytes.length, bytes.length);
  return bytes;
}

/** The file's path, if it is one and this is Node. */
function asPath(source: string | URL): string | URL | undefined {
  if (!nodeFiles()) return undefined;
  if (isUrl(source)) return source.protocol === 'file:' ? source : undefined;
  if (source.startsWith('file:')) return new URL(source);
  // One letter and a colon is a Windows drive.
  return /^[a-z][a-z0-9+.-]+:/i.test(source) ? undefined : source;
}

async function readPath(path: string | URL, name: string): Promise<Uint8Array> {
  try {
    return await nodeFiles()!.readFile(path);
  } catch (cause) {
    throw new ElanusError('FETCH_FAILED', `the model's ${name} could not be read (${say(cause)})`, {
      details: { url: String(path) },
      cause,
    });
  }
}

async function download(source: string | URL, part: Part, signal: AbortSignal, onBytes: OnBytes): Promise<Uint8Array> {
  // A worker would resolve a relative address against its own script.
  const base = (globalThis as { document?: { baseURI: string } }).document?.baseURI;
  let url = String(source);
  try {
    url = new URL(url, base ?? globalThis.location?.href).href;
    const response = await fetch(url, { signal });
    if (!response.ok) {
      void response.body?.cancel();
      throw new ElanusError('FETCH_FAILED', `${url} answered with HTTP status ${response.status}; check the address`, {
        details: { url, status: response.status },
      });
    }
    return await collect(response, part, onBytes);
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof ElanusError) throw cause;
    throw new ElanusError(
      'FETCH_FAILED',
      `${url} could not be fetched (${say(cause)}); check the address, the network, and, for another origin, that its server allows CORS`,
      { details: { url }, cause },
    );
  }
}

async function collect(response: Response, part: Part, onBytes: OnBytes): Promise<Uint8Array> {
  const stated = response.headers.get('content-length');
  // Under an encoding the length is that of the compressed bytes.
  const total = stated !== null && !response.headers.get('content-encoding') ? Number(stated) : undefined;
  const pieces: Uint8Array[] = [];
  let loaded = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
    if (done) break;
    loaded += value!.length;
    if (loaded > MAX_BYTES[part]) {
      void reader!.cancel();
      throw tooLarge(part);
    }
    pieces.push(value!);
    onBytes(loaded, total);
  }
  const bytes = new Uint8Array(loaded);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

const tooLarge = (part: Part): ElanusError =>
  new ElanusError('CORRUPT_FILE', `the model's ${NAMES[part]} has more than ${MAX_BYTES[part]} bytes; that is no file of a static model`);

const say = (error: unknown): string => (error instanceof Error ? error.message : String(error));
