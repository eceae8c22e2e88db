import type { Description, LoadOptions, Source } from '../engine.js';
import { ElanusError, fromPlain, isThrownByCore } from '../errors.js';
import { BlobRanges } from './blob-ranges.js';
import { openHttpRanges, type Whole } from './http-ranges.js';
import { PartialIndex } from './partial-index.js';
import { type Identity, IN_MEMORY, type RangeKeep } from './keep.js';
import { lastOf, openKeep } from './open-keep.js';
import type { Bytes, RangeSource } from './ranges.js';

/** So much of a file is asked for before it is known what is in it: mostly all that a first search needs to know. */
const HEAD_BYTES = 256 << 10;

/** A file of which the beginning is there. */
export interface Parts {
  readonly index: PartialIndex;
  readonly ranges: RangeSource;
  readonly keep: RangeKeep;
  readonly description: Description;
}

/**
 * Opens a file of which only the beginning is read; or says why that can't be.
 *
 * @throws what the module throws
 */
export async function openParts(source: Source, options: LoadOptions, trusting = true): Promise<Parts | Whole> {
  const { keep: budget, lazyModule, mode, network, onTraffic, signal } = options;
  let ranges: RangeSource;
  let keep = IN_MEMORY;
  let kept: Identity | undefined;
  if (source.kind === 'url') {
    let head: Bytes | undefined;
    kept = budget > 0 ? await lastOf(source.url) : undefined;
    if (kept) {
      keep = await openKeep(kept, budget);
      if (!trusting) await keep.clear();
      head = (await keep.read([[0, Math.min(HEAD_BYTES, kept.bytes)]]))[0];
    }
    const opened = await openHttpRanges(source.url, HEAD_BYTES, head, network, onTraffic, signal);
    if ('reason' in opened) {
      await keep.close();
      return opened;
    }
    ranges = opened;
  } else if (source.kind === 'blob' || source.kind === 'handle') {
    const blob = source.kind === 'blob' ? source.blob : await source.handle.getFile();
    ranges = await BlobRanges.open(blob, HEAD_BYTES, onTraffic);
  } else {
    return { reason: source.kind === 'bytes' ? 'it is in memory already' : 'it is a path, which is read whole', response: undefined };
  }
  const bytes = statedBytes(ranges.head);
  let index: PartialIndex;
  try {
    index = await PartialIndex.create(lazyModule, ranges, bytes);
  } catch (error) {
    await keep.close();
    // The beginning that was kept may be damaged.
    if (isThrownByCore(error) && error.code === 'CORRUPT_FILE' && kept && trusting) return openParts(source, options, false);
    const reason = isThrownByCore(error) ? fromPlain({ details: undefined, ...error }) : error;
    if (!(reason instanceof ElanusError) || reason.code !== 'UNSUPPORTED_FORMAT') throw error;
    return { reason: reason.message, response: undefined };
  }
  if (source.kind === 'url' && budget > 0) {
    const identity = { checksum: checksumOf(ranges.head), bytes, url: source.url };
    // What was kept may be of another file than the host now has.
    if (keep === IN_MEMORY || identity.checksum !== kept?.checksum) {
      await keep.close();
      keep = await openKeep(identity, budget);
    }
    index.keepIn(keep);
  }
  const own = await index.describe(signal);
  const description: Description = {
    ...own, textField: undefined, hasSparse: false, format: 'elanus', binary: false, bytes, simd: index.simd, loading: { mode, keptIn: keep.kind },
  };
  return { index, ranges, keep, description };
}

/** The checksum of a file's header, which covers all of the file. */
function checksumOf(head: Uint8Array): string {
  return new DataView(head.buffer, head.byteOffset).getBigUint64(120, true).toString(16).padStart(16, '0');
}

/** The length that a file's header states, or what there is of it. */
function statedBytes(head: Uint8Array): number {
  return head.length < 24 ? head.length : Number(new DataView(head.buffer, head.byteOffset).getBigUint64(16, true));
}
