import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';

import { ElanusError } from '../errors.js';

const TYPES: readonly unknown[] = ['WordPiece', 'BPE', 'Unigram'];

/** Splits text into the rows of a model, as model2vec does it: no special tokens, unknown ones left out. */
export class Tokenizer {
  readonly #tokenizer: HuggingFaceTokenizer;
  readonly #unknown: number | undefined;
  readonly #maxTokens: number;
  readonly #maxCharacters: number;

  /**
   * `description` is the content of a `tokenizer.json`; every token id in it must be below `tokens`. `maxTokens` is
   * Infinity for no limit.
   */
  constructor(description: unknown, tokens: number, maxTokens: number) {
    const lengths = checkVocabulary(description, tokens);
    const { type } = (description as { model: Record<string, unknown> }).model;
    if (!TYPES.includes(type)) {
      // The library would guess, and split words in silence otherwise than the model was made for.
      throw unusable(`its model has the type ${JSON.stringify(type)}`);
    }
    try {
      this.#tokenizer = new HuggingFaceTokenizer(withOptionalParts(description as object), {});
    } catch (cause) {
      throw unusable((cause as Error).message, cause);
    }
    this.#unknown = unknownId(description);
    this.#maxTokens = maxTokens;
    // A cheap cut before the exact one, so that a book pasted into a search field doesn't stall it.
    this.#maxCharacters = maxTokens * median(lengths);
  }

  /** The ids of a text's tokens. */
  split(text: string): number[] {
    const { ids } = this.#tokenizer.encode(firstCharacters(text, this.#maxCharacters), { add_special_tokens: false });
    const kept = ids.length > this.#maxTokens ? ids.slice(0, this.#maxTokens) : ids;
    // The library leaves a hole for what even the unknown token doesn't stand for.
    return kept.filter((id): id is number => id !== this.#unknown && id !== undefined && id !== null);
  }
}

/** The parts that a file may leave out, and the library may not. */
const withOptionalParts = (description: object): object => ({
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  ...description,
  added_tokens: (description as { added_tokens?: unknown }).added_tokens ?? [],
});

/** Checks that every id names a row; returns the tokens' lengths in characters. */
function checkVocabulary(description: unknown, tokens: number): number[] {
  const { model, added_tokens: added } = asObject(description, 'tokenizer.json');
  const { vocab } = asObject(model, '"model"');
  const ids = new Map<string, number>();
  const add = (token: unknown, id: unknown): void => {
    if (typeof token !== 'string') throw damaged('a token is no string');
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= tokens) {
      throw damaged(`the token ${JSON.stringify(token)} has the id ${String(id)}, but the model has ${tokens} rows`);
    }
    ids.set(token, id as number);
  };
  if (Array.isArray(vocab)) {
    // Unigram lists pairs of token and score; the place in the list is the id.
    vocab.forEach((pair: unknown, id) => {
      if (!Array.isArray(pair) || typeof pair[1] !== 'number') throw damaged(`entry ${id} of its vocabulary is no pair of token and score`);
      add(pair[0], id);
    });
  } else {
    for (const [token, id] of Object.entries(asObject(vocab, 'its vocabulary'))) add(token, id);
  }
  if (added !== undefined && added !== null && !Array.isArray(added)) throw damaged('"added_tokens" is no list');
  for (const entry of (added ?? []) as unknown[]) {
    const { content, id } = asObject(entry, 'an added token');
    add(content, id);
  }
  if (ids.size === 0) throw damaged('its vocabulary is empty');
  return [...ids.keys()].map(characters);
}

function unknownId(description: unknown): number | undefined {
  const { model } = description as { model: Record<string, unknown> };
  const { vocab, unk_token: token, unk_id: id } = model;
  if (Array.isArray(vocab)) return typeof id === 'number' ? id : undefined;
  if (typeof token !== 'string' || !Object.hasOwn(vocab as object, token)) return undefined;
  return (vocab as Record<string, number>)[token];
}

function asObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw damaged(`${what} is no JSON object`);
  return value as Record<string, unknown>;
}

const characters = (text: string): number => {
  let count = 0;
  for (const _ of text) count++;
  return count;
};

function median(lengths: number[]): number {
  lengths.sort((a, b) => a - b);
  const middle = lengths.length >> 1;
  return Math.floor(lengths.length % 2 ? lengths[middle]! : (lengths[middle - 1]! + lengths[middle]!) / 2);
}

/** The first `limit` characters, never half of one. */
function firstCharacters(text: string, limit: number): string {
  if (text.length <= limit) return text;
  let end = 0;
  for (let count = 0; count < limit && end < text.length; count++) end += text.codePointAt(end)! > 0xffff ? 2 : 1;
  return text.slice(0, end);
}

function unusable(what: string, cause?: unknown): ElanusError {
  return new ElanusError('UNSUPPORTED_FORMAT', `the model's tokenizer.json can't be used: ${what}; ${TYPES.join(', ')} tokenizers work`, { cause });
}

function damaged(what: string): ElanusError {
  return new ElanusError('CORRUPT_FILE', `the model's tokenizer.json is damaged: ${what}; fetch it again`);
}
