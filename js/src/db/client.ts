import { ElanusError, fromPlain } from '../errors.js';
import type { DatabaseMethod } from './protocol.js';
import { type Announced, type Asked, between, draw, NAMED, REPEATABLE, SPOKEN, type Told, toAll } from './tabs.js';

interface Call extends Asked {
  resolve(result: unknown): void;
  reject(reason: unknown): void;
}

/** Named writes that are under way at a time: the writer remembers how it answered the last of all clients' (256). */
const UNDER_WAY = 4;
/** How long a late answer of a writer that is gone is waited for, in milliseconds. */
const LATE = 200;

/**
 * Asks the tab that writes. When that one is gone, what it hasn't answered is asked of the next: reading can be done twice, and
 * writes of entities carry a name by which the next writer knows them in the log. What changes the catalog can't be told apart
 * from another's doing; it is `OUTCOME_UNKNOWN`.
 */
export class Client {
  readonly #number = draw();
  readonly #all: BroadcastChannel;
  readonly #writer: BroadcastChannel;
  /** Calls that weren't sent to the writer of now, in order. */
  #waiting: Call[] = [];
  readonly #sent = new Map<number, Call>();
  #namedUnderWay = 0;
  #lastId = 0;
  /** The writer that hears us; 0 for none. */
  #heard = 0;
  #ended: ElanusError | undefined;
  #handedOver = false;
  readonly #onHeard: (refused?: ElanusError) => void;

  constructor(database: string, onHeard: (refused?: ElanusError) => void) {
    this.#onHeard = onHeard;
    this.#all = toAll(database);
    this.#writer = between(database, this.#number);
    this.#all.onmessage = ({ data }: MessageEvent<Announced>) => {
      if ('writer' in data) this.callOut();
    };
    this.#writer.onmessage = ({ data }: MessageEvent<Told>) => this.#told(data);
  }

  get number(): number {
    return this.#number;
  }

  /** Asks whoever writes to hear us. */
  callOut(): void {
    if (!this.#ended && !this.#handedOver) this.#all.postMessage({ client: this.#number, spoken: SPOKEN } satisfies Announced);
  }

  ask(method: DatabaseMethod, args: readonly unknown[]): Promise<unknown> {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const named = NAMED.has(method) ? [...args, { client: this.#number, number: id }] : args;
      this.#waiting.push({ id, method, args: named, resolve, reject });
      this.#send();
    });
  }

  #told(data: Told): void {
    if (this.#ended) return;
    if ('refused' in data) {
      const why = `the database is open in a tab with another version of this package (it speaks ${data.refused}, this one ${SPOKEN}); reload or close that tab`;
      this.#onHeard(new ElanusError('IN_USE', why));
    } else if ('writer' in data) {
      if (data.writer === this.#heard) return;
      this.#again();
      this.#heard = data.writer;
      this.#onHeard();
    } else {
      const call = this.#sent.get(data.id);
      if (!call) return;
      this.#sent.delete(data.id);
      if (NAMED.has(call.method)) this.#namedUnderWay--;
      if ('error' in data) call.reject(fromPlain(data.error));
      else call.resolve(data.result);
    }
    this.#send();
  }

  #send(): void {
    while (this.#heard !== 0 && this.#waiting.length > 0) {
      const named = NAMED.has(this.#waiting[0]!.method);
      if (named && this.#namedUnderWay === UNDER_WAY) return;
      const call = this.#waiting.shift()!;
      if (named) this.#namedUnderWay++;
      this.#sent.set(call.id, call);
      const { id, method, args } = call;
      this.#writer.postMessage({ id, method, args } satisfies Asked);
    }
  }

  /** Another one writes now: what the last hasn't answered is to be asked again, in order, where that can be. */
  #again(): void {
    const open = [...this.#sent.values()];
    for (const call of open) {
      if (REPEATABLE.has(call.method)) this.#sent.delete(call.id);
      else setTimeout(() => this.#giveUp(call.id), LATE);
    }
    this.#namedUnderWay = 0;
    this.#waiting = [...open.filter(({ method }) => REPEATABLE.has(method)), ...this.#waiting];
  }

  #giveUp(id: number): void {
    const call = this.#sent.get(id);
    this.#sent.delete(id);
    call?.reject(
      new ElanusError(
        'OUTCOME_UNKNOWN',
        `the tab that writes was closed while it was asked to ${call.method}: it may have been done or not; look at the collections and aliases, and ask again if it wasn't`,
      ),
    );
  }

  /** This tab writes now: hands over what is to be asked of itself. */
  handOver(ask: (method: DatabaseMethod, args: readonly unknown[]) => Promise<unknown>): void {
    this.#handedOver = true;
    this.#again();
    this.#all.close();
    this.#heard = 0;
    for (const { method, args, resolve, reject } of this.#waiting.splice(0)) ask(method, args).then(resolve, reject);
    // Late answers still come for what is left.
    setTimeout(() => this.#writer.close(), 2 * LATE);
  }

  /** Ends it: what is open, and what is asked later, fails with the reason. */
  end(reason: ElanusError): void {
    if (this.#ended) return;
    this.#ended = reason;
    this.#all.close();
    this.#writer.close();
    for (const { reject } of [...this.#sent.values(), ...this.#waiting]) reject(reason);
    this.#sent.clear();
    this.#waiting = [];
  }
}
