import type { ModelCard } from '../card.js';
import { ElanusError, invalid } from '../errors.js';
import type { AsyncEmbedder } from './embedder.js';
import { checkTexts } from './texts.js';

/** What `fromFunction` wraps: one vector for each text, in the texts' order. */
export type EmbedFunction = (texts: string[]) => Promise<readonly (Float32Array | readonly number[])[]>;

/**
 * Makes an embedder of any model: transformers.js, a server's API. Each answer is checked, because a wrong one would
 * otherwise show only as bad search results.
 *
 * ```ts
 * const embedder = fromFunction(async (texts) => (await extractor(texts, { pooling: 'mean', normalize: true })).tolist(), {
 *   name: 'all-MiniLM-L6-v2', revision: 'main', fingerprint: '', dimension: 384, normalised: true,
 * });
 * ```
 */
export function fromFunction(embed: EmbedFunction, card: ModelCard): AsyncEmbedder {
  if (typeof embed !== 'function') throw invalid(`fromFunction takes a function from texts to vectors, not ${typeof embed}`);
  const own = checkedCard(card);
  const run = async (texts: readonly string[]): Promise<Float32Array[]> => {
    if (texts.length === 0) return [];
    const vectors = await embed([...texts]);
    if (!Array.isArray(vectors) || vectors.length !== texts.length) {
      const found = Array.isArray(vectors) ? `${vectors.length} vectors` : typeof vectors;
      throw new ElanusError('INVALID_VECTOR', `the embedding function got ${texts.length} texts and must answer with as many vectors, but answered with ${found}`, {
        details: { expected: texts.length, found },
      });
    }
    return vectors.map((vector, row) => checkedVector(vector, row, own));
  };
  return {
    card: own,
    dimension: own.dimension,
    embed: (async (given: string | readonly string[]) => {
      const texts = checkTexts(given);
      const vectors = await run(texts);
      return typeof given === 'string' ? vectors[0]! : vectors;
    }) as AsyncEmbedder['embed'],
  };
}

function checkedCard(card: ModelCard): ModelCard {
  if (typeof card !== 'object' || card === null) throw invalid('fromFunction takes a model card as its second argument: { name, revision, fingerprint, dimension, normalised }');
  const { name, revision, fingerprint, dimension, normalised } = card;
  if (!Number.isInteger(dimension) || dimension < 1) throw invalid(`the model card's dimension must be a whole number above 0, not ${String(dimension)}`);
  for (const [field, value] of Object.entries({ name, revision, fingerprint })) {
    if (typeof value !== 'string') throw invalid(`the model card's ${field} must be a string (it may be empty), not ${typeof value}`);
  }
  if (typeof normalised !== 'boolean') throw invalid(`the model card's normalised must be true or false, not ${typeof normalised}`);
  return Object.freeze({ name, revision, fingerprint, dimension, normalised });
}

function checkedVector(given: unknown, row: number, { dimension, normalised }: ModelCard): Float32Array {
  if (!(given instanceof Float32Array) && !Array.isArray(given) && !ArrayBuffer.isView(given)) {
    throw new ElanusError('INVALID_VECTOR', `the embedding function's answer ${row} is no vector but ${given === null ? 'null' : typeof given}`, { details: { row } });
  }
  const vector = given instanceof Float32Array ? given : Float32Array.from(given as ArrayLike<number>);
  if (vector.length !== dimension) {
    throw new ElanusError('DIMENSION_MISMATCH', `the model card says ${dimension} dimensions, but the embedding function's vector ${row} has ${vector.length}`, {
      details: { row, expected: dimension, found: vector.length },
    });
  }
  let squares = 0;
  for (let i = 0; i < dimension; i++) {
    const value = vector[i]!;
    if (!Number.isFinite(value)) {
      throw new ElanusError('INVALID_VECTOR', `the embedding function's vector ${row} holds ${value} at ${i}`, { details: { row, at: i } });
    }
    squares += value * value;
  }
  // Half precision and quantised models round; a vector that was never normalised is off by far more.
  if (normalised && squares > 0 && Math.abs(Math.sqrt(squares) - 1) > 0.02) {
    throw new ElanusError('INVALID_VECTOR', `the model card says that vectors are normalised, but the embedding function's vector ${row} has length ${Math.sqrt(squares).toFixed(3)}; normalise it, or say normalised: false`, {
      details: { row, expected: 1, found: Math.sqrt(squares) },
    });
  }
  return vector;
}
