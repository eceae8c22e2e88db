import type { Loader } from '../../build/glue/glue.js';
import type { Source } from './engine.js';
import { unreadable } from './load.js';

/**
 * A file of the browser's own file system that WebAssembly reads by itself, in a worker: no stream in between, and no
 * copy outside of WebAssembly memory.
 */
export interface Direct {
  readonly bytes: number;
  /** The first bytes, as many of these as there are. */
  prefix(bytes: number): Uint8Array;
  /** Reads bytes `from..to` into the place that they have in the file. */
  into(loader: Pick<Loader, 'read_file'>, from: number, to: number): void;
  close(): void;
}

declare global {
  // What only workers have isn't among the types of a page.
  interface FileSystemSyncAccessHandle {
    getSize(): number;
    read(buffer: Uint8Array, options: { at: number }): number;
    close(): void;
  }
  interface FileSystemFileHandle {
    createSyncAccessHandle?(options?: { mode: 'read-only' }): Promise<FileSystemSyncAccessHandle>;
  }
}

/**
 * The source, to be read directly; undefined where this thread, this browser or this source can't: pages have no such
 * handles, nor have files outside of the origin's own file system, nor files that another tab is writing.
 */
export async function openDirect(source: Source): Promise<Direct | undefined> {
  if (source.kind !== 'handle') return undefined;
  const handle = await source.handle.createSyncAccessHandle?.({ mode: 'read-only' }).catch(() => undefined);
  if (!handle) return undefined;
  return {
    bytes: handle.getSize(),
    prefix: (bytes) =>
      reading(() => {
        const buffer = new Uint8Array(Math.min(bytes, handle.getSize()));
        return buffer.subarray(0, handle.read(buffer, { at: 0 }));
      }),
    into: (loader, from, to) => reading(() => loader.read_file(handle, from, to)),
    close: () => handle.close(),
  };
}

/** Makes a typed error of what the browser throws when it can't read. */
function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof DOMException) return unreadable('the file')(error);
    throw error;
  }
}
