/** Schemas as callers write them, and entities as the core takes them. */

import type { Key } from '../engine.js';
import { ElanusError, invalid } from '../errors.js';
import { parseJson, toJson } from '../json.js';
import type { Batch, Condition, Found, Output, PlainField, PlainSchema } from './protocol.js';

/** The type of a field, under Milvus's name. */
export type DataType = 'Bool' | 'Int8' | 'Int16' | 'Int32' | 'Int64' | 'Float' | 'Double' | 'VarChar' | 'JSON' | 'Array' | 'FloatVector';

/** A field of a collection. */
export interface FieldSchema {
  /** Letters, digits and underscores. */
  readonly name: string;
  readonly dataType: DataType;
  /** The field that entities are known by: an Int64 or a VarChar. */
  readonly isPrimary?: boolean;
  /** The primary key: the collection gives keys itself. */
  readonly autoID?: boolean;
  /** FloatVector: numbers in each. */
  readonly dimension?: number;
  /** VarChar, also as elements of an Array: the most bytes of UTF-8, up to 65,535, which is the default. */
  readonly maxLength?: number;
  /** Array: the type of its elements. */
  readonly elementType?: Exclude<DataType, 'JSON' | 'Array' | 'FloatVector'>;
  /** Array: the most elements, up to 4,096, which is the default. */
  readonly maxCapacity?: number;
  /** Whether it may be left out or be null. Default false. */
  readonly nullable?: boolean;
  /** What stands in where it is left out or null. */
  readonly defaultValue?: boolean | number | bigint | string;
}

/** What a collection is made with. With `fields` the schema is theirs; without, an `id`, a `vector` and dynamic fields. */
export interface CollectionOptions {
  /** Letters, digits and underscores. */
  readonly name: string;
  /** How nearness is measured. COSINE vectors are kept, and given back, normalised. Default COSINE. */
  readonly metric?: 'L2' | 'IP' | 'COSINE';
  /** A primary key, a FloatVector, and others. */
  readonly fields?: readonly FieldSchema[];
  /** Whether entities may have fields that the schema doesn't name. Default true without `fields`, else false. */
  readonly enableDynamicField?: boolean;
  /** Without `fields`: numbers in a vector. */
  readonly dimension?: number;
  /** Without `fields`: the type of the key. Default Int64. */
  readonly idType?: 'Int64' | 'VarChar';
  /** Without `fields`: the collection gives keys itself. */
  readonly autoID?: boolean;
  /** Without `fields`. Default `id`. */
  readonly primaryField?: string;
  /** Without `fields`. Default `vector`. */
  readonly vectorField?: string;
}

/** An entity: its fields by name. Int64 may be numbers, bigints or strings of digits; vectors arrays of numbers. */
export type Row = Readonly<Record<string, unknown>>;

const MAX_VARCHAR = 65_535;
const MAX_CAPACITY = 4096;

/** Fields that are kept in an entity's JSON object; the others are columns. */
const isDocument = ({ dataType }: { dataType: string }): boolean => dataType === 'JSON' || dataType === 'Array';

export function toPlainSchema(options: CollectionOptions): PlainSchema {
  const { fields, metric = 'COSINE' } = options;
  const given: readonly FieldSchema[] = fields ?? [
    { name: options.primaryField ?? 'id', dataType: options.idType ?? 'Int64', isPrimary: true, autoID: options.autoID ?? false },
    { name: options.vectorField ?? 'vector', dataType: 'FloatVector', dimension: options.dimension ?? 0 },
  ];
  if (fields && options.dimension !== undefined) throw invalid('with fields, the dimension is that of the FloatVector field; leave it out beside them');
  const one = (what: string, is: (field: FieldSchema) => boolean): FieldSchema => {
    const found = given.filter(is);
    if (found.length !== 1) throw invalid(`a collection has one ${what}, but ${found.length} came: ${found.map(({ name }) => name).join(', ') || 'add it'}`);
    return found[0]!;
  };
  const primary = one('primary key (isPrimary: true)', (field) => field.isPrimary === true);
  const vector = one('field of type FloatVector', (field) => field.dataType === 'FloatVector');
  const plain = (field: FieldSchema): PlainField => ({
    name: field.name,
    dataType: field.dataType,
    elementType: field.elementType,
    maxLength: field.maxLength ?? MAX_VARCHAR,
    maxCapacity: field.maxCapacity ?? MAX_CAPACITY,
    nullable: field.nullable ?? false,
    defaultValue: field.defaultValue === undefined ? undefined : toValue(field.dataType, field.defaultValue),
  });
  return {
    primaryField: primary.name,
    idType: primary.dataType,
    maxLength: primary.maxLength ?? MAX_VARCHAR,
    autoId: primary.autoID ?? options.autoID ?? false,
    vectorField: vector.name,
    dimension: vector.dimension ?? 0,
    metric,
    enableDynamicField: options.enableDynamicField ?? fields === undefined,
    fields: given.filter((field) => field !== primary && field !== vector).map(plain),
  };
}

const DIGITS = /^-?\d{1,19}$/;

/** A key as the core takes it: strings of digits are numbers where the key is one. */
export function toKey(schema: PlainSchema, value: unknown): Key {
  if (schema.idType === 'Int64' && typeof value === 'string' && DIGITS.test(value)) return BigInt(value);
  if (typeof value === 'string' || typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value))) return value;
  throw new ElanusError(
    'INVALID_INPUT',
    `${schema.primaryField} is ${String(value)}, which is no key: give a whole number (a bigint or a string beyond ±2^53) or a text`,
  );
}

const toValue = (dataType: string, value: unknown): unknown =>
  dataType === 'Int64' && typeof value === 'string' && DIGITS.test(value) ? BigInt(value) : value;

