import type { Range } from './ranges.js';

/** A run of a file's bytes, and where it is kept. */
export interface Piece {
  readonly from: number;
  readonly to: number;
  /** Its place among what is kept. */
  readonly at: number;
}

/** Pieces of a file that don't overlap, found by their place. */
export class Intervals {
  #pieces: Piece[] = [];
  #bytes = 0;

  /** Bytes of all pieces. */
  get bytes(): number {
    return this.#bytes;
  }

  get pieces(): readonly Piece[] {
    return this.#pieces;
  }

  /** What of a range isn't there, in order. */
  missing([from, to]: Range): Range[] {
    const out: Range[] = [];
    for (let i = this.#first(from); from < to; i += 1) {
      const piece = this.#pieces[i];
      const end = Math.min(piece?.from ?? to, to);
      if (end > from) out.push([from, end]);
      from = Math.max(from, piece ? piece.to : to);
    }
    return out;
  }

  /** Adds a piece, unless some of it is there: then it has bytes of an older writing, or a forged place. */
  add(piece: Piece): void {
    const at = this.#first(piece.from);
    const next = this.#pieces[at];
    if (next && next.from < piece.to) return;
    this.#pieces.splice(at, 0, piece);
    this.#bytes += piece.to - piece.from;
  }

  /** The parts of pieces that a range is made of, in order; undefined if some of it isn't there. */
  parts([from, to]: Range): Piece[] | undefined {
    const out: Piece[] = [];
    for (let i = this.#first(from); from < to; i += 1) {
      const piece = this.#pieces[i];
      if (!piece || piece.from > from) return undefined;
      const end = Math.min(piece.to, to);
      out.push({ from, to: end, at: piece.at + from - piece.from });
      from = end;
    }
    return out;
  }

  /** Takes out every piece that a range touches. */
  drop([from, to]: Range): void {
    const kept = this.#pieces.filter((piece) => piece.to <= from || piece.from >= to);
    this.#pieces = kept;
    this.#bytes = kept.reduce((sum, piece) => sum + piece.to - piece.from, 0);
  }

  /** The first piece that ends behind a place. */
  #first(place: number): number {
    let [low, high] = [0, this.#pieces.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#pieces[middle]!.to <= place) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
