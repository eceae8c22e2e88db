import { Intervals } from './intervals.js';
import { type Identity, KEEP_NAME, nameOf, type RangeKeep } from './keep.js';
import type { Bytes, Range } from './ranges.js';

/** A range in the store `ranges`, under the file's name and its first byte. */
interface Row {
  readonly file: string;
  readonly from: number;
  readonly bytes: Bytes;
  readonly used: number;
}

const STORE = 'ranges';

/** Ranges in IndexedDB, for pages without files of their own. Its transactions are what keeps them whole, and tabs apart. */
export class DatabaseKeep implements RangeKeep {
  readonly kind = 'indexeddb';
  readonly #database: IDBDatabase;
  readonly #file: string;
  readonly #budget: number;
  readonly #intervals = new Intervals();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(database: IDBDatabase, file: string, budget: number) {
    this.#database = database;
    this.#file = file;
    this.#budget = budget;
  }

  /** Opens what is kept of a file; fails where the host has no database, or gives none. */
  static async open(identity: Identity, budget: number): Promise<DatabaseKeep> {
    const request = indexedDB.open(KEEP_NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: ['file', 'from'] });
    const keep = new DatabaseKeep(await settled(request), nameOf(identity), budget);
    for (const { from, bytes } of await keep.#rows()) keep.#intervals.add({ from, to: from + bytes.length, at: 0 });
    return keep;
  }

  async read(ranges: readonly Range[]): Promise<(Bytes | undefined)[]> {
    return Promise.all(ranges.map((range) => this.#one(range).catch(() => undefined)));
  }

  put(from: number, bytes: Bytes): void {
    for (const [start, end] of this.#intervals.missing([from, from + bytes.length])) {
      const row: Row = { file: this.#file, from: start, bytes: bytes.slice(start - from, end - from), used: Date.now() };
      this.#later(async () => {
        await settled(this.#store('readwrite').put(row));
        this.#intervals.add({ from: start, to: end, at: 0 });
        if (this.#intervals.bytes > this.#budget) await this.#makeRoom();
      });
    }
  }

  drop(range: Range): void {
    const gone = this.#intervals.pieces.filter(({ from, to }) => from < range[1] && to > range[0]);
    this.#intervals.drop(range);
    this.#later(async () => {
      for (const { from } of gone) await settled(this.#store('readwrite').delete([this.#file, from]));
    });
  }

  async clear(): Promise<void> {
    await this.#last;
    this.#intervals.drop([0, Infinity]);
    await settled(this.#store('readwrite').delete(this.#all()));
  }

  async close(): Promise<void> {
    await this.#last;
    this.#database.close();
  }

  async #one(range: Range): Promise<Bytes | undefined> {
    const parts = this.#intervals.parts(range);
    if (!parts) return undefined;
    const out = new Uint8Array(range[1] - range[0]);
    for (const { from, to } of parts) {
      const piece = this.#intervals.pieces.find((whole) => whole.from <= from && whole.to >= to)!;
      const row = (await settled(this.#store('readonly').get([this.#file, piece.from]))) as Row | undefined;
      if (!row || row.from + row.bytes.length < to) return undefined;
      out.set(row.bytes.subarray(from - row.from, to - row.from), from - range[0]);
      this.#later(() => settled(this.#store('readwrite').put({ ...row, used: Date.now() })));
    }
    return out;
  }

  async #rows(): Promise<Row[]> {
    return (await settled(this.#store('readonly').getAll(this.#all()))) as Row[];
  }

  /** Forgets what was used longest ago, down to half of the budget. */
  async #makeRoom(): Promise<void> {
    let left = this.#intervals.bytes;
    for (const { from, bytes } of (await this.#rows()).sort((a, b) => a.used - b.used)) {
      if (left <= this.#budget / 2) return;
      await settled(this.#store('readwrite').delete([this.#file, from]));
      this.#intervals.drop([from, from + bytes.length]);
      left -= bytes.length;
    }
  }

  /** One after the other, and never in a caller's way; what fails isn't kept. */
  #later(run: () => Promise<unknown>): void {
    this.#last = this.#last.then(run).catch(() => undefined);
  }

  #store(mode: IDBTransactionMode): IDBObjectStore {
    return this.#database.transaction(STORE, mode).objectStore(STORE);
  }

  #all(): IDBKeyRange {
    return IDBKeyRange.bound([this.#file, 0], [this.#file, Infinity]);
  }
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
