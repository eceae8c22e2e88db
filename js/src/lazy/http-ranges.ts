import { ElanusError } from '../errors.js';
import { type Bytes, type Network, type Range, type RangeSource, Tally, type Traffic } from './ranges.js';

/** Of an answer that isn't to be had yet, so long is waited for at most. A host that asks for more has failed. */
const MOST_WAIT_MS = 30_000;
const FIRST_WAIT_MS = 200;
/** How often the first request is repeated before the file is taken whole. */
const FIRST_TRIES = 2;
/** Answers that another try may better. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Why a host's file can't be fetched in ranges, and what it sent instead, if that is of use. */
export interface Whole {
  readonly reason: string;
  /** The whole file, on its way. */
  readonly response: Response | undefined;
  /** Nothing at all came. */
  readonly offline?: boolean;
}

/** Bytes of a header, by which a file is told from another. */
const HEADER_BYTES = 128;

/**
 * Asks for a file's first bytes. Where they are kept, only for its header; and if that can't be had either, they are taken for
 * what the file still is: so a file that was searched before is searched offline.
 *
 * @returns ranges of it, or why there are none: the host ignores `Range`, or changes the bytes on their way
 * @throws ElanusError `FETCH_FAILED`; what the signal says if it fires
 */
export async function openHttpRanges(
  url: string,
  headBytes: number,
  kept: Bytes | undefined,
  network: Network,
  onTraffic: (traffic: Traffic) => void,
  signal: AbortSignal | undefined,
): Promise<RangeSource | Whole> {
  const ranges = new HttpRanges(url, network, new Tally(onTraffic));
  if (kept) {
    const whole = await ranges.begin(HEADER_BYTES, signal);
    const isSame = !whole && ranges.head.length === HEADER_BYTES && ranges.head.every((byte, at) => byte === kept[at]);
    if (isSame || whole?.offline) {
      ranges.head = kept;
      return ranges;
    }
    if (whole) return whole;
  }
  return (await ranges.begin(headBytes, signal)) ?? ranges;
}

class HttpRanges implements RangeSource {
  readonly what: string;
  head: Bytes = new Uint8Array(0);
  readonly tally: Tally;
  readonly #network: Network;
  /** Whether the host has told what it knows this state of the file by: not before it has answered, if the file is opened offline. */
  #isKnown = false;
  #etag: string | null = null;
  #modified: string | null = null;
  /** Bytes of the whole, where the host shows it. */
  #total: number | undefined;
  /** No request before that: the host has said so. */
  #notBefore = 0;

  constructor(url: string, network: Network, tally: Tally) {
    this.what = url;
    this.#network = network;
    this.tally = tally;
  }

  async begin(headBytes: number, signal: AbortSignal | undefined): Promise<Whole | undefined> {
    try {
      return await this.#begin(headBytes, signal);
    } catch (error) {
      if (!(error instanceof ElanusError) || error.details?.['status'] !== undefined) throw error;
      // There was no answer that could be read. A browser says no more of one that a host has compressed against its wish.
      return { reason: `a range of it could not be had (${error.message})`, response: undefined, offline: true };
    }
  }

