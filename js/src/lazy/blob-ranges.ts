import { unreadable } from '../load.js';
import { type Bytes, type Range, type RangeSource, Tally, type Traffic } from './ranges.js';

/** Ranges of a `Blob` or `File`: of a file that a visitor chose only what is searched is read. */
export class BlobRanges implements RangeSource {
  readonly what = 'the blob';
  readonly head: Bytes;
  readonly tally: Tally;
  readonly #blob: Blob;

  private constructor(blob: Blob, head: Bytes, tally: Tally) {
    this.#blob = blob;
    this.head = head;
    this.tally = tally;
  }

  static async open(blob: Blob, headBytes: number, onTraffic: (traffic: Traffic) => void): Promise<BlobRanges> {
    return new BlobRanges(blob, await part(blob, [0, headBytes]), new Tally(onTraffic));
  }

  async fetch(ranges: readonly Range[], signal: AbortSignal | undefined): Promise<Bytes[]> {
    signal?.throwIfAborted();
    const parts = await Promise.all(ranges.map((range) => part(this.#blob, range)));
    this.tally.kept(parts.reduce((sum, { length }) => sum + length, 0));
    return parts;
  }

  changed(): never {
    return unreadable(this.what)('it has changed');
  }
}

async function part(blob: Blob, [from, to]: Range): Promise<Bytes> {
  return new Uint8Array(await blob.slice(from, to).arrayBuffer().catch(unreadable('the blob')));
}
