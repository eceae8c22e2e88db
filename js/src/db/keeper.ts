import type { CatalogHandle } from '../../../build/glue/collection-glue.js';
import { createGlue } from '../../../build/glue/collection-glue.js';
import type { Key } from '../engine.js';
import { ElanusError, isThrownByCore } from '../errors.js';
import { instantiate } from '../instance.js';
import { type Folder, NoFolder, originFolder } from './files.js';
import { Kept, type Module } from './kept.js';
import type { Batch, Condition, DatabaseMethod, DatabaseMethods, Found, Opened, Output, PlainSchema, SearchAsked, Stats } from './protocol.js';
import { Slots } from './slots.js';
import type { Request } from './tabs.js';

type Answers = { [M in DatabaseMethod]: (...args: Parameters<DatabaseMethods[M]>) => ReturnType<DatabaseMethods[M]> | Promise<ReturnType<DatabaseMethods[M]>> };

/** The name that stands for a database that keeps nothing. */
export const MEMORY = 'memory:';

const folderName = (number: number): string => `collection-${number}`;

/** A database: its catalog and the collections that are open. One at a time has its files: see {@link Member}. */
export class Keeper implements Answers {
  #module!: WebAssembly.Module;
  #folder!: Folder;
  #slots!: Slots;
  #catalog!: CatalogHandle;
  readonly #kept = new Map<number, Promise<Kept>>();
  /** Changes of the catalog, one after the other. */
  #changes: Promise<unknown> = Promise.resolve();

  async open(module: WebAssembly.Module, name: string): Promise<boolean> {
    this.#module = module;
    this.#folder = name === MEMORY ? new NoFolder() : await originFolder('elanus', name);
    this.#slots = await Slots.open(this.#folder, 'catalog');
    try {
      const { bindings } = await this.#instance();
      this.#catalog = new bindings.CatalogHandle(...this.#slots.read());
      this.#slots.counts(this.#catalog.slot());
      await this.#sweep();
      return false;
    } catch (error) {
      this.#slots.close();
      throw error;
    }
  }

  #instance(): Promise<Module> {
    return instantiate(this.#module, createGlue());
  }

  /** Removes folders of collections that an interrupted creation or removal has left. */
  async #sweep(): Promise<void> {
    const there = new Set(Array.from(this.#catalog.numbers(), folderName));
    for (const name of await this.#folder.names()) {
      if (name.startsWith('collection-') && !there.has(name)) await this.#folder.remove(name);
    }
  }

  /** Changes a copy of the catalog, makes it durable, and only then lets it count. */
  #change<T>(act: (catalog: CatalogHandle) => T | Promise<T>): Promise<T> {
    const change = this.#changes.then(async () => {
      const copy = this.#catalog.copy();
      const result = await act(copy);
      this.#slots.write(copy.bytes());
      this.#catalog = copy;
      return result;
    });
    this.#changes = change.catch(() => undefined);
    return change;
  }

  create(name: string, schema: PlainSchema): Promise<Opened> {
    return this.#change(async (catalog) => {
      const number = catalog.create(name);
      const kept = await Kept.create(await this.#instance(), await this.#folder.folder(folderName(number)), schema);
      this.#kept.set(number, Promise.resolve(kept));
      return { number, name, schema: kept.schema };
    });
  }

  async collection(name: string): Promise<Opened> {
    const number = this.#catalog.number(name);
    const { schema } = await this.#open(number);
    return { number, name: this.#catalog.name(name), schema };
  }

  /** The collection of a number, opened when it is first asked for. */
  #open(number: number): Promise<Kept> {
    const open = this.#kept.get(number);
    if (open) return open;
    if (!this.#catalog.numbers().includes(number)) {
      throw new ElanusError('COLLECTION_NOT_FOUND', 'the collection was dropped; create it anew');
    }
    const opening = (async () => Kept.open(await this.#instance(), await this.#folder.folder(folderName(number))))();
    this.#kept.set(number, opening);
    // A failure isn't kept: the next call tries again.
    opening.catch(() => this.#kept.delete(number));
    return opening;
  }

  names(): string[] {
    return this.#catalog.names();
  }

  aliases(): [string, string][] {
    const flat = this.#catalog.aliases();
    return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!]);
  }

  nameOf(name: string): string | undefined {
    try {
      return this.#catalog.name(name);
    } catch (error) {
      if (isThrownByCore(error) && error.code === 'COLLECTION_NOT_FOUND') return undefined;
      throw error;
    }
  }

  rename(from: string, to: string): Promise<void> {
    return this.#change((catalog) => catalog.rename(from, to));
  }

  async drop(name: string): Promise<void> {
    const number = await this.#change((catalog) => catalog.drop_collection(name));
    const kept = this.#kept.get(number);
    this.#kept.delete(number);
    await (await kept?.catch(() => undefined))?.close();
    await this.#folder.remove(folderName(number));
  }

  createAlias(alias: string, name: string): Promise<void> {
    return this.#change((catalog) => catalog.create_alias(alias, name));
  }

  alterAlias(alias: string, name: string): Promise<void> {
    return this.#change((catalog) => catalog.alter_alias(alias, name));
  }

  dropAlias(alias: string): Promise<void> {
    return this.#change((catalog) => catalog.drop_alias(alias));
  }

  async put(number: number, batch: Batch, replace: boolean, request?: Request): Promise<Key[]> {
    return (await this.#open(number)).put(batch, replace, request);
  }

  async remove(number: number, which: readonly Key[] | Condition, request?: Request): Promise<Key[]> {
    const kept = await this.#open(number);
    return Array.isArray(which) ? kept.remove(which as readonly Key[], request) : kept.removeWhere(which as Condition, request);
  }

  async search(number: number, vector: Float32Array, asked: SearchAsked): Promise<Found> {
    return (await this.#open(number)).search(vector, asked);
  }

  async query(number: number, condition: Condition, limit: number | undefined, offset: number, output: Output): Promise<Found> {
    return (await this.#open(number)).query(condition, limit, offset, output);
  }

  async get(number: number, keys: readonly Key[], output: Output): Promise<Found> {
    return (await this.#open(number)).get(keys, output);
  }

  async count(number: number, condition: Condition): Promise<number> {
    return (await this.#open(number)).count(condition);
  }

  async compact(number: number): Promise<void> {
    await (await this.#open(number)).compact();
  }

  async stats(number: number): Promise<Stats> {
    return (await this.#open(number)).stats();
  }

  async close(): Promise<void> {
    await this.#changes;
    for (const kept of this.#kept.values()) await (await kept.catch(() => undefined))?.close();
    this.#slots.close();
  }
}
