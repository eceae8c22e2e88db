// One question at a time, the latest one: embeds a text, searches the index, reads the hits' texts, and measures each.

import type { Index, SearchOptions } from "elanus";
import type { StaticEmbedder } from "elanus/embed";
import { FIELDS, toSense, type Sense } from "./sense.ts";
import { toFilter, type Query } from "./query.ts";

/** How hard the index looks; what is left out is left to the index. */
export interface Setting {
  exact?: boolean;
  rerank?: number;
}

/** Milliseconds of each step, as the page sees them. */
export interface Times {
  embed: number;
  search: number;
  read: number;
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
        model: this.embedder.card,
        signal: abort.signal,
      };
      const filter = toFilter(query.part);
      if (filter) options.filter = filter;
      const hits = await this.index.search(vector, options);
      const searched = performance.now();
      if (turn !== this.#latest) return;
      // The search could bring the texts itself (`outputFields`); apart, each can be timed.
      const similarity = new Map(hits.map(({ id, distance }) => [String(id), distance]));
      // A filter may leave a sense out of its own neighbourhood.
      const ids = query.sense && !similarity.has(query.sense) ? [...similarity.keys(), query.sense] : [...similarity.keys()];
      const entities = new Map((await this.index.get(ids, { outputFields: FIELDS })).map((entity) => [String(entity.id), entity]));
      const read = performance.now();
      if (turn !== this.#latest) return;
      const found = ids.flatMap((id) => {
        const entity = entities.get(id);
        return entity ? [toSense(entity, similarity.get(id) ?? 1)] : [];
      });
      const self = found.find(({ id }) => id === query.sense);
      const senses = found.filter((sense) => sense !== self).slice(0, limit);
      const times = { embed: embedded - start, search: searched - embedded, read: read - searched };
      this.onOutcome({ answer: { query, limit, senses, self, vector, times, setting } });
    } catch (error) {
      if (turn === this.#latest) this.onOutcome({ error });
    }
  }
}
