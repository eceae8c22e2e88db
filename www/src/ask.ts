// One question at a time, the latest one: embeds a text, searches the index, and measures both.

import type { Index, SearchOptions } from "elanus";
import type { StaticEmbedder } from "elanus/embed";
import { FIELDS, toSense, type Sense } from "./sense.ts";
import { toFilter, type Query } from "./query.ts";

/** How hard the index looks. */
export interface Setting {
  exact?: boolean;
  /** Lists that it looks into. */
  nprobe?: number;
  /** Rows that it then compares exactly. */
  rerank?: number;
}

/** Milliseconds of each step, as the page sees them. */
export interface Times {
  embed: number;
  search: number;
}

export interface Answer {
  query: Query;
  limit: number;
  senses: Sense[];
  /** The sense whose neighbours these are. */
  self: Sense | undefined;
  /** The query's vector, for the map. */
  vector: Float32Array;
  times: Times;
  setting: Setting;
}

export type Outcome = { answer: Answer } | { unknown: Query } | { error: unknown };

export class Asker {
  #latest = 0;
  #abort: AbortController | undefined;

  constructor(
    readonly index: Index,
    readonly embedder: StaticEmbedder,
    readonly onOutcome: (outcome: Outcome) => void,
  ) {}

  /** Makes every answer still on its way a stale one. */
  drop(): void {
    this.#latest++;
    this.#abort?.abort();
  }

  async ask(query: Query, limit: number, setting: Setting): Promise<void> {
    this.drop();
    const turn = this.#latest;
    const abort = (this.#abort = new AbortController());
    try {
      const start = performance.now();
      const vector = this.embedder.embed(query.text);
      const embedded = performance.now();
      if (!vector.some((x) => x !== 0)) {
        this.onOutcome({ unknown: query });
        return;
      }
      const options: SearchOptions = {
        ...setting,
        // A sense finds itself first; it is shown above its neighbours.
        limit: query.sense ? limit + 1 : limit,
        outputFields: FIELDS,
        model: this.embedder.card,
        signal: abort.signal,
      };
      const filter = toFilter(query.part);
      if (filter) options.filter = filter;
      const found = await this.#find(vector, options);
      const searched = performance.now();
      if (turn !== this.#latest) return;
      let self = found.find(({ id }) => id === query.sense);
      if (query.sense && !self) {
        // A filter may leave a sense out of its own neighbourhood.
        const { filter: _, ...unfiltered } = options;
        self = (await this.#find(vector, unfiltered)).find(({ id }) => id === query.sense);
        if (turn !== this.#latest) return;
      }
      const senses = found.filter(({ id }) => id !== query.sense).slice(0, limit);
      const times = { embed: embedded - start, search: searched - embedded };
      this.onOutcome({ answer: { query, limit, senses, self, vector, times, setting } });
    } catch (error) {
      if (turn === this.#latest) this.onOutcome({ error });
    }
  }

  async #find(vector: Float32Array, options: SearchOptions): Promise<Sense[]> {
    return (await this.index.search(vector, options)).map(toSense);
  }
}
