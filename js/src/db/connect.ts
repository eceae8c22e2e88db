import { invalid } from '../errors.js';
import { compile, type WasmSource } from '../wasm.js';
import { Collection } from './collection.js';
import { connectTo, type Connection } from './connection.js';
import type { Opened, Stats } from './protocol.js';
import { type CollectionOptions, toPlainSchema } from './schema.js';

/** Options of {@link connect}. */
export interface ConnectOptions {
  /** The module: its address, bytes, or compiled. Default `elanus-collection.wasm` beside this script. */
  wasm?: WasmSource;
  /** Address of `database-worker.js`. Default beside this script. */
  workerUrl?: string | URL;
}

const NAME = /^[\w-]{1,100}$/;

/** See `open.ts`. */
export async function connect(name: string, options: ConnectOptions = {}): Promise<Database> {
  if (name !== 'memory:' && !NAME.test(name)) {
    throw invalid(`${JSON.stringify(name)} is no name of a database: it has 1 to 100 letters, digits, underscores and hyphens, or is 'memory:'`);
  }
  const module = await compile(options.wasm ?? new URL('./elanus-collection.wasm', import.meta.url).href);
  return new Database(await connectTo(name, module, options.workerUrl));
}

/** A database: collections, and aliases of them. */
export class Database {
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Makes a collection. @throws ElanusError `COLLECTION_EXISTS`, `INVALID_ARGUMENT`, `QUOTA_EXCEEDED` */
  async createCollection(options: CollectionOptions): Promise<Collection> {
    return this.#collection(await this.#connection.ask('create', [options.name, toPlainSchema(options)]));
  }

  /** A collection, by its name or an alias. @throws ElanusError `COLLECTION_NOT_FOUND`, `CORRUPT_FILE` */
  async getCollection(name: string): Promise<Collection> {
    return this.#collection(await this.#connection.ask('collection', [name]));
  }

  #collection(opened: Opened): Collection {
    return new Collection(this.#connection, opened);
  }

  /** Names of the collections. */
  listCollections(): Promise<string[]> {
    return this.#connection.ask('names', []);
  }

  /** Whether a name or an alias stands for a collection. */
  async hasCollection(name: string): Promise<boolean> {
    return (await this.#connection.ask('nameOf', [name])) !== undefined;
  }

  /** What a collection is made of. @throws ElanusError `COLLECTION_NOT_FOUND` */
  async describeCollection(name: string): Promise<CollectionDescription> {
    const { name: own, schema } = await this.#connection.ask('collection', [name]);
    const aliases = (await this.#connection.ask('aliases', [])).filter(([, target]) => target === own).map(([alias]) => alias);
    return { ...schema, name: own, aliases };
  }

  /** How much a collection holds. @throws ElanusError `COLLECTION_NOT_FOUND` */
  async getCollectionStats(name: string): Promise<Stats> {
    const { number } = await this.#connection.ask('collection', [name]);
    return this.#connection.ask('stats', [number]);
  }

  /** Gives a collection another name; its aliases stay with it. @throws ElanusError `COLLECTION_NOT_FOUND`, `COLLECTION_EXISTS` */
  renameCollection(from: string, to: string): Promise<void> {
    return this.#connection.ask('rename', [from, to]);
  }

  /** Removes a collection with all that is in it. @throws ElanusError `COLLECTION_NOT_FOUND`; `INVALID_ARGUMENT` while it has aliases */
  dropCollection(name: string): Promise<void> {
    return this.#connection.ask('drop', [name]);
  }

  /** Lets an alias stand for a collection. @throws ElanusError `COLLECTION_EXISTS` if the name is taken */
  createAlias(alias: string, collection: string): Promise<void> {
    return this.#connection.ask('createAlias', [alias, collection]);
  }

  /** Lets an alias stand for another collection, in one step. @throws ElanusError `COLLECTION_NOT_FOUND` */
  alterAlias(alias: string, collection: string): Promise<void> {
    return this.#connection.ask('alterAlias', [alias, collection]);
  }

  /** Takes an alias away. @throws ElanusError `COLLECTION_NOT_FOUND` */
  dropAlias(alias: string): Promise<void> {
    return this.#connection.ask('dropAlias', [alias]);
  }

  /** Aliases, and the collections that they stand for. */
  async listAliases(): Promise<{ alias: string; collection: string }[]> {
    return (await this.#connection.ask('aliases', [])).map(([alias, collection]) => ({ alias, collection }));
  }

  /** Ends what is going on, lets another tab write, if there is one, and gives the memory back. */
  async close(): Promise<void> {
    await this.#connection.ask('close', []);
    this.#connection.end();
  }
}

/** What a collection is made of. */
export interface CollectionDescription {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly primaryField: string;
  readonly idType: string;
  readonly autoId: boolean;
  readonly vectorField: string;
  readonly dimension: number;
  readonly metric: string;
  readonly enableDynamicField: boolean;
  readonly fields: readonly {
    readonly name: string;
    readonly dataType: string;
    readonly elementType: string | undefined;
    readonly nullable: boolean;
    readonly defaultValue: unknown;
  }[];
}

