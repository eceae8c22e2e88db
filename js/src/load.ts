import type { LoadOptions, Source, Hints } from './engine.js';
import { ElanusError } from './errors.js';
import { nodeFiles } from './host.js';

/** What a file is poured into: one buffer of WebAssembly memory, here or in a worker. */
export interface Sink {
  /**
   * Reads the start of a file and says how many bytes the whole has. `exact` is its length where that is known.
   * `hints` is what the caller says of a file of another library; how many bytes that has nothing may say: then it is
   * {@link UNKNOWN}. Throws if the bytes are no index file.
   */
  inspect(prefix: Uint8Array, exact: number | undefined, hints: Hints): Promise<number>;
  /** Makes room for the file. */
  reserve(bytes: number): Promise<void> | void;
  /** Appends bytes, which may be looked at only during the call. */
  write(bytes: Uint8Array): Promise<void> | void;
}

/** What `inspect` answers for a file that doesn't say its length: all of it must come first. */
export const UNKNOWN = -1;
/** Header and the longest section table: what `inspect` can use. */
export const PREFIX_BYTES = 128 + 64 * 32;
/** Room for a file up to this is made as soon as its header is read. */
const SMALL_BYTES = 16 << 20;
/**
 * Room for a larger one is made when a part of 1/8 has come (kept aside until then). A stream doesn't say its length
 * in a way that can be believed, and a header of 128 bytes must not be able to take gigabytes.
 */
const BELIEF = 8;
/** Bytes handed over at once from a buffer in memory. */
export const PIECE_BYTES = 4 << 20;
const PROGRESS_MS = 40;

interface Pieces {
  /** The length, if the source is sure of it. */
  readonly exact: number | undefined;
  readonly pieces: AsyncIterable<Uint8Array>;
}

/** Pours a source into a sink; returns the file's length. */
export async function pour(
  source: Source | Response,
  sink: Sink,
  { hints, onProgress, signal }: Pick<LoadOptions, 'hints' | 'onProgress' | 'signal'>,
): Promise<number> {
  signal?.throwIfAborted();
  const { exact, pieces } = await openSource(source, signal);
  let waiting: Uint8Array[] = [];
  let received = 0;
  let total: number | undefined;
  let reserved = false;
  let reported = -Infinity;
  const report = (): void => {
    if (performance.now() - reported < PROGRESS_MS) return;
    reported = performance.now();
    onProgress({ loaded: received, total: total === UNKNOWN ? undefined : total, phase: 'download' });
  };
  const inspect = async (): Promise<number> => sink.inspect(joined(waiting, PREFIX_BYTES), exact, hints);
  report();
  for await (const piece of pieces) {
    signal?.throwIfAborted();
    received += piece.length;
    if (reserved) {
      if (received > total!) throw wrongLength(received, total!);
      await sink.write(piece);
    } else {
      waiting.push(piece);
      if (total === undefined && received >= PREFIX_BYTES) {
        total = await inspect();
        // News at once: from here on there is a share to show.
        reported = -Infinity;
      }
      if (total !== undefined && total !== UNKNOWN && (exact !== undefined || total <= SMALL_BYTES || received >= total / BELIEF)) {
        if (received > total) throw wrongLength(received, total);
        await sink.reserve(total);
        reserved = true;
        for (const early of waiting) await sink.write(early);
        waiting = [];
      }
    }
    report();
  }
  signal?.throwIfAborted();
  // A file shorter than the prefix ends before it was looked at.
  total ??= await inspect();
  if (total === UNKNOWN) total = received;
  if (received !== total) throw wrongLength(received, total);
  if (!reserved) {
    await sink.reserve(total);
    for (const early of waiting) await sink.write(early);
  }
  return total;
}

function wrongLength(received: number, total: number): ElanusError {
  const came = received < total ? `only ${received} came: the download or the file is cut short` : 'more came';
  return new ElanusError('CORRUPT_FILE', `the file's header states ${total} bytes, but ${came}; fetch or build it again`, {
    details: { expected: total, found: received },
  });
}

