// One question at a time, the latest one: embeds a text, searches the index, measures both.

import type { Hit, Index, SearchOptions } from "elanus";
import type { StaticEmbedder } from "elanus/embed";
import { FIELDS, toSense, type Sense } from "./sense.ts";
import { toFilter, type Query } from "./query.ts";

/** How hard the index looks; `undefined` leaves it to the index. */
export interface Setting {
  exact?: boolean;
  rerank?: number;
}

export interface Answer {
  query: Query;
  limit: number;
  senses: Sense[];
  /** The sense whose neighbours these are. */
  self: Sense | undefined;
  /** The query's vector, for the map. */
  vector: Float32Array;
  embedMs: number;
  searchMs: number;
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
      const hits: Hit[] = await this.index.search(vector, options);
      const searched = performance.now();
      const found = hits.map(toSense);
      const self = query.sense ? (found.find(({ id }) => id === query.sense) ?? (await this.#lookUp(query.sense))) : undefined;
      if (turn !== this.#latest) return;
      const senses = found.filter((sense) => sense !== self).slice(0, limit);
      this.onOutcome({
        answer: { query, limit, senses, self, vector, embedMs: embedded - start, searchMs: searched - embedded, setting },
      });
    } catch (error) {
      if (turn === this.#latest) this.onOutcome({ error });
    }
  }

  /** A sense that isn't among its own neighbours, because the filter leaves it out. */
  async #lookUp(id: string): Promise<Sense | undefined> {
    const [entity] = await this.index.get(id, { outputFields: FIELDS });
    return entity && toSense({ ...entity, distance: 1 });
  }
}