/** Entities in columns, checked as far as the core can't. */
export function toBatch(schema: PlainSchema, rows: readonly Row[]): Batch {
  const { dimension, vectorField, primaryField, fields } = schema;
  const named = new Set([primaryField, vectorField, ...fields.map(({ name }) => name)]);
  const vectors = new Float32Array(rows.length * dimension);
  const keys: (Key | undefined)[] = [];
  const values: unknown[][] = [];
  const documents: string[] = [];
  const columns = fields.filter((field) => !isDocument(field));
  const members = fields.filter(isDocument);
  for (const [i, row] of rows.entries()) {
    if (typeof row !== 'object' || row === null) throw new ElanusError('INVALID_INPUT', `entity ${i} is no object of fields`);
    vectors.set(toVector(schema, row[vectorField], `entity ${i}`), i * dimension);
    keys.push(row[primaryField] === undefined ? undefined : toKey(schema, row[primaryField]));
    values.push(columns.map(({ name, dataType }) => toValue(dataType, row[name])));
    const rest = Object.keys(row).filter((name) => !named.has(name));
    if (rest.length > 0 && !schema.enableDynamicField) {
      throw new ElanusError('FIELD_NOT_FOUND', `entity ${i} has a field ${rest[0]}, which the schema doesn't name; the fields are ${[...named].join(', ')}`);
    }
    const others = members.filter(({ name }) => row[name] !== undefined && row[name] !== null);
    const document = Object.fromEntries([...others.map(({ name }) => [name, listed(row[name])]), ...rest.map((name) => [name, row[name]])]);
    documents.push(toDocument(document, i));
  }
  return { vectors, keys, values, documents };
}

/** A typed array would be an object in JSON. */
const listed = (value: unknown): unknown => (ArrayBuffer.isView(value) && !(value instanceof DataView) ? Array.from(value as unknown as ArrayLike<unknown>) : value);

function toDocument(fields: Record<string, unknown>, row: number): string {
  try {
    const text = toJson(fields)!;
    return text === '{}' ? '' : text;
  } catch (cause) {
    throw new ElanusError('INVALID_INPUT', `the JSON and dynamic fields of entity ${row} are no JSON (${(cause as Error).message})`, { cause });
  }
}

/** A filter with what its `{names}` stand for. */
export function toCondition(filter: string | undefined, exprParams: Readonly<Record<string, unknown>> | undefined): Condition {
  if (filter === undefined || filter === '') return { filter: undefined, params: undefined };
  try {
    return { filter, params: exprParams === undefined ? undefined : toJson(exprParams) };
  } catch (cause) {
    throw new ElanusError('INVALID_ARGUMENT', `exprParams are no JSON (${(cause as Error).message})`, { cause });
  }
}

/** A vector of the schema's dimension. */
export function toVector({ dimension, vectorField }: PlainSchema, value: unknown, whose: string): ArrayLike<number> {
  if (!Array.isArray(value) && !(ArrayBuffer.isView(value) && !(value instanceof DataView))) {
    throw new ElanusError('INVALID_VECTOR', `${whose} has no vector: ${vectorField} is to be an array of ${dimension} numbers`);
  }
  const vector = value as ArrayLike<number>;
  if (vector.length !== dimension) {
    throw new ElanusError('DIMENSION_MISMATCH', `${whose}: ${vectorField} has ${dimension} dimensions, but ${vector.length} numbers came`, {
      details: { expected: dimension, found: vector.length },
    });
  }
  return vector;
}

/** Which fields callers want back, and how to make them of what was found. */
export class Picked {
  readonly output: Output;
  readonly #schema: PlainSchema;
  readonly #names: readonly string[] | '*' | undefined;

  /** @throws ElanusError `FIELD_NOT_FOUND` for a field that no entity can have */
  constructor(schema: PlainSchema, names: readonly string[] | undefined) {
    const all = names?.includes('*') ?? false;
    const known = [schema.primaryField, schema.vectorField, ...schema.fields.map(({ name }) => name)];
    const unknown = names?.filter((name) => name !== '*' && !known.includes(name)) ?? [];
    if (unknown.length > 0 && !schema.enableDynamicField) {
      throw new ElanusError('FIELD_NOT_FOUND', `there is no field ${unknown[0]}; the fields are ${known.join(', ')}`);
    }
    this.#schema = schema;
    this.#names = all ? '*' : names;
    this.output = {
      documents: all
        ? schema.enableDynamicField || schema.fields.some(isDocument)
        : unknown.length > 0 || schema.fields.some((field) => isDocument(field) && (names?.includes(field.name) ?? false)),
      vectors: all || (names?.includes(schema.vectorField) ?? false),
    };
  }

  /** The fields of each entity; undefined if none were asked for. */
  fields(found: Found): (Record<string, unknown> | undefined)[] {
    const { primaryField, vectorField, dimension, fields } = this.#schema;
    const columns = fields.filter((field) => !isDocument(field));
    const members = fields.filter(isDocument);
    const names = this.#names;
    if (names === undefined) return found.entities.map(() => undefined);
    return found.entities.map((values, i) => {
      const text = values[columns.length + 1] as string;
      const all: Record<string, unknown> = this.output.documents && text !== '' ? (parseJson(text) as Record<string, unknown>) : {};
      all[primaryField] = values[0];
      for (const [j, { name }] of columns.entries()) all[name] = values[j + 1];
      if (this.output.documents) for (const { name } of members) all[name] ??= null;
      if (found.vectors) all[vectorField] = found.vectors.slice(i * dimension, (i + 1) * dimension);
      return names === '*' ? all : Object.fromEntries(names.filter((name) => name in all).map((name) => [name, all[name]]));
    });
  }
}
