import type { Key } from '../engine.js';
import { invalid } from '../errors.js';
import type { Connection } from './connection.js';
import type { Opened, PlainSchema, Stats } from './protocol.js';
import { Picked, type Row, toBatch, toCondition, toKey, toVector } from './schema.js';

/** Options of {@link Collection.search}. */
export interface CollectionSearchOptions {
  /** How many hits at most: 1 to 16,384, together with `offset`. Default 10. */
  limit?: number;
  /** How many of the nearest are passed over. Default 0. */
  offset?: number;
  /** Only entities for which this is true, in Milvus's grammar: `'year > 1990 and pos == "noun"'`. */
  filter?: string;
  /** What `{names}` in the filter stand for: `'year > {since}'` with `{ since: 1990 }`. */
  exprParams?: Readonly<Record<string, unknown>>;
  /** Only hits nearer than this. L2: `distance < radius`; COSINE and IP: `distance > radius`. */
  radius?: number;
  /** With `radius`: only hits that aren't nearer than this. */
  rangeFilter?: number;
  /** Fields to return with each hit; `['*']` for all, the vector too. Default none. */
  outputFields?: readonly string[];
  /** Compare every entity, where large segments are otherwise scanned by codes. */
  exact?: boolean;
}

/** A hit. */
export interface EntityHit {
  readonly id: Key;
  /** COSINE and IP: the similarity, larger is nearer. L2: the squared distance, smaller is nearer. */
  readonly distance: number;
  /** The fields named in `outputFields`; missing if none were. */
  readonly fields?: Record<string, unknown>;
}

/** Options of {@link Collection.query}. */
export interface QueryOptions {
  /** Only entities for which this is true. Without one, give a limit. */
  filter?: string;
  /** What `{names}` in the filter stand for. */
  exprParams?: Readonly<Record<string, unknown>>;
  /** How many at most. Default all that the filter is true for. */
  limit?: number;
  /** How many are passed over. Default 0. */
  offset?: number;
  /** Fields to return; default `['*']`, which is all, the vector too. */
  outputFields?: readonly string[];
}

/**
 * Entities that come and go. A promise of a write is fulfilled when the write is on the disk; from then on every answer knows it. A
 * write is taken whole or not at all.
 */
export class Collection {
  readonly #connection: Connection;
  readonly #number: number;
  readonly #schema: PlainSchema;
  /** The name that it had when it was opened. */
  readonly name: string;

  /** @internal */
  constructor(connection: Connection, { number, name, schema }: Opened) {
    this.#connection = connection;
    this.#number = number;
    this.#schema = schema;
    this.name = name;
  }

  /**
   * Puts in entities whose keys aren't there yet.
   *
   * @throws ElanusError `INVALID_INPUT` with what doesn't fit, `DIMENSION_MISMATCH`, `INVALID_VECTOR`, `FIELD_NOT_FOUND`, `QUOTA_EXCEEDED`
   */
  async insert(rows: Row | readonly Row[]): Promise<{ insertCount: number; insertIds: Key[] }> {
    const insertIds = await this.#put(rows, false);
    return { insertCount: insertIds.length, insertIds };
  }

  /** Puts in entities, in place of those of the same keys. @throws ElanusError as `insert` does */
  async upsert(rows: Row | readonly Row[]): Promise<{ upsertCount: number; upsertIds: Key[] }> {
    const upsertIds = await this.#put(rows, true);
    return { upsertCount: upsertIds.length, upsertIds };
  }

  async #put(rows: Row | readonly Row[], replace: boolean): Promise<Key[]> {
    const batch = toBatch(this.#schema, Array.isArray(rows) ? (rows as readonly Row[]) : [rows as Row]);
    return this.#connection.ask('put', [this.#number, batch, replace], [batch.vectors.buffer]);
  }