  #begin(headBytes: number, signal: AbortSignal | undefined): Promise<Whole | undefined> {
    this.tally.turn();
    const turn = new Turn();
    signal?.throwIfAborted();
    const abort = (): void => turn.end(signal!.reason);
    signal?.addEventListener('abort', abort, { once: true });
    const first = this.#trying(turn, Math.min(FIRST_TRIES, this.#network.retries), async (attempt): Promise<Whole | undefined> => {
      const response = await this.#request([0, headBytes], attempt, {});
      if (response.status === 200) {
        const coded = isCoded(response.headers);
        if (coded) response.cancel();
        return { reason: 'its host answers a request for a range with the whole file', response: coded ? undefined : response.take() };
      }
      if (response.status === 416) {
        return { reason: 'its host says that it has no first bytes', response: undefined };
      }
      if (isCoded(response.headers)) {
        response.cancel();
        return { reason: `its host compresses it (${response.headers.get('content-encoding')}), and ranges of that are none of the file`, response: undefined };
      }
      this.#learn(response);
      const place = contentRange(response.headers);
      if (place && place[0] !== 0) throw new Passing(`the host sent bytes from ${place[0]} on where those from 0 were asked for`);
      // A file that is shorter than what was asked for comes whole.
      const expected = place ? Math.min(headBytes, place[1]) : undefined;
      this.head = await response.bytes(expected, headBytes);
      return undefined;
    });
    return first.finally(() => signal?.removeEventListener('abort', abort));
  }

  async fetch(ranges: readonly Range[], signal: AbortSignal | undefined, fresh = false): Promise<Bytes[]> {
    if (ranges.length === 0) return [];
    this.tally.turn();
    signal?.throwIfAborted();
    const turn = new Turn();
    const abort = (): void => turn.end(signal!.reason);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await Promise.all(ranges.map((range) => this.#one(range, turn, fresh)));
    } catch (error) {
      // One that fails for good ends the others.
      turn.end(error);
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  #one(range: Range, turn: Turn, fresh: boolean): Promise<Bytes> {
    return this.#trying(turn, this.#network.retries, async (attempt) => {
      const response = await this.#request(range, attempt, fresh ? { cache: 'reload' } : {});
      this.#checkSame(response);
      if (response.status === 200) {
        response.cancel();
        throw new Passing('the host sent the whole file where a range was asked for');
      }
      const place = contentRange(response.headers);
      if (place && place[0] !== range[0]) {
        response.cancel();
        throw new Passing(`the host sent bytes from ${place[0]} on where those from ${range[0]} were asked for`);
      }
      return response.bytes(range[1] - range[0], range[1] - range[0]);
    });
  }

  #learn(response: Answer): void {
    this.#isKnown = true;
    this.#etag = response.headers.get('etag');
    this.#modified = response.headers.get('last-modified');
    this.#total = contentRange(response.headers)?.[1];
  }

  /** Refuses an answer of another state of the file than the first. */
  #checkSame(response: Answer): void {
    // Whether that is the state whose beginning was kept is told by checksums.
    if (!this.#isKnown && response.status === 206) this.#learn(response);
    const differs = (known: string | null, name: string): boolean => {
      const now = response.headers.get(name);
      return known !== null && now !== null && known !== now;
    };
    const total = contentRange(response.headers)?.[1] ?? this.#total;
    const changed =
      total !== this.#total || (this.#etag !== null ? differs(this.#etag, 'etag') : differs(this.#modified, 'last-modified'));
    if (response.status === 416 || changed) {
      response.cancel();
      throw this.changed(response.status === 416 ? 'it has become shorter' : 'its host tells of another length, tag or time');
    }
  }

  changed(why: string): ElanusError {
    return new ElanusError('SOURCE_CHANGED', `${this.what} has changed since it was opened (${why}); open it again`, {
      details: { url: this.what },
    });
  }

  /** Tries again what may pass, ever later, and not before the host's own time. */
  async #trying<T>(turn: Turn, retries: number, attempt: (watch: Stalled) => Promise<T>): Promise<T> {
    for (let tries = 0; ; tries += 1) {
      await turn.pause(this.#notBefore - performance.now());
      const stalled = new Stalled(this.#network.timeout, turn);
      try {
        return await attempt(stalled);
      } catch (error) {
        turn.check();
        if (error instanceof ElanusError) throw error;
        const passing = error instanceof Passing ? error : new Passing(stalled.fired ? 'nothing came in time' : say(error));
        const wait = Math.max(passing.after, FIRST_WAIT_MS * 2 ** tries * (0.5 + Math.random() / 2));
        if (tries >= retries || wait > MOST_WAIT_MS || !passing.again) throw this.#failed(passing, tries, wait);
        if (passing.after > 0) this.#notBefore = Math.max(this.#notBefore, performance.now() + passing.after);
        await turn.pause(wait);
      } finally {
        stalled.clear();
      }
    }
  }

  #failed(passing: Passing, tries: number, wait: number): ElanusError {
    const times = tries === 0 ? '' : `, ${tries + 1} times`;
    const later = wait > MOST_WAIT_MS ? `; its host asks to wait ${Math.ceil(wait / 1000)} seconds` : '';
    return new ElanusError(
      'FETCH_FAILED',
      `${this.what} could not be fetched (${passing.message}${times}${later}); check the address, the network, and, for another ` +
        'origin, that its server allows CORS',
      { details: { url: this.what, ...(passing.status !== undefined && { status: passing.status }) } },
    );
  }

  async #request([from, to]: Range, watch: Stalled, init: RequestInit): Promise<Answer> {
    this.tally.request();
    const headers: Record<string, string> = { range: `bytes=${from}-${to - 1}` };
    // To another origin it would cost a question whether it may be sent, which plain hosts deny. Weak tags don't do.
    if (this.#etag !== null && !this.#etag.startsWith('W/') && isOwnOrigin(this.what)) headers['if-range'] = this.#etag;
    const response = await fetch(this.what, { headers, signal: watch.signal, ...init });
    const answer = new Answer(response, this.tally, watch);
    if (response.status === 206 || response.status === 416) return answer;
    if (response.status === 200) {
      if (this.#etag !== null && headers['if-range'] && response.headers.get('etag') !== this.#etag) {
        answer.cancel();
        throw this.changed('its host sent a new one');
      }
      return answer;
    }
    answer.cancel();
    const { status } = response;
    throw new Passing(`HTTP status ${status}`, { status, after: retryAfter(response.headers), again: PASSING.has(status) });
  }
}

