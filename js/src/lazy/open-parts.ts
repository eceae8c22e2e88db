import type { Description, LoadOptions, Source } from '../engine.js';
import { ElanusError, fromPlain, isThrownByCore } from '../errors.js';
import { BlobRanges } from './blob-ranges.js';
import { openHttpRanges, type Whole } from './http-ranges.js';
import { PartialIndex } from './partial-index.js';
import type { RangeSource } from './ranges.js';

/** So much of a file is asked for before it is known what is in it: mostly all that a first search needs to know. */
const HEAD_BYTES = 256 << 10;

/** A file of which the beginning is there. */
export interface Parts {
  readonly index: PartialIndex;
  readonly ranges: RangeSource;
  readonly description: Description;
}

/**
 * Opens a file of which only the beginning is read; or says why that can't be.
 *
 * @throws what the module throws
 */
export async function openParts(source: Source, options: LoadOptions): Promise<Parts | Whole> {
  const { lazyModule, mode, network, onTraffic, signal } = options;
  let ranges: RangeSource;
  if (source.kind === 'url') {
    const opened = await openHttpRanges(source.url, HEAD_BYTES, network, onTraffic, signal);
    if ('reason' in opened) return opened;
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
    const reason = isThrownByCore(error) ? fromPlain({ details: undefined, ...error }) : error;
    if (!(reason instanceof ElanusError) || reason.code !== 'UNSUPPORTED_FORMAT') throw error;
    return { reason: reason.message, response: undefined };
  }
  const own = await index.describe(signal);
  const description: Description = {
    ...own, textField: undefined, hasSparse: false, format: 'elanus', binary: false, bytes, simd: index.simd, loading: { mode },
  };
  return { index, ranges, description };
}

/** The length that a file's header states, or what there is of it. */
function statedBytes(head: Uint8Array): number {
  return head.length < 24 ? head.length : Number(new DataView(head.buffer, head.byteOffset).getBigUint64(16, true));
}
