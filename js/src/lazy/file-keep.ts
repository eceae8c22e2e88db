import { decodeEntries, encodeEntries, ENTRY_BYTES } from './entries.js';
import { Intervals, type Piece } from './intervals.js';
import { type Identity, KEEP_NAME, nameOf, type RangeKeep } from './keep.js';
import type { Bytes, Range } from './ranges.js';

/** What is left when room is made: this part of the budget, of what was used last. */
const LEFT = 0.5;

/** What lies between wanted bytes is read, too, if it is no more: a read costs tenths of a millisecond, however short. */
const GAP_BYTES = 32 << 10;

/**
 * Ranges in two files of the origin's own file system: bytes behind each other, and a list of which they are. The bytes are
 * durable before the list names them, so a kill at any moment leaves a list that is right, or one whose last entry is none.
 *
 * One tab writes, the one that has the lock; others read, and the next takes over when that one is closed. Room is made
 * by writing what was used last to another pair of files, numbered one higher, and forgetting the pair before.
 */
export class FileKeep implements RangeKeep {
  readonly kind = 'opfs';
  readonly #folder: FileSystemDirectoryHandle;
  readonly #fileBytes: number;
  readonly #budget: number;
  readonly #closing = new AbortController();
  #generation = 0;
  #intervals = new Intervals();
  /** When a piece was used last, by its first byte: a count. */
  readonly #used = new Map<number, number>();
  #clock = 0;
  /** Of the writer: the two files, and where the next bytes and the next entry go. */
  #writer: { bytes: FileSystemSyncAccessHandle; entries: FileSystemSyncAccessHandle; end: number; listed: number } | undefined;
  /** Of a reader: a view on the bytes as they were. */
  #view: File | undefined;
  #queue: { from: number; bytes: Bytes }[] = [];
  #writing: ReturnType<typeof setTimeout> | undefined;
  #release: (() => void) | undefined;

  private constructor(folder: FileSystemDirectoryHandle, fileBytes: number, budget: number) {
    this.#folder = folder;
    this.#fileBytes = fileBytes;
    this.#budget = budget;
  }

  /** Opens what is kept of a file; fails where the host has no such files, or gives none. */
  static async open(identity: Identity, budget: number): Promise<FileKeep> {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle(KEEP_NAME, { create: true });
    const folder = await root.getDirectoryHandle(nameOf(identity), { create: true });
    const keep = new FileKeep(folder, identity.bytes, budget);
    const lock = `${KEEP_NAME} ${nameOf(identity)}`;
    const isWriter = await keep.#take(lock, { ifAvailable: true });
    if (!isWriter) {
      await keep.#look();
      // Whoever waits longest writes next.
      void keep.#take(lock, { signal: keep.#closing.signal }).catch(() => undefined);
    }
    return keep;
  }

