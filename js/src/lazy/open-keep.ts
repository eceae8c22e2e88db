import { DatabaseKeep } from './database-keep.js';
import { FileKeep } from './file-keep.js';
import { type Identity, IN_MEMORY, KEEP_NAME, nameOf, type RangeKeep } from './keep.js';

/** What a folder of kept ranges says of itself. */
interface About extends Identity {
  /** When it was opened last. */
  readonly used: number;
}

/** One file of which ranges are kept. */
export interface KeptFile {
  readonly url: string;
  /** Bytes of the whole file. */
  readonly bytes: number;
  /** Bytes of it that are kept. */
  readonly keptBytes: number;
  /** When it was opened last. */
  readonly used: Date;
}

const ABOUT = 'about';

/**
 * Opens what is kept of a file: in files, else in a database, else nowhere.
 *
 * @param budget bytes that may be kept of all files together
 */
export async function openKeep(identity: Identity, budget: number): Promise<RangeKeep> {
  const room = Math.min(budget, await free());
  const ways = [
    async () => {
      if (!('createSyncAccessHandle' in (globalThis.FileSystemFileHandle?.prototype ?? {})) || !navigator.locks) throw new Error('no files');
      const keep = await FileKeep.open(identity, room);
      await remember(identity).catch(() => undefined);
      void forgetOldest(nameOf(identity), budget).catch(() => undefined);
      return keep;
    },
    async () => {
      if (typeof indexedDB === 'undefined') throw new Error('no database');
      return DatabaseKeep.open(identity, room);
    },
  ];
  for (const way of ways) {
    try {
      return await way();
    } catch {
      // The next way, then.
    }
  }
  return IN_MEMORY;
}

/** The file that was last opened from an address, if ranges of it are kept in files. */
export async function lastOf(url: string): Promise<Identity | undefined> {
  const all = await abouts().catch(() => []);
  return all.filter((about) => about.url === url).sort((a, b) => b.used - a.used)[0];
}

/** Every file of which ranges are kept in files of this origin, the one that was opened last first. */
export async function keptFiles(): Promise<KeptFile[]> {
  const all = await abouts().catch(() => []);
  const sized = await Promise.all(all.map(async (about) => ({ ...about, keptBytes: await sizeOf(nameOf(about)) })));
  return sized
    .sort((a, b) => b.used - a.used)
    .map(({ url, bytes, keptBytes, used }) => ({ url, bytes, keptBytes, used: new Date(used) }));
}

/** Bytes that the browser would still give this origin, with some to spare. */
async function free(): Promise<number> {
  const { quota, usage } = (await globalThis.navigator?.storage?.estimate?.().catch(() => undefined)) ?? {};
  return quota === undefined ? Infinity : Math.max(0, 0.8 * (quota - (usage ?? 0)));
}

async function remember({ checksum, bytes, url }: Identity): Promise<void> {
  const folder = await (await root()).getDirectoryHandle(nameOf({ checksum, bytes, url }));
  const handle = await (await folder.getFileHandle(ABOUT, { create: true })).createSyncAccessHandle!();
  try {
    const text = new TextEncoder().encode(JSON.stringify({ checksum, bytes, url, used: Date.now() } satisfies About));
    handle.truncate(0);
    handle.write(text, { at: 0 });
    handle.flush();
  } finally {
    handle.close();
  }
}

async function abouts(): Promise<About[]> {
  const out: About[] = [];
  for (const name of await names(await root())) {
    try {
      const folder = await (await root()).getDirectoryHandle(name);
      const about = JSON.parse(await (await (await folder.getFileHandle(ABOUT)).getFile()).text()) as About;
      if (nameOf(about) === name && typeof about.url === 'string' && Number.isFinite(about.used)) out.push(about);
    } catch {
      // Cut in mid-write: it is found by its content, but not by its address.
    }
  }
  return out;
}

/** Removes files that were opened longest ago until all together are within the budget; none that a tab has open. */
async function forgetOldest(own: string, budget: number): Promise<void> {
  const all = (await abouts()).sort((a, b) => b.used - a.used);
  let total = 0;
  for (const about of all) {
    const name = nameOf(about);
    total += await sizeOf(name);
    if (total <= budget || name === own) continue;
    await navigator.locks.request(`${KEEP_NAME} ${name}`, { ifAvailable: true }, async (held) => {
      if (held) await (await root()).removeEntry(name, { recursive: true });
    });
  }
}

async function sizeOf(name: string): Promise<number> {
  const folder = await (await root()).getDirectoryHandle(name);
  const files = (await names(folder)).filter((file) => file.startsWith('bytes-'));
  const sizes = await Promise.all(files.map(async (file) => (await (await folder.getFileHandle(file)).getFile()).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function root(): Promise<FileSystemDirectoryHandle> {
  return (await navigator.storage.getDirectory()).getDirectoryHandle(KEEP_NAME, { create: true });
}

async function names(folder: FileSystemDirectoryHandle): Promise<string[]> {
  const out: string[] = [];
  for await (const name of (folder as unknown as { keys(): AsyncIterable<string> }).keys()) out.push(name);
  return out;
}
