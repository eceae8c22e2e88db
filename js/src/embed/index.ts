/** Text to vector: static models that run in the page, and an adapter for any other. */
import type { StaticEmbedder } from './embedder.js';
import { loadFiles, type LoadOptions, type ModelLocation } from './load.js';
import { StaticModel } from './static-model.js';

export type { ModelCard } from '../card.js';
export { ElanusError, type ErrorCode } from '../errors.js';
export type { AsyncEmbedder, Embedder, StaticEmbedder } from './embedder.js';
export { fromFunction, type EmbedFunction } from './from-function.js';
export type { FileSource, LoadOptions, ModelLocation, ModelProgress } from './load.js';

/**
 * Loads a static embedding model in the layout of model2vec (`model.safetensors`, `tokenizer.json`, `config.json`).
 *
 * ```ts
 * const embedder = await loadStaticModel('/models/wordnet-static/');
 * const hits = await index.search(embedder.embed('a bird that can not fly'), { model: embedder.card });
 * ```
 */
export async function loadStaticModel(location: ModelLocation, options: LoadOptions = {}): Promise<StaticEmbedder> {
  const files = await loadFiles(location, options);
  options.signal?.throwIfAborted();
  return new StaticModel(files);
}
