import type { Bytes, Range } from './ranges.js';

/** Where ranges are kept: in the origin's own file system, in IndexedDB, or only in the memory of the open index. */
export type KeptIn = 'opfs' | 'indexeddb' | 'memory';

/** What is kept of one file between visits. It may lose what it has, and hold damaged bytes: whoever reads checks them. */
export interface RangeKeep {
  readonly kind: KeptIn;
  /** The bytes of each range; undefined for one that isn't kept whole. */
  read(ranges: readonly Range[]): Promise<(Bytes | undefined)[]>;
  /** Keeps bytes from a place of the file on. They may be durable only later. */
  put(from: number, bytes: Bytes): void;
  /** Forgets what a range touches: it was damaged. */
  drop(range: Range): void;
  /** Forgets all. */
  clear(): Promise<void>;
  /** Finishes what is under way. */
  close(): Promise<void>;
}

/** How a file is known among those that are kept: by its header's checksum, which covers all of it, and its length. */
export interface Identity {
  readonly checksum: string;
  readonly bytes: number;
  readonly url: string;
}

/** Folder, database and locks of kept ranges begin so. */
export const KEEP_NAME = 'elanus-ranges';

export const nameOf = ({ checksum, bytes }: Identity): string => `${checksum}-${bytes}`;

/** Keeps nothing: what an index has in memory it has anyway. */
export const IN_MEMORY: RangeKeep = {
  kind: 'memory',
  read: (ranges) => Promise.resolve(ranges.map(() => undefined)),
  put: () => undefined,
  drop: () => undefined,
  clear: () => Promise.resolve(),
  close: () => Promise.resolve(),
};