  /**
   * Takes out the entities of these keys, or those for which a filter is true.
   *
   * @throws ElanusError `INVALID_ARGUMENT` unless one of the two is given; `INVALID_FILTER`, `FIELD_NOT_FOUND`, `QUOTA_EXCEEDED`
   */
  async delete(
    which: { ids: Key | readonly Key[] } | { filter: string; exprParams?: Readonly<Record<string, unknown>> },
  ): Promise<{ deleteCount: number }> {
    const { ids, filter, exprParams } = which as { ids?: Key | readonly Key[]; filter?: string; exprParams?: Record<string, unknown> };
    if ((ids === undefined) === (filter === undefined)) throw invalid('delete takes either ids or a filter');
    // An empty filter is refused by the core: taking all out is to be said.
    const chosen = ids === undefined ? { ...toCondition(filter, exprParams), filter } : this.#keys(ids);
    return { deleteCount: (await this.#connection.ask('remove', [this.#number, chosen])).length };
  }

  /** The entities of these keys that are there, in their order. */
  async get(ids: Key | readonly Key[], options: { outputFields?: readonly string[] } = {}): Promise<Record<string, unknown>[]> {
    const picked = new Picked(this.#schema, options.outputFields ?? ['*']);
    const found = await this.#connection.ask('get', [this.#number, this.#keys(ids), picked.output]);
    return picked.fields(found) as Record<string, unknown>[];
  }

  /**
   * The entities for which a filter is true, in the order of their keys.
   *
   * @throws ElanusError `INVALID_ARGUMENT` with neither filter nor limit, `INVALID_FILTER`, `FIELD_NOT_FOUND`
   */
  async query(options: QueryOptions): Promise<Record<string, unknown>[]> {
    const { limit, offset = 0, outputFields = ['*'] } = options;
    const condition = toCondition(options.filter, options.exprParams);
    whole('limit', limit);
    whole('offset', offset);
    if (condition.filter === undefined && limit === undefined) throw invalid('a query without a filter needs a limit');
    const picked = new Picked(this.#schema, outputFields);
    const found = await this.#connection.ask('query', [this.#number, condition, limit, offset, picked.output]);
    return picked.fields(found) as Record<string, unknown>[];
  }

  /** How many entities a filter is true for; without one, how many there are: Milvus's `count(*)`. */
  async count(filter?: string, exprParams?: Readonly<Record<string, unknown>>): Promise<number> {
    return this.#connection.ask('count', [this.#number, toCondition(filter, exprParams)]);
  }

  /**
   * The nearest entities, nearest first; equally near ones in the order in which they came.
   *
   * @throws ElanusError `DIMENSION_MISMATCH`, `INVALID_VECTOR`, `INVALID_ARGUMENT`, `INVALID_FILTER`, `FIELD_NOT_FOUND`
   */
  async search(vector: ArrayLike<number>, options: CollectionSearchOptions = {}): Promise<EntityHit[]> {
    const { limit = 10, offset = 0, radius, rangeFilter, exact = false, outputFields } = options;
    whole('limit', limit);
    whole('offset', offset);
    const query = Float32Array.from(toVector(this.#schema, vector, 'the query'));
    const picked = new Picked(this.#schema, outputFields);
    const asked = { limit, offset, ...toCondition(options.filter, options.exprParams), radius, rangeFilter, exact, output: picked.output };
    const found = await this.#connection.ask('search', [this.#number, query, asked], [query.buffer]);
    const fields = picked.fields(found);
    return found.entities.map(([id], i) => ({
      id: id as Key,
      distance: found.distances![i]!,
      ...(fields[i] === undefined ? {} : { fields: fields[i] }),
    }));
  }

  /** Seals what has come and makes one segment of all, without what is gone: gives space back. */
  compact(): Promise<void> {
    return this.#connection.ask('compact', [this.#number]);
  }

  /** How much it holds. */
  stats(): Promise<Stats> {
    return this.#connection.ask('stats', [this.#number]);
  }

  #keys(ids: Key | readonly Key[]): Key[] {
    return (Array.isArray(ids) ? (ids as readonly Key[]) : [ids as Key]).map((id) => toKey(this.#schema, id));
  }
}

function whole(what: string, value: number | undefined): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0)) throw invalid(`${what} is ${value}; it is a whole number from 0 on`);
}
