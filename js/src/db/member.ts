import { ElanusError } from '../errors.js';
import { holdForLife } from '../lifeline.js';
import { Client } from './client.js';
import { asError } from './errors.js';
import { Keeper } from './keeper.js';
import type { DatabaseMethod } from './protocol.js';
import { lifeName, lockName } from './tabs.js';
import { Writer } from './writer.js';

/**
 * One tab's part in a database that all of an origin's tabs may have open. Each queues for the database's lock: whoever has it opens
 * the files and writes, and the others ask it. When it ends, however it ends, the browser gives the lock to the next.
 */
export class Member {
  readonly #keeper = new Keeper();
  readonly #queue = new AbortController();
  #client: Client | undefined;
  #writer: Writer | undefined;
  #release: () => void = () => undefined;
  #closed = false;
  /** Fulfilled when this tab has the files, if it comes to that. */
  #promotion: Promise<void> | undefined;

  /** Returns once there is someone to ask. Whether the page can watch this worker by its lifeline. */
  async open(module: WebAssembly.Module, name: string, lifeline: string): Promise<boolean> {
    const locks = (globalThis as { navigator?: { locks?: LockManager } }).navigator?.locks;
    if (!locks) {
      throw new ElanusError('STORAGE_UNAVAILABLE', 'this host has no Web Locks, without which two tabs could write at once; use a secure address');
    }
    const watched = await holdForLife(lifeline);
    await new Promise<void>((resolve, reject) => {
      const client = new Client(name, (refused) => (refused ? reject(refused) : resolve()));
      this.#client = client;
      const held = (): Promise<void> => {
        this.#promotion = this.#promote(module, name).then(resolve, (error: unknown) => {
          reject(error);
          client.end(error as ElanusError);
          this.#release();
        });
        return new Promise((release) => (this.#release = release));
      };
      // Rejected when it is given up, which is no news.
      locks.request(lockName(name), { signal: this.#queue.signal }, held).catch(() => undefined);
      void holdForLife(lifeName(name, client.number)).then(() => client.callOut());
    });
    return watched;
  }

  async #promote(module: WebAssembly.Module, name: string): Promise<void> {
    try {
      await this.#keeper.open(module, name);
    } catch (error) {
      throw asError(error);
    }
    this.#writer = new Writer(name, (method, args) => this.#do(method, args));
    this.#client?.handOver((method, args) => this.#do(method, args));
  }

  async #do(method: DatabaseMethod, args: readonly unknown[]): Promise<unknown> {
    return (this.#keeper[method] as (...args: readonly unknown[]) => unknown).apply(this.#keeper, args as unknown[]);
  }

  ask(method: DatabaseMethod, args: readonly unknown[]): Promise<unknown> {
    return this.#writer ? this.#do(method, args) : this.#client!.ask(method, args);
  }

  /** Ends this tab's part. What others have asked is answered before; the next goes on. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.abort();
    await this.#promotion;
    this.#client?.end(new ElanusError('CLOSED', 'the database was closed; connect again'));
    if (this.#writer) {
      await this.#writer.end();
      await this.#keeper.close();
    }
    this.#release();
  }
}
