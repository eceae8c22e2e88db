/** Files as a database needs them: written at a place, flushed, cut. In a worker they are those of the origin's own file system. */

import { ElanusError } from '../errors.js';

export interface OpenFile {
  size(): number;
  /** All of its bytes. */
  read(): Uint8Array;
  /** Writes all of the bytes or throws; what was there before may then be damaged from `at` on. */
  write(bytes: Uint8Array, at: number): void;
  truncate(size: number): void;
  flush(): void;
  close(): void;
  /** What WebAssembly can read by itself, where there is such a thing. */
  readonly handle: FileSystemSyncAccessHandle | undefined;
}

export interface Folder {
  /** Opens a file, and makes it if it isn't there. */
  open(name: string): Promise<OpenFile>;
  names(): Promise<string[]>;
  /** Removes a file or a folder with all that is in it; nothing if it isn't there. */
  remove(name: string): Promise<void>;
  folder(name: string): Promise<Folder>;
}

declare global {
  // What only workers have isn't among the types of a page.
  interface FileSystemSyncAccessHandle {
    write(buffer: Uint8Array, options: { at: number }): number;
    truncate(size: number): void;
    flush(): void;
  }
}

/** A folder of this origin's own file system; made if it isn't there. */
export async function originFolder(...path: string[]): Promise<Folder> {
  let directory: FileSystemDirectoryHandle;
  try {
    directory = await navigator.storage.getDirectory();
  } catch (cause) {
    throw new ElanusError(
      'STORAGE_UNAVAILABLE',
      'this page has no file system of its own: it needs a secure address (https or localhost), a browser of 2023 or later, and no ' +
        "private window that forbids it; connect to 'memory:' to keep nothing",
      { cause },
    );
  }
  for (const name of path) directory = await directory.getDirectoryHandle(name, { create: true });
  return new OriginFolder(directory);
}

class OriginFolder implements Folder {
  readonly #directory: FileSystemDirectoryHandle;

  constructor(directory: FileSystemDirectoryHandle) {
    this.#directory = directory;
  }

  async open(name: string): Promise<OpenFile> {
    return storing(async () => {
      const file = await this.#directory.getFileHandle(name, { create: true });
      return new OriginFile((await patiently(() => file.createSyncAccessHandle!())) as FileSystemSyncAccessHandle);
    });
  }

  async names(): Promise<string[]> {
    const names: string[] = [];
    for await (const name of (this.#directory as unknown as { keys(): AsyncIterable<string> }).keys()) names.push(name);
    return names.sort();
  }

  async remove(name: string): Promise<void> {
    try {
      await patiently(() => this.#directory.removeEntry(name, { recursive: true }));
    } catch (error) {
      if ((error as DOMException).name !== 'NotFoundError') throw error;
    }
  }

  async folder(name: string): Promise<Folder> {
    return storing(async () => new OriginFolder(await this.#directory.getDirectoryHandle(name, { create: true })));
  }
}

class OriginFile implements OpenFile {
  readonly handle: FileSystemSyncAccessHandle;

  constructor(handle: FileSystemSyncAccessHandle) {
    this.handle = handle;
  }

  size(): number {
    return this.handle.getSize();
  }

  read(): Uint8Array {
    const bytes = new Uint8Array(this.size());
    for (let done = 0; done < bytes.length; ) {
      const count = this.handle.read(bytes.subarray(done), { at: done });
      if (count <= 0) return bytes.subarray(0, done);
      done += count;
    }
    return bytes;
  }

  write(bytes: Uint8Array, at: number): void {
    translated(() => {
      for (let done = 0; done < bytes.length; ) {
        const count = this.handle.write(bytes.subarray(done), { at: at + done });
        if (count <= 0) throw full();
        done += count;
      }
    });
  }

  truncate(size: number): void {
    translated(() => this.handle.truncate(size));
  }

  flush(): void {
    translated(() => this.handle.flush());
  }

  close(): void {
    this.handle.close();
  }
}

/** Keeps nothing: a database in memory has no other copy. */
export class NoFolder implements Folder {
  open(): Promise<OpenFile> {
    return Promise.resolve({
      size: () => 0,
      read: () => new Uint8Array(0),
      write: () => undefined,
      truncate: () => undefined,
      flush: () => undefined,
      close: () => undefined,
      handle: undefined,
    });
  }

  names(): Promise<string[]> {
    return Promise.resolve([]);
  }

  remove(): Promise<void> {
    return Promise.resolve();
  }

  folder(): Promise<Folder> {
    return Promise.resolve(this);
  }
}

/** A worker that was ended may have a file for a moment longer than its locks: tries for a second. */
async function patiently<T>(act: () => Promise<T>): Promise<T> {
  for (const start = performance.now(); ; ) {
    try {
      return await act();
    } catch (error) {
      if ((error as { name?: string }).name !== 'NoModificationAllowedError' || performance.now() - start > 1000) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

function full(cause?: unknown): ElanusError {
  return new ElanusError(
    'QUOTA_EXCEEDED',
    'the browser gives this page no more room on the disk; nothing was changed. Delete entities and compact, or let the visitor free space',
    { cause },
  );
}

function translate(error: unknown): unknown {
  const name = (error as { name?: string } | null)?.name;
  if (name === 'QuotaExceededError') return full(error);
  if (name === 'NoModificationAllowedError') {
    return new ElanusError('IN_USE', 'a file of the database is open elsewhere, in another tab perhaps; close it there', { cause: error });
  }
  return error;
}

function translated<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw translate(error);
  }
}

async function storing<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw translate(error);
  }
}
