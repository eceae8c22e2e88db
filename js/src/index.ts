export { build, type BuildOptions, type FieldType } from './build.js';
export type { Card, FieldInfo, ModelCard, ModelSource } from './card.js';
export type { BuildProgress, Entity, Hit, IndexType, IteratorOptions, Key, Lists, MemoryUsage, Progress, SearchOptions } from './engine.js';
export { ElanusError, type ErrorCode } from './errors.js';
export { open, type IndexSource, type OpenOptions } from './open.js';
export type { Vector } from './options.js';
export type { Index } from './search-index.js';
export { init, type WasmSource } from './wasm.js';