function joined(pieces: Uint8Array[], limit: number): Uint8Array {
  const out = new Uint8Array(Math.min(limit, pieces.reduce((sum, piece) => sum + piece.length, 0)));
  let at = 0;
  for (const piece of pieces) {
    const part = piece.subarray(0, out.length - at);
    out.set(part, at);
    at += part.length;
  }
  return out;
}

async function openSource(source: Source | Response, signal: AbortSignal | undefined): Promise<Pieces> {
  if (!('kind' in source)) return bodyOf(source, source.url, signal);
  switch (source.kind) {
    case 'bytes':
      return { exact: source.bytes.length, pieces: slices(source.bytes) };
    case 'blob':
      return openBlob(source.blob, signal);
    case 'handle':
      return openBlob(await source.handle.getFile().catch(unreadable('the file')), signal);
    case 'path':
      return openPath(source.path);
    case 'url':
      return openUrl(source.url, signal);
  }
}

function openBlob(blob: Blob, signal: AbortSignal | undefined): Pieces {
  return { exact: blob.size, pieces: chunks(blob.stream(), 'the blob', signal) };
}

/** What to throw when a file that was handed over can't be read. */
export function unreadable(what: string): (cause: unknown) => never {
  return (cause) => {
    throw new ElanusError('FETCH_FAILED', `${what} could not be read (${say(cause)}); it may have changed since it was chosen: choose it again`, {
      details: { url: what },
      cause,
    });
  };
}

async function* slices(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

async function* chunks(
  stream: ReadableStream<Uint8Array>,
  what: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  // By hand: Safari's streams are no async iterables.
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        signal?.throwIfAborted();
        throw new ElanusError('FETCH_FAILED', `${what} broke off (${say(cause)}); try again`, {
          details: { url: what },
          cause,
        });
      });
      if (done) return;
      yield value;
    }
  } finally {
    // Ends the download if the loop was left early; after a full read it does nothing.
    reader.cancel().catch(() => undefined);
  }
}

async function openUrl(url: string, signal: AbortSignal | undefined): Promise<Pieces> {
  let response: Response;
  try {
    response = await fetch(url, signal ? { signal } : {});
  } catch (cause) {
    signal?.throwIfAborted();
    throw new ElanusError(
      'FETCH_FAILED',
      `${url} could not be fetched (${say(cause)}); check the address, the network, and, for another origin, that its server allows CORS`,
      { details: { url }, cause },
    );
  }
  if (!response.ok) {
    void response.body?.cancel();
    throw new ElanusError('FETCH_FAILED', `${url} answered with HTTP status ${response.status}; check the address`, {
      details: { url, status: response.status },
    });
  }
  return bodyOf(response, url, signal);
}

function bodyOf(response: Response, url: string, signal: AbortSignal | undefined): Pieces {
  const body = response.body ?? new Blob([]).stream();
  // Content-Length counts compressed bytes under a Content-Encoding, which another origin may hide. The file's own
  // header is what tells the total.
  return { exact: undefined, pieces: chunks(body, url, signal) };
}

async function openPath(path: string | URL): Promise<Pieces> {
  const files = nodeFiles();
  if (!files) {
    throw new ElanusError('FETCH_FAILED', `${path} is a file path, which only Node (20.16 or later) can open`, {
      details: { url: String(path) },
    });
  }
  const failed = (cause: unknown): never => {
    throw new ElanusError('FETCH_FAILED', `${path} could not be read (${say(cause)})`, {
      details: { url: String(path) },
      cause,
    });
  };
  const file = await files.open(path).catch(failed);
  const { size } = await file.stat().catch(failed);
  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const buffer = new Uint8Array(PIECE_BYTES);
        const { bytesRead } = await file.read(buffer, 0, buffer.length).catch(failed);
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }
  return { exact: size, pieces: read() };
}

const say = (error: unknown): string => (error instanceof Error ? error.message : String(error));
