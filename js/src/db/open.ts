import type { ConnectOptions, Database } from './connect.js';

/**
 * Opens a database in this browser, and makes it if it isn't there. It is kept in the origin's own file system, in a worker; a write
 * is acknowledged when it is on the disk, and survives a tab or a browser that is killed. Several tabs may have it open: one of them
 * writes, the others ask it, and another goes on when it is closed. `memory:` keeps nothing, and runs in Node too.
 *
 * @throws ElanusError `STORAGE_UNAVAILABLE`, `CORRUPT_FILE`, `WASM_UNAVAILABLE`, `WORKER_FAILED`; `IN_USE` if a tab with another version
 * of this package has it open, or a file of it is open elsewhere
 */
export async function connect(name: string, options: ConnectOptions = {}): Promise<Database> {
  // Pages that only search don't load it.
  const database = await import('./connect.js');
  return database.connect(name, options);
}
