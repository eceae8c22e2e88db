import type { Query } from '../asked.js';
import { checkModel, type Card, type ModelSource } from '../card.js';
import type { Hit, SearchOptions } from '../engine.js';
import type { Embedder } from '../embed/embedder.js';
import { ElanusError } from '../errors.js';
import { extentOf, type Vector } from '../options.js';
import type { Held } from './follow.js';

/** One query, as it is put to any release. */
export interface Question {
  /** The same for the same query. */
  readonly key: string;
  /**
   * What a release is asked with.
   *
   * @throws ElanusError `MODEL_MISMATCH` if there is nothing that its model embedded
   */
  readonly put: (card: Card) => Promise<{ readonly query: Query; readonly model: ModelSource | undefined }>;
}

/** What a release answered. */
export interface Answer {
  readonly query: Query;
  readonly hits: Hit[];
  /** Milliseconds from the question to the answer, embedding included. */
  readonly ms: number;
}

/** Puts a question to a release, which stays open until it has answered. */
export function answer(held: Held, question: Question, options: SearchOptions): Promise<Answer> {
  return held.ask(async (index) => {
    const begun = performance.now();
    const { query, model } = await question.put(index.card);
    const hits = await index.search(query, model ? { ...options, model } : options);
    return { query, hits, ms: performance.now() - begun };
  });
}

/** What has the first `offset + limit` places, of which a caller then leaves out the first. */
export function fromStart(options: SearchOptions): SearchOptions {
  const { limit, offset } = extentOf(options);
  return offset ? { ...options, limit: offset + limit, offset: 0 } : options;
}

/** Whether a query is an embedding, which is a model's own, and neither words nor a sparse vector. */
export const isVector = (query: Query): query is Vector => Array.isArray(query) || ArrayBuffer.isView(query);

/** A query that somebody else embedded, for a release with this card; words are the same to every model. */
export function given(query: Query, own: Card): Question {
  return {
    key: typeof query === 'string' ? `words ${query}` : `vector ${fingerprint(query)}`,
    put: async (card) => {
      if (isVector(query) && card !== own && (card.model || own.model)) {
        if (!own.model) throw new ElanusError('MODEL_MISMATCH', 'the champion doesn’t say which model made its vectors, so its queries can’t be put to the challenger, which does');
        checkModel(card, own.model);
      }
      return { query, model: undefined };
    },
  };
}

/** A text, which each release is asked for with the embedder of its own model. */
export function asked(text: string, embedders: readonly Embedder[]): Question {
  return {
    key: `text ${text}`,
    put: async (card) => {
      const embedder = embedderOf(card, embedders);
      return { query: await embedder.embed((card.model?.prompts?.query ?? '') + text), model: embedder };
    },
  };
}

/** The embedder of an index's model. */
export function embedderOf(card: Card, embedders: readonly Embedder[]): Embedder {
  let why: unknown;
  for (const embedder of embedders) {
    try {
      checkModel(card, embedder);
      return embedder;
    } catch (error) {
      why ??= error;
    }
  }
  if (embedders.length > 1 && card.model) {
    const { name, fingerprint: print } = card.model;
    throw new ElanusError('MODEL_MISMATCH', `none of the ${embedders.length} embedders is of the index's model, ${name || 'an unnamed one'} ${print.slice(0, 19)}: add its embedder`, { cause: why });
  }
  throw why;
}

/** A number of a vector's content (FNV-1a over its floats' bits): equal queries have equal ones. */
function fingerprint(query: Exclude<Query, string>): string {
  if (!isVector(query)) return JSON.stringify(query, (_, value: unknown) => (ArrayBuffer.isView(value) ? Array.from(value as Float32Array) : value));
  const words = new Uint32Array(Float32Array.from(query).buffer);
  let hash = 0x811c9dc5;
  for (const word of words) hash = Math.imul(hash ^ word, 0x01000193);
  return `${words.length} ${hash >>> 0}`;
}
