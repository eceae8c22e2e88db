import type { Asked, Queries } from './asked.js';
import type { BuildPlan, BuildProgress, Description, Entity, Fields, Hit, Key, LoadPlan, MemoryUsage, ModuleSource, Progress, SearchPlan, Source, Hints, Vectors } from './engine.js';
import type { PlainError } from './errors.js';
import type { Fusion, PlannedSearch } from './hybrid.js';
import type { Traffic } from './lazy/ranges.js';
import type { MainModule } from './wasm.js';

/** Both ends must be of the same build: a page may get its worker from an older cache. Set by the build. */
declare const ELANUS_VERSION: string;
export const VERSION: string = ELANUS_VERSION;

/** What a worker can be asked. */
export interface Methods {
  /** Says whether the worker now holds the lock of that name, for as long as it lives. */
  start(module: MainModule, lifeline: string): boolean;
  /** Fetches or reads the source in the worker. */
  load(source: Source, plan: LoadPlan): Description;
  inspect(prefix: Uint8Array, exact: number | undefined, hints: Hints): number;
  reserve(bytes: number): void;
  write(bytes: Uint8Array): void;
  finish(total: number, verify: boolean, hints: Hints): Description;
  beginBuild(count: number, dimension: number, binary: boolean, module: ModuleSource): void;
  addVectors(vectors: Float32Array | Uint8Array): void;
  addKeys(keys: readonly Key[]): void;
  addFields(fields: Fields): void;
  finishBuild(plan: BuildPlan): Description;
  file(): Blob;
  search(queries: Queries, plan: SearchPlan, coarse: boolean): Hit[][];
  hybridSearch(searches: readonly PlannedSearch[], fusion: Fusion, outputFields: SearchPlan['outputFields']): Hit[];
  iterate(query: Asked, plan: SearchPlan, limit: number | undefined): number;
  advance(iteration: number): Hit[];
  endIteration(iteration: number): void;
  get(keys: readonly Key[], outputFields: readonly string[] | '*' | undefined): Entity[];
  vectors(rows: Uint32Array): Vectors;
  memory(): MemoryUsage;
  traffic(): Traffic;
  prefetch(): void;
  evict(): void;
}

export type Method = keyof Methods;

/** To the worker. */
export type Request =
  | { readonly id: number; readonly method: Method; readonly args: readonly unknown[] }
  | { readonly cancel: number };

/** From the worker; the first message is its version. */
export type Reply =
  | { readonly version: string }
  | { readonly traffic: Traffic }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: PlainError }
  | { readonly id: number; readonly progress: Told };

/** What is told before an answer: how far a call has come, or what a search has found so far. */
export type Told = Progress | BuildProgress | readonly Hit[];
export type Report = (progress: Told) => void;
