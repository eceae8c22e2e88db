import type { Key } from '../engine.js';

/** A schema as the core has it. */
export interface PlainSchema {
  readonly primaryField: string;
  readonly idType: string;
  readonly maxLength: number;
  readonly autoId: boolean;
  readonly vectorField: string;
  readonly dimension: number;
  readonly metric: string;
  readonly enableDynamicField: boolean;
  readonly fields: readonly PlainField[];
}

export interface PlainField {
  readonly name: string;
  readonly dataType: string;
  /** The type of an Array's elements. */
  readonly elementType: string | undefined;
  readonly maxLength: number;
  readonly maxCapacity: number;
  readonly nullable: boolean;
  readonly defaultValue: unknown;
}

/** Entities in columns, as they go to the core. */
export interface Batch {
  readonly vectors: Float32Array;
  readonly keys: readonly (Key | undefined)[];
  /** For each entity a value for each field of the schema that is a column. */
  readonly values: readonly (readonly unknown[])[];
  /** For each the text of a JSON object with its other fields; empty for none. */
  readonly documents: readonly string[];
}

/** Which entities are meant: all without a filter. */
export interface Condition {
  readonly filter: string | undefined;
  /** What `{names}` in the filter stand for: JSON. */
  readonly params: string | undefined;
}

/** What is to be read of what is found. */
export interface Output {
  readonly documents: boolean;
  readonly vectors: boolean;
}

export interface SearchAsked extends Condition {
  readonly limit: number;
  readonly offset: number;
  readonly radius: number | undefined;
  readonly rangeFilter: number | undefined;
  readonly exact: boolean;
  readonly output: Output;
}

/** What was found: for each its key, the values of the schema's columns, and the JSON text of its other fields. */
export interface Found {
  readonly entities: readonly (readonly unknown[])[];
  readonly vectors: Float32Array | undefined;
  readonly distances: number[] | undefined;
}

export interface SegmentStats {
  /** Rows, with those that are gone. */
  readonly rows: number;
  readonly deleted: number;
}

/** What a collection holds. */
export interface Stats {
  /** Entities that are there. */
  readonly rowCount: number;
  /** Its sealed segments, oldest first. */
  readonly segments: readonly SegmentStats[];
  /** Bytes of WebAssembly memory that it has. */
  readonly memoryBytes: number;
  /** Bytes of interrupted writes, acknowledged to nobody, that were cut when it was opened. */
  readonly cutBytes: number;
  /** Why sealing or putting segments together failed last time; undefined if it didn't. It is tried again after the next write. */
  readonly fault: string | undefined;
}

/** A collection of a database, by its number: names change. */
export interface Opened {
  readonly number: number;
  readonly name: string;
  readonly schema: PlainSchema;
}

/** What a database can be asked, in this thread or in a worker. */
export interface DatabaseMethods {
  /** Whether the page can watch the worker by the lifeline. */
  open(module: WebAssembly.Module, name: string, lifeline: string): boolean;
  create(name: string, schema: PlainSchema): Opened;
  collection(name: string): Opened;
  names(): string[];
  aliases(): [alias: string, collection: string][];
  nameOf(name: string): string | undefined;
  rename(from: string, to: string): void;
  drop(name: string): void;
  createAlias(alias: string, name: string): void;
  alterAlias(alias: string, name: string): void;
  dropAlias(alias: string): void;
  put(number: number, batch: Batch, replace: boolean): Key[];
  remove(number: number, which: readonly Key[] | Condition): Key[];
  search(number: number, vector: Float32Array, asked: SearchAsked): Found;
  query(number: number, condition: Condition, limit: number | undefined, offset: number, output: Output): Found;
  get(number: number, keys: readonly Key[], output: Output): Found;
  count(number: number, condition: Condition): number;
  compact(number: number): void;
  stats(number: number): Stats;
  close(): void;
}

export type DatabaseMethod = keyof DatabaseMethods;