  async read(ranges: readonly Range[]): Promise<(Bytes | undefined)[]> {
    if (!this.#writer && ranges.some((range) => !this.#intervals.parts(range))) await this.#look().catch(() => undefined);
    return this.#writer ? this.#together(this.#writer.bytes, ranges) : Promise.all(ranges.map((range) => this.#one(range)));
  }

  put(from: number, bytes: Bytes): void {
    if (!this.#writer) return;
    this.#queue.push({ from, bytes });
    // While the network is waited for, or the caller looks at an answer.
    this.#writing ??= setTimeout(() => this.#flush());
  }

  drop(range: Range): void {
    this.#intervals.drop(range);
  }

  async clear(): Promise<void> {
    this.#queue = [];
    if (this.#writer) await this.#rewrite([]);
    else this.#intervals = new Intervals();
  }

  async close(): Promise<void> {
    this.#flush();
    this.#closing.abort();
    this.#writer?.bytes.close();
    this.#writer?.entries.close();
    this.#writer = undefined;
    this.#release?.();
  }

  /** Asks for the lock; once it is there this tab writes. Says whether it is. */
  #take(lock: string, options: LockOptions): Promise<boolean> {
    return new Promise((resolve, reject) => {
      navigator.locks
        .request(lock, options, async (held) => {
          if (!held || this.#closing.signal.aborted) return resolve(false);
          const released = new Promise<void>((release) => (this.#release = release));
          await this.#write();
          resolve(true);
          await released;
        })
        .catch(reject);
    });
  }

  /** Becomes the writer: takes over what is there. */
  async #write(): Promise<void> {
    const { generation, others } = await this.#generations();
    for (const name of others) await this.#folder.removeEntry(name).catch(() => undefined);
    const [bytes, entries] = await Promise.all([this.#handle(`bytes-${generation}`), this.#handle(`entries-${generation}`)]);
    const list = new Uint8Array(entries.getSize());
    entries.read(list, { at: 0 });
    this.#generation = generation;
    this.#list(decodeEntries(list, bytes.getSize(), this.#fileBytes));
    const end = this.#intervals.pieces.reduce((most, { from, to, at }) => Math.max(most, at + to - from), 0);
    // A cut entry is written over.
    this.#writer = { bytes, entries, end, listed: list.length - (list.length % ENTRY_BYTES) };
    this.#view = undefined;
  }

  /** Looks at what the writer has written. */
  async #look(): Promise<void> {
    const { generation } = await this.#generations();
    const [bytes, entries] = await Promise.all(
      ['bytes', 'entries'].map(async (name) => (await this.#folder.getFileHandle(`${name}-${generation}`)).getFile()),
    );
    this.#list(decodeEntries(new Uint8Array(await entries!.arrayBuffer()), bytes!.size, this.#fileBytes));
    this.#view = bytes;
  }

  #list(pieces: readonly Piece[]): void {
    const intervals = new Intervals();
    for (const piece of pieces) intervals.add(piece);
    this.#intervals = intervals;
  }

  /** The pair of files that counts, and the names of other ones. */
  async #generations(): Promise<{ generation: number; others: string[] }> {
    const names: string[] = [];
    for await (const name of (this.#folder as unknown as { keys(): AsyncIterable<string> }).keys()) {
      if (/^(bytes|entries)-\d+$/.test(name)) names.push(name);
    }
    // The list is written last, so a pair with a list is whole.
    const numbers = names.flatMap((name) => (/^entries-\d+$/.test(name) ? [Number(name.slice(8))] : []));
    const generation = Math.max(0, ...numbers);
    return { generation, others: names.filter((name) => name !== `bytes-${generation}` && name !== `entries-${generation}`) };
  }

  async #handle(name: string): Promise<FileSystemSyncAccessHandle> {
    return (await this.#folder.getFileHandle(name, { create: true })).createSyncAccessHandle!();
  }

  /** As the writer: reads what lies near each other at once. */
  #together(file: FileSystemSyncAccessHandle, ranges: readonly Range[]): (Bytes | undefined)[] {
    const found = ranges.map((range) => this.#intervals.parts(range));
    const out = ranges.map(([from, to], i) => (found[i] ? new Uint8Array(to - from) : undefined));
    const parts = found.flatMap((some, i) => (some ?? []).map((part) => ({ ...part, range: i })));
    parts.sort((a, b) => a.at - b.at);
    const endOf = ({ from, to, at }: Piece): number => at + to - from;
    for (let first = 0, next: number; first < parts.length; first = next) {
      const start = parts[first]!.at;
      let end = endOf(parts[first]!);
      for (next = first + 1; next < parts.length && parts[next]!.at <= end + GAP_BYTES; next += 1) end = Math.max(end, endOf(parts[next]!));
      const run = new Uint8Array(end - start);
      const isWhole = file.read(run, { at: start }) === run.length;
      for (const part of parts.slice(first, next)) {
        if (isWhole) out[part.range]?.set(run.subarray(part.at - start, endOf(part) - start), part.from - ranges[part.range]![0]);
        else out[part.range] = undefined;
        this.#used.set(part.from, (this.#clock += 1));
      }
    }
    return out;
  }

  /** As a reader. */
  async #one(range: Range): Promise<Bytes | undefined> {
    const parts = this.#intervals.parts(range);
    if (!parts) return undefined;
    const out = new Uint8Array(range[1] - range[0]);
    for (const { from, to, at } of parts) {
      const place = out.subarray(from - range[0], to - range[0]);
      const bytes = await this.#view?.slice(at, at + to - from).arrayBuffer().catch(() => undefined);
      if (bytes?.byteLength !== place.length) return undefined;
      place.set(new Uint8Array(bytes));
    }
    for (const piece of parts) this.#used.set(piece.from, (this.#clock += 1));
    return out;
  }

  /** Makes what was put durable. */
  #flush(): void {
    clearTimeout(this.#writing);
    this.#writing = undefined;
    const [queue, writer] = [this.#queue, this.#writer];
    this.#queue = [];
    if (!writer || queue.length === 0) return;
    try {
      const added: Piece[] = [];
      for (const { from, bytes } of queue) {
        for (const [start, end] of this.#intervals.missing([from, from + bytes.length])) {
          const piece = { from: start, to: end, at: writer.end };
          write(writer.bytes, bytes.subarray(start - from, end - from), writer.end);
          writer.end += end - start;
          this.#intervals.add(piece);
          this.#used.set(start, (this.#clock += 1));
          added.push(piece);
        }
      }
      writer.bytes.flush();
      write(writer.entries, encodeEntries(added), writer.listed);
      writer.entries.flush();
      writer.listed += added.length * ENTRY_BYTES;
      if (writer.end > this.#budget) void this.#makeRoom(LEFT * this.#budget).catch(() => this.#giveUp());
    } catch {
      // No room, mostly. What was written counts if it was listed.
      void this.#makeRoom(LEFT * this.#intervals.bytes).catch(() => this.#giveUp());
    }
  }

  /** Keeps what was used last, up to so many bytes. */
  #makeRoom(most: number): Promise<void> {
    const byUse = [...this.#intervals.pieces].sort((a, b) => (this.#used.get(b.from) ?? 0) - (this.#used.get(a.from) ?? 0));
    let bytes = 0;
    return this.#rewrite(byUse.filter(({ from, to }) => (bytes += to - from) <= most));
  }

  /** Writes these pieces to the next pair of files, and forgets the pair before. */
  async #rewrite(pieces: readonly Piece[]): Promise<void> {
    const before = this.#writer!;
    const next = this.#generation + 1;
    const bytes = await this.#handle(`bytes-${next}`);
    let end = 0;
    const moved: Piece[] = [];
    for (const { from, to, at } of pieces) {
      const copy = new Uint8Array(to - from);
      if (before.bytes.read(copy, { at }) !== copy.length) continue;
      write(bytes, copy, end);
      moved.push({ from, to, at: end });
      end += copy.length;
    }
    bytes.flush();
    const entries = await this.#handle(`entries-${next}`);
    const list = encodeEntries(moved);
    write(entries, list, 0);
    entries.flush();
    this.#generation = next;
    this.#list(moved);
    this.#writer = { bytes, entries, end, listed: list.length };
    before.bytes.close();
    before.entries.close();
    for (const name of ['entries', 'bytes']) await this.#folder.removeEntry(`${name}-${next - 1}`).catch(() => undefined);
  }

  /** Keeps no more; what is kept is still read. */
  #giveUp(): void {
    this.#queue = [];
    this.put = () => undefined;
  }
}

function write(handle: FileSystemSyncAccessHandle, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) {
    const count = handle.write(bytes.subarray(done), { at: at + done });
    if (count <= 0) throw new Error('there is no room');
    done += count;
  }
}
