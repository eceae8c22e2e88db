import { ElanusError, fromPlain, type PlainError } from '../errors.js';
import { lifelineName, watch } from '../lifeline.js';
import { DATABASE_WORKER, spawn } from '../spawn.js';
import { asError } from './errors.js';
import { Keeper, MEMORY } from './keeper.js';
import type { DatabaseMethod, DatabaseMethods } from './protocol.js';

/** A database that can be asked, wherever it is. */
export interface Connection {
  ask<M extends DatabaseMethod>(method: M, args: Parameters<DatabaseMethods[M]>, transfer?: Transferable[]): Promise<ReturnType<DatabaseMethods[M]>>;
  end(): void;
}

/** A database in memory is kept in this thread; files need a worker, which alone can write them at once. */
export async function connectTo(name: string, module: WebAssembly.Module, workerUrl: string | URL | undefined): Promise<Connection> {
  const connection = name === MEMORY ? new Here() : await There.start(workerUrl);
  try {
    const lifeline = name === MEMORY ? '' : lifelineName();
    const watched = await connection.ask('open', [module, name, lifeline]);
    if (watched && connection instanceof There) connection.watch(lifeline);
    return connection;
  } catch (error) {
    connection.end();
    throw error;
  }
}

class Here implements Connection {
  readonly #keeper = new Keeper();
  #ended = false;

  async ask<M extends DatabaseMethod>(method: M, args: Parameters<DatabaseMethods[M]>): Promise<ReturnType<DatabaseMethods[M]>> {
    if (this.#ended) throw closed();
    try {
      return (await (this.#keeper[method] as (...args: unknown[]) => unknown).apply(this.#keeper, args)) as ReturnType<DatabaseMethods[M]>;
    } catch (error) {
      throw asError(error);
    }
  }

  end(): void {
    this.#ended = true;
  }
}

const closed = (): ElanusError => new ElanusError('CLOSED', 'the database was closed; connect again');

type Reply = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: PlainError };

class There implements Connection {
  readonly #worker: Worker;
  readonly #pending = new Map<number, { resolve(result: unknown): void; reject(reason: unknown): void }>();
  readonly #watching = new AbortController();
  #lastId = 0;
  #ended: ElanusError | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      const pending = this.#pending.get(data.id);
      this.#pending.delete(data.id);
      if ('error' in data) pending?.reject(fromPlain(data.error));
      else pending?.resolve(data.result);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#die(`the database's worker failed (${event.message || 'no reason given'})`);
    };
  }

  static async start(workerUrl: string | URL | undefined): Promise<There> {
    const worker = await spawn(workerUrl, DATABASE_WORKER);
    return new There(worker);
  }

  watch(lifeline: string): void {
    watch(lifeline, () => this.#die("the database's worker was ended from outside"), this.#watching.signal);
  }

  ask<M extends DatabaseMethod>(method: M, args: Parameters<DatabaseMethods[M]>, transfer: Transferable[] = []): Promise<ReturnType<DatabaseMethods[M]>> {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = ++this.#lastId;
    return new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ id, method, args }, transfer);
    }) as Promise<ReturnType<DatabaseMethods[M]>>;
  }

  end(): void {
    this.#stop(closed());
  }

  #die(why: string): void {
    this.#stop(new ElanusError('WORKER_FAILED', `${why}; connect again: what was acknowledged is kept`));
  }

  #stop(reason: ElanusError): void {
    if (this.#ended) return;
    this.#ended = reason;
    this.#watching.abort();
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
  }
}
