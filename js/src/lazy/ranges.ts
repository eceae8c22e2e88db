/** Ranges of a file, wherever it is. */

/** First byte, and the one after the last. */
export type Range = readonly [number, number];

/** Bytes with a buffer of their own. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** What an index has fetched so far. */
export interface Traffic {
  /** Bytes that came over the network, of answers that were of no use, too. */
  readonly bytes: number;
  /** Requests, repeated ones too. */
  readonly requests: number;
  /** How often requests were waited for: those sent together count once. */
  readonly roundTrips: number;
  /** Bytes that were kept from an earlier visit, or by another tab, and read from there. */
  readonly keptBytes: number;
}

/** How a network is put up with. */
export interface Network {
  /** How often a request is repeated that fails in a way that may pass. */
  readonly retries: number;
  /** Milliseconds without a byte after which an attempt is given up. */
  readonly timeout: number;
}

export interface RangeSource {
  /** What messages call it. */
  readonly what: string;
  /** The file's first bytes. */
  readonly head: Bytes;
  readonly tally: Tally;
  /**
   * Bytes of these ranges, in their order, all asked for at once. `fresh`: from the source itself, past all caches.
   *
   * @throws ElanusError `FETCH_FAILED`; `SOURCE_CHANGED` if the file isn't what it was; what the signal says if it fires
   */
  fetch(ranges: readonly Range[], signal: AbortSignal | undefined, fresh?: boolean): Promise<Bytes[]>;
  /** What to throw if the file isn't what it was. */
  changed(why: string): Error;
}

/** Counts, and tells. */
export class Tally {
  #bytes = 0;
  #requests = 0;
  #roundTrips = 0;
  #keptBytes = 0;
  readonly #tell: (traffic: Traffic) => void;

  constructor(tell: (traffic: Traffic) => void) {
    this.#tell = tell;
  }

  turn(): void {
    this.#roundTrips += 1;
  }

  request(): void {
    this.#requests += 1;
  }

  came(bytes: number): void {
    this.#bytes += bytes;
    this.#news();
  }

  kept(bytes: number): void {
    this.#keptBytes += bytes;
    this.#news();
  }

  #news(): void {
    try {
      this.#tell(this.traffic);
    } catch (error) {
      // The caller's own; it is no reason to ask a host again.
      setTimeout(() => {
        throw error;
      });
    }
  }

  get traffic(): Traffic {
    return { bytes: this.#bytes, requests: this.#requests, roundTrips: this.#roundTrips, keptBytes: this.#keptBytes };
  }
}