/** A failure that may pass. */
class Passing extends Error {
  readonly status: number | undefined;
  /** Milliseconds that the host asks for. */
  readonly after: number;
  readonly again: boolean;

  constructor(message: string, { status, after = 0, again = true }: { status?: number; after?: number; again?: boolean } = {}) {
    super(message);
    this.status = status;
    this.after = after;
    this.again = again;
  }
}

/** An answer whose body is read to an expected length. */
class Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly #response: Response;
  readonly #tally: Tally;
  readonly #watch: Stalled;

  constructor(response: Response, tally: Tally, watch: Stalled) {
    this.#response = response;
    this.#tally = tally;
    this.#watch = watch;
    this.status = response.status;
    this.headers = response.headers;
  }

  /** The answer itself, which may take as long as it likes from now on. */
  take(): Response {
    this.#watch.clear();
    return this.#response;
  }

  cancel(): void {
    this.#response.body?.cancel().catch(() => undefined);
  }

  /** The body, of `expected` bytes, or of at most `most` if that isn't known. */
  async bytes(expected: number | undefined, most: number): Promise<Bytes> {
    const out = new Uint8Array(most);
    let at = 0;
    const reader = this.#response.body?.getReader();
    for (;;) {
      const { done, value } = reader ? await reader.read() : { done: true, value: undefined };
      if (done || !value) break;
      this.#tally.came(value.length);
      this.#watch.moved();
      if (at + value.length > most) {
        reader!.cancel().catch(() => undefined);
        throw new Passing(`more than the ${most} bytes that were asked for came`);
      }
      out.set(value, at);
      at += value.length;
    }
    if (expected !== undefined && at !== expected) throw new Passing(`only ${at} of ${expected} bytes came`);
    return out.subarray(0, at);
  }
}

/** Requests that are waited for together and end together. A signal that each listened to would have too many listeners. */
class Turn {
  readonly #members = new Set<(reason: unknown) => void>();
  #ended: { readonly reason: unknown } | undefined;

  /** Is told of the end, once. */
  join(member: (reason: unknown) => void): void {
    if (this.#ended) member(this.#ended.reason);
    else this.#members.add(member);
  }

  leave(member: (reason: unknown) => void): void {
    this.#members.delete(member);
  }

  end(reason: unknown): void {
    this.#ended ??= { reason };
    for (const member of this.#members) member(reason);
    this.#members.clear();
  }

  /** Throws the reason if it has ended. */
  check(): void {
    if (this.#ended) throw this.#ended.reason;
  }

  /** Waits, and is rejected with the reason if it ends meanwhile. */
  pause(ms: number): Promise<void> {
    if (!this.#ended && !(ms > 0)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const ended = (reason: unknown): void => {
        clearTimeout(timer);
        reject(reason);
      };
      const timer = setTimeout(() => {
        this.leave(ended);
        resolve();
      }, ms);
      this.join(ended);
    });
  }
}

/** A signal that fires when nothing has come for too long, or its caller's does. */
class Stalled {
  readonly #controller = new AbortController();
  readonly #timeout: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #turn: Turn;
  fired = false;

  constructor(timeout: number, turn: Turn) {
    this.#timeout = timeout;
    this.#turn = turn;
    this.moved();
    turn.join(this.#abort);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something has come. */
  moved(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.fired = true;
      this.#controller.abort();
    }, this.#timeout);
  }

  readonly #abort = (reason: unknown): void => this.#controller.abort(reason);

  clear(): void {
    clearTimeout(this.#timer);
    this.#turn.leave(this.#abort);
  }
}

function isCoded(headers: Headers): boolean {
  const encoding = headers.get('content-encoding');
  return encoding !== null && encoding.toLowerCase() !== 'identity';
}

function isOwnOrigin(url: string): boolean {
  const own = globalThis.location?.origin;
  // Without a page there is no origin that anything could be foreign to.
  return own === undefined || own === new URL(url).origin;
}

/** First byte and length of the whole, as `Content-Range` has them. Another origin may hide it. */
function contentRange(headers: Headers): readonly [number, number] | undefined {
  const match = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get('content-range') ?? '');
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

/** Milliseconds; `Retry-After` is in seconds or a date. */
function retryAfter(headers: Headers): number {
  const text = headers.get('retry-after');
  if (text === null) return 0;
  const seconds = Number(text);
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(wait) ? Math.max(0, wait) : 0;
}

const say = (error: unknown): string => (error instanceof Error ? error.message : String(error));
