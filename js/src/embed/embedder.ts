import type { ModelCard } from '../card.js';

/** Turns text into vectors. `await` the result: whether it comes at once depends on the embedder. */
export interface Embedder {
  /** Which model it is; pass it on as `model`, and a search in an index of another model is refused. */
  readonly card: ModelCard;
  /** Numbers in a vector. */
  readonly dimension: number;
  embed(text: string): Float32Array | Promise<Float32Array>;
  embed(texts: readonly string[]): Float32Array[] | Promise<Float32Array[]>;
}

/** An embedder that answers at once: a look-up for each token, so fast that it can run at each key stroke. */
export interface StaticEmbedder extends Embedder {
  /**
   * The vector of a text, of length 1 if the model's card says `normalised`. A text with no known token (an empty one,
   * say) gets the zero vector, which is near nothing.
   */
  embed(text: string): Float32Array;
  embed(texts: readonly string[]): Float32Array[];
}

/** An embedder that answers later: a transformer, a server. */
export interface AsyncEmbedder extends Embedder {
  embed(text: string): Promise<Float32Array>;
  embed(texts: readonly string[]): Promise<Float32Array[]>;
}
