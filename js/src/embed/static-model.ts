import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

import type { ModelCard } from '../card.js';
import { ElanusError } from '../errors.js';
import { looksLikeHtml } from '../host.js';
import type { StaticEmbedder } from './embedder.js';
import { readNumbers, readRowNumbers, readTensors } from './safetensors.js';
import { checkTexts } from './texts.js';
import { Tokenizer } from './tokenizer.js';

/** The bytes of a model's three files. */
export interface ModelFiles {
  readonly model: Uint8Array;
  readonly tokenizer: Uint8Array;
  readonly config: Uint8Array;
}

/** The limit that model2vec assumes where a model's config names none. */
const DEFAULT_MAX_TOKENS = 512;
/** model2vec's name for the table, and sentence-transformers'. */
const TABLE_NAMES = ['embeddings', 'embedding.weight'];

/**
 * A model in the layout of model2vec: a text's vector is the mean of its tokens' rows, each times the token's weight.
 */
export class StaticModel implements StaticEmbedder {
  readonly card: ModelCard;
  readonly dimension: number;
  readonly #tokenizer: Tokenizer;
  readonly #table: Float32Array | Int8Array;
  readonly #weights: Float32Array | undefined;
  /** From token to row, where several tokens share one. */
  readonly #rows: Uint32Array | undefined;
  readonly #sum: Float64Array;

  constructor(files: ModelFiles) {
    const config = readConfig(files.config);
    const tensors = readTensors(files.model, [...TABLE_NAMES, 'weights', 'mapping']);
    const table = TABLE_NAMES.map((name) => tensors.get(name)).find((tensor) => tensor !== undefined);
    if (!table) {
      throw new ElanusError('UNSUPPORTED_FORMAT', 'the model has no tensor "embeddings"; expected the layout of model2vec');
    }
    const [rows, dimension] = table.shape as [number, number];
    if (table.shape.length !== 2 || rows < 1 || dimension < 1) {
      throw damaged(`the tensor "${table.name}" has the shape [${table.shape.join(', ')}]; expected rows and dimensions`);
    }
    const weights = tensors.get('weights');
    const mapping = tensors.get('mapping');
    for (const vector of [weights, mapping]) {
      if (vector && vector.shape.length !== 1) throw damaged(`the tensor "${vector.name}" has the shape [${vector.shape.join(', ')}]; expected a list`);
    }
    const tokens = mapping?.count ?? rows;
    if (weights && weights.count !== tokens) throw damaged(`"weights" has ${weights.count} numbers for ${tokens} tokens`);

    this.dimension = dimension;
    this.#table = readNumbers(table);
    this.#weights = weights && Float32Array.from(readNumbers(weights));
    this.#rows = mapping && readRowNumbers(mapping, rows);
    this.#tokenizer = new Tokenizer(readJson(files.tokenizer, 'tokenizer.json'), tokens, config.maxTokens);
    this.#sum = new Float64Array(dimension);
    this.card = Object.freeze({
      name: config.name,
      revision: config.revision,
      fingerprint: `sha256:${bytesToHex(sha256.create().update(files.model).update(files.tokenizer).digest())}`,
      dimension,
      normalised: config.normalised,
    });
  }

  embed(text: string): Float32Array;
  embed(texts: readonly string[]): Float32Array[];
  embed(given: string | readonly string[]): Float32Array | Float32Array[] {
    const texts = checkTexts(given);
    return typeof given === 'string' ? this.#one(given) : texts.map((text) => this.#one(text));
  }

  #one(text: string): Float32Array {
    const ids = this.#tokenizer.split(text);
    const vector = new Float32Array(this.dimension);
    if (ids.length === 0) return vector;
    // Sums in f64 and in the tokens' order: the same bits on every machine.
    const sum = this.#sum.fill(0);
    for (const id of ids) this.#add(sum, this.#rows ? this.#rows[id]! : id, this.#weights ? this.#weights[id]! : 1);
    let squares = 0;
    for (let i = 0; i < sum.length; i++) squares += sum[i]! * sum[i]!;
    const scale = this.card.normalised ? (squares > 0 ? 1 / Math.sqrt(squares) : 0) : 1 / ids.length;
    for (let i = 0; i < sum.length; i++) vector[i] = sum[i]! * scale;
    return vector;
  }

  #add(sum: Float64Array, row: number, weight: number): void {
    const table = this.#table;
    const start = row * sum.length;
    for (let i = 0; i < sum.length; i++) sum[i]! += weight * table[start + i]!;
  }
}

function readConfig(bytes: Uint8Array) {
  const config = readJson(bytes, 'config.json');
  if (typeof config !== 'object' || config === null || Array.isArray(config)) throw damaged('its config.json is no JSON object');
  const { normalize = false, max_length: maxLength = DEFAULT_MAX_TOKENS, name, revision, tokenizer_name: base } = config as Record<string, unknown>;
  if (typeof normalize !== 'boolean') throw damaged(`"normalize" in config.json is ${JSON.stringify(normalize)}; expected true or false`);
  if (maxLength !== null && !(Number.isInteger(maxLength) && (maxLength as number) > 0)) {
    throw damaged(`"max_length" in config.json is ${JSON.stringify(maxLength)}; expected a whole number above 0, or null`);
  }
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  return {
    normalised: normalize,
    maxTokens: maxLength === null ? Infinity : (maxLength as number),
    name: text(name) || text(base),
    revision: text(revision),
  };
}

function readJson(bytes: Uint8Array, file: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    if (looksLikeHtml(bytes)) {
      throw new ElanusError('UNSUPPORTED_FORMAT', `a web page came in place of the model's ${file}; the address is wrong, or the server answers every address with its start page`, { cause });
    }
    throw new ElanusError('CORRUPT_FILE', `the model's ${file} is no JSON (${(cause as Error).message}); fetch it again`, { cause });
  }
}

function damaged(what: string): ElanusError {
  return new ElanusError('CORRUPT_FILE', `the model is damaged: ${what}; fetch it again`);
}
