import { checkIndex, digest, readSigned, type Release, type Trust } from './release.js';

/** What is remembered of a registry between visits. */
interface Kept {
  /** Releases that were found good, the present one first. */
  good: { name: string; manifest: string; text: string; signature?: string | undefined }[];
  /** SHA-256 of the index file of a release that `rollback()` has left. */
  left: string | undefined;
}

/**
 * Keeps the present release and the one before it, in the origin's own file system where there is one, else in memory.
 * What comes out is checked like a download: a file that was cut or changed is no release.
 */
export class Keep {
  readonly #folder: FileSystemDirectoryHandle | undefined;
  readonly #lock: string;
  readonly #trust: Trust | undefined;
  readonly #memory = new Map<string, Uint8Array<ArrayBuffer>>();
  #kept: Kept = { good: [], left: undefined };

  private constructor(folder: FileSystemDirectoryHandle | undefined, lock: string, trust: Trust | undefined) {
    this.#folder = folder;
    this.#lock = lock;
    this.#trust = trust;
  }

  /** Opens what is kept of this registry and alias. */
  static async open(base: URL, alias: string, trust: Trust | undefined, onTrouble: (error: unknown) => void): Promise<Keep> {
    const name = await digest(new TextEncoder().encode(`${base.href} ${alias}`));
    const storage = (globalThis as { navigator?: Navigator }).navigator?.storage;
    let folder: FileSystemDirectoryHandle | undefined;
    if (storage?.getDirectory && 'createWritable' in (globalThis.FileSystemFileHandle?.prototype ?? {})) {
      try {
        const root = await (await storage.getDirectory()).getDirectoryHandle('elanus-releases', { create: true });
        folder = await root.getDirectoryHandle(name.slice(0, 32), { create: true });
      } catch (error) {
        onTrouble(error);
      }
    }
    const keep = new Keep(folder, `elanus-releases ${name}`, trust);
    await keep.#read();
    return keep;
  }

  /** Whether what is kept outlives the page. */
  get lasts(): boolean {
    return this.#folder !== undefined;
  }

  /** SHA-256 of the index file that was left, until the alias names another one. */
  get left(): string | undefined {
    return this.#kept.left;
  }

  /** Forgets that a release was left. */
  forgive(): void {
    this.#kept.left = undefined;
  }

  /** The good releases, the present one first: `take` says whether they still are. */
  get names(): readonly { name: string; manifest: string }[] {
    return this.#kept.good;
  }

  /** A kept release with its index file; undefined if it isn't there any more, or isn't whole. */
  async take(manifest: string): Promise<{ release: Release; bytes: Uint8Array<ArrayBuffer> } | undefined> {
    const kept = this.#kept.good.find((entry) => entry.manifest === manifest);
    if (!kept) return undefined;
    try {
      const release = await readSigned(new TextEncoder().encode(kept.text), kept.signature, kept, this.#trust);
      const bytes = await this.#bytes(release.file.sha256);
      await checkIndex(release, bytes);
      return { release, bytes };
    } catch {
      return undefined;
    }
  }

  /** Puts a release first. `bytes` may be left out if it is kept already. */
  async put(release: Release, bytes: Uint8Array<ArrayBuffer> | undefined, left: string | undefined): Promise<void> {
    const own = { name: release.name, manifest: release.manifest, text: release.text, signature: release.signature };
    const rest = this.#kept.good.filter(({ text }) => ![release.file.sha256, left].includes(fileOf(text)));
    const good = [own, ...rest].slice(0, 2);
    this.#kept = { good, left };
    await this.#exclusively(async (folder) => {
      if (bytes) await write(folder, `${release.file.sha256}.elanus`, bytes);
      // The state comes last: it names nothing that isn't there.
      await write(folder, 'state.json', new TextEncoder().encode(JSON.stringify(this.#kept)));
      await this.#forget(folder);
    }, () => {
      if (bytes) this.#memory.set(release.file.sha256, bytes);
      const named = this.#named();
      for (const sha256 of this.#memory.keys()) if (!named.has(`${sha256}.elanus`)) this.#memory.delete(sha256);
    });
  }

  async #read(): Promise<void> {
    if (!this.#folder) return;
    try {
      const file = await (await this.#folder.getFileHandle('state.json')).getFile();
      const { good, left } = JSON.parse(await file.text()) as Kept;
      const fine = good.every(({ name, manifest, text, signature = '' }) => [name, manifest, text, signature].every((part) => typeof part === 'string'));
      if (fine) this.#kept = { good, left: typeof left === 'string' ? left : undefined };
    } catch {
      // Nothing was kept yet, or nothing that could be used: both begin anew.
    }
  }

  async #bytes(sha256: string): Promise<Uint8Array<ArrayBuffer>> {
    const held = this.#memory.get(sha256);
    if (held || !this.#folder) return held ?? new Uint8Array();
    const file = await (await this.#folder.getFileHandle(`${sha256}.elanus`)).getFile();
    return new Uint8Array(await file.arrayBuffer());
  }

  async #exclusively(change: (folder: FileSystemDirectoryHandle) => Promise<void>, inMemory: () => void): Promise<void> {
    const folder = this.#folder;
    if (!folder) return inMemory();
    try {
      const { locks } = navigator;
      await (locks ? locks.request(this.#lock, () => change(folder)) : change(folder));
    } catch (error) {
      inMemory();
      throw error;
    }
  }

  #named(): Set<string> {
    return new Set(this.#kept.good.map(({ text }) => `${fileOf(text)}.elanus`));
  }

  /** Deletes files that the state doesn't name. */
  async #forget(folder: FileSystemDirectoryHandle): Promise<void> {
    const named = this.#named().add('state.json');
    const names = (folder as unknown as { keys(): AsyncIterable<string> }).keys();
    const past: string[] = [];
    for await (const name of names) if (!named.has(name)) past.push(name);
    for (const name of past) await folder.removeEntry(name).catch(() => undefined);
  }
}

/** SHA-256 of the index file that a kept manifest names; of a text that is no manifest any more, nothing. */
function fileOf(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { files: { sha256: string }[] }).files[0]!.sha256;
  } catch {
    return undefined;
  }
}

/** Writes a file that appears whole: what a writable has taken counts when it is closed. */
async function write(folder: FileSystemDirectoryHandle, name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const handle = await folder.getFileHandle(name, { create: true });
  const writable = await handle.createWritable();
  try {
    await writable.write(bytes);
  } catch (error) {
    await writable.abort().catch(() => undefined);
    throw error;
  }
  await writable.close();
}
