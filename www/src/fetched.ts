// How much of the dictionary has come so far: a line beside the parts of speech, and what brings the rest.

import type { Index, Traffic } from "elanus";
import { megabytes } from "./numbers.ts";

/** A wait that is shorter than this is no news. */
const PATIENCE = 300;

export class Fetched {
  #index: Index | undefined;
  #traffic: Traffic | undefined;
  #whole = false;
  #bringing: Promise<void> | undefined;
  #waiting = 0;
  #isSlow = false;
  #timer = 0;
  #frame = 0;

  constructor(readonly line: HTMLElement) {}

  /** True once all of it is in memory: then every search is possible, an exact one too. */
  get isWhole(): boolean {
    return this.#whole;
  }

  /** What was fetched, as the index tells of it. */
  readonly tell = (traffic: Traffic): void => {
    this.#traffic = traffic;
    this.#print();
  };

  show(index: Index): void {
    this.#index = index;
    // A host that serves no ranges has sent all of it.
    this.#whole = index.loading.mode === "eager";
    this.#print();
  }

  hide(): void {
    this.#index = undefined;
    this.#traffic = undefined;
    this.#bringing = undefined;
    this.#print();
  }

  /** Brings all that isn't there. */
  bring(): Promise<void> {
    const index = this.#index;
    if (!index || this.#whole) return Promise.resolve();
    this.#bringing ??= this.during(
      index.prefetch().then(() => {
        if (index === this.#index) this.#whole = true;
      }),
    ).finally(() => (this.#bringing = undefined));
    return this.#bringing;
  }

  /** Says, if it takes long, that something is waited for. */
  async during<T>(work: Promise<T>): Promise<T> {
    if (this.#waiting++ === 0) {
      this.#timer = window.setTimeout(() => {
        this.#isSlow = true;
        this.#print();
      }, PATIENCE);
    }
    try {
      return await work;
    } finally {
      if (--this.#waiting === 0) {
        clearTimeout(this.#timer);
        this.#isSlow = false;
        this.#print();
      }
    }
  }

  #print(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => {
      this.line.hidden = !this.#index;
      if (this.#index) this.line.textContent = this.#text(this.#index);
    });
  }

  #text(index: Index): string {
    const total = megabytes(index.bytes);
    if (this.#whole) return `All of the dictionary is here: ${total}`;
    const { bytes, keptBytes } = this.#traffic ?? { bytes: 0, keptBytes: 0 };
    const fetched = `${(Math.min(bytes, index.bytes) / 1e6).toFixed(1)} of ${total} fetched`;
    const kept = keptBytes > 5e4 ? `, ${megabytes(keptBytes)} were kept` : "";
    return `${fetched}${kept}${this.#isSlow ? "; fetching\u2026" : ""}`;
  }
}
