import type { Folder, OpenFile } from './files.js';

/** A small file that changes in one step: two files written in turn, so that one of them is whole at any moment. */
export class Slots {
  readonly #files: readonly [OpenFile, OpenFile];
  /** The one that was written last and whole. */
  #last: 0 | 1 = 1;

  private constructor(files: readonly [OpenFile, OpenFile]) {
    this.#files = files;
  }

  static async open(folder: Folder, name: string): Promise<Slots> {
    return new Slots([await folder.open(`${name}-0`), await folder.open(`${name}-1`)]);
  }

  /** What is in the two files; undefined for one without a byte. */
  read(): [Uint8Array | undefined, Uint8Array | undefined] {
    const bytes = (file: OpenFile): Uint8Array | undefined => (file.size() > 0 ? file.read() : undefined);
    return [bytes(this.#files[0]), bytes(this.#files[1])];
  }

  /** Says which of the two counts: the next bytes go to the other. */
  counts(slot: number): void {
    this.#last = slot === 0 ? 0 : 1;
  }

  /** Makes the bytes durable. If that fails, what counted still counts, and the same file is tried again next time. */
  write(bytes: Uint8Array): void {
    const next = this.#last === 0 ? 1 : 0;
    const file = this.#files[next];
    file.write(bytes, 0);
    file.flush();
    this.#last = next;
  }

  close(): void {
    for (const file of this.#files) file.close();
  }
}
