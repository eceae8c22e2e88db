import { ElanusError } from './errors.js';

/** Which model made the vectors. Two vectors can be compared only if this is the same for both. */
export interface ModelCard {
  /** For people: `"wordnet-static"`. */
  readonly name: string;
  /** Which version of it. */
  readonly revision: string;
  /** `"sha256:<hex>"` over the model's weights and tokenizer; empty if it isn't known. */
  readonly fingerprint: string;
  /** Numbers in one of its vectors. */
  readonly dimension: number;
  /** Whether its vectors have length 1. */
  readonly normalised: boolean;
  /** What the model was trained to read before a query's text and a document's, such as `"query: "`; missing if nothing. */
  readonly prompts?: { readonly query?: string; readonly document?: string };
}

/** A stored field of the file. */
export interface FieldInfo {
  readonly name: string;
  /** Milvus's type name: `Int64`, `Double`, `Bool`, `VarChar`, … */
  readonly type: string;
  /** Whether a filter can name it. */
  readonly filterable?: boolean;
  /** Whether it comes back with hits. */
  readonly stored?: boolean;
}

/** What a file says about itself. */
export interface Card {
  readonly name: string;
  /** The model that its vectors came from; missing if the builder didn't say. */
  readonly model?: ModelCard;
  /** How it was built, as the builder noted it. */
  readonly build?: Readonly<Record<string, unknown>>;
  readonly fields: readonly FieldInfo[];
  /** Anything else that the builder noted. */
  readonly [more: string]: unknown;
}

const damaged = (what: string): ElanusError =>
  new ElanusError('CORRUPT_FILE', `the file's card is damaged: ${what}; fetch the file again, or rebuild it`);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Reads a card, and checks the parts that this package relies on. */
export function parseCard(json: string): Card {
  let card: unknown;
  try {
    card = JSON.parse(json === '' ? '{}' : json);
  } catch (cause) {
    throw damaged(`it is no JSON (${(cause as Error).message})`);
  }
  if (!isObject(card)) throw damaged('it is no JSON object');
  const { name = '', fields = [], model, build, ...more } = card;
  if (typeof name !== 'string') throw damaged('"name" is no string');
  if (!Array.isArray(fields)) throw damaged('"fields" is no list');
  for (const field of fields) {
    if (!isObject(field) || typeof field['name'] !== 'string' || typeof field['type'] !== 'string') {
      throw damaged('an entry of "fields" has no name or no type');
    }
  }
  if (build !== undefined && build !== null && !isObject(build)) throw damaged('"build" is no object');
  return {
    ...more,
    name,
    fields: fields as FieldInfo[],
    ...(model === undefined || model === null ? {} : { model: parseModel(model) }),
    ...(isObject(build) ? { build } : {}),
  };
}

function parseModel(value: unknown): ModelCard {
  if (!isObject(value)) throw damaged('"model" is no object');
  const { name = '', revision = '', fingerprint = '', dimension, normalised = false, prompts } = value;
  const asText = (text: unknown): string => (typeof text === 'string' ? text : '');
  if (!Number.isInteger(dimension)) throw damaged('"model.dimension" is no whole number');
  return {
    name: asText(name),
    revision: asText(revision),
    fingerprint: asText(fingerprint),
    dimension: dimension as number,
    normalised: normalised === true,
    ...(isObject(prompts) && { prompts: texts(prompts) }),
  };
}

const texts = (prompts: Record<string, unknown>): NonNullable<ModelCard['prompts']> =>
  Object.fromEntries(['query', 'document'].flatMap((kind) => (typeof prompts[kind] === 'string' ? [[kind, prompts[kind]]] : [])));

/** A model card, or anything that carries one (an embedder). */
export type ModelSource = ModelCard | { readonly card: ModelCard };

const say = (card: ModelCard): string => {
  const revision = card.revision && ` at revision ${card.revision}`;
  const fingerprint = card.fingerprint && `, ${card.fingerprint.slice(0, 19)}…`;
  return `${card.name || 'an unnamed model'}${revision} (${card.dimension} dimensions${fingerprint})`;
};

/** Whether two cards are of one model: by fingerprint if both have one, else by name and revision. */
export function sameModel(a: ModelCard, b: ModelCard): boolean {
  return a.fingerprint && b.fingerprint ? a.fingerprint === b.fingerprint : a.name === b.name && a.revision === b.revision;
}

/**
 * Refuses a model other than the index's: by fingerprint if both have one, else by name, revision and dimension.
 * A file that doesn't name its model can't be checked, and asking for the check is then refused too.
 */
export function checkModel(index: Card, given: ModelSource): void {
  const query = 'card' in given ? given.card : given;
  const own = index.model;
  const file = index.name ? `the index ${JSON.stringify(index.name)}` : 'the index';
  if (!own) {
    throw new ElanusError(
      'MODEL_MISMATCH',
      `${file} doesn't say which model made its vectors, so a query from ${say(query)} can't be checked; ` +
        'rebuild the file with its model card, or leave the `model` option out',
      { details: { expected: undefined, found: query } },
    );
  }
  if (sameModel(own, query) && own.dimension === query.dimension) return;
  throw new ElanusError(
    'MODEL_MISMATCH',
    `${file} was built with ${say(own)}, but the query comes from ${say(query)}; ` +
      'their vectors can not be compared: embed the query with the first, or rebuild the index with the second',
    { details: { expected: own, found: query } },
  );
}
