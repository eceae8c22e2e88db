import type { KeptFile } from './lazy/open-keep.js';

/** What this origin keeps of index files that are fetched in ranges. */
export interface Storage {
  /** Each file of which ranges are kept, the one that was opened last first. */
  readonly files: readonly KeptFile[];
  /** Bytes of them that are kept. */
  readonly keptBytes: number;
  /** Bytes that this origin has on the disk, and may have, as far as the browser says. */
  readonly usage: number | undefined;
  readonly quota: number | undefined;
}

/** Says what is kept of index files that were opened with `load: 'lazy'` or `'background'`, in files of the browser's own. */
export async function storage(): Promise<Storage> {
  const { keptFiles } = await import('./lazy/open-keep.js');
  const files = await keptFiles();
  const { usage, quota } = (await globalThis.navigator?.storage?.estimate?.().catch(() => undefined)) ?? {};
  return { files, keptBytes: files.reduce((sum, { keptBytes }) => sum + keptBytes, 0), usage, quota };
}
