import { toPlain } from '../errors.js';
import { watch } from '../lifeline.js';
import { asError } from './errors.js';
import type { DatabaseMethod } from './protocol.js';
import { type Announced, type Asked, between, draw, lifeName, SPOKEN, type Told, toAll } from './tabs.js';

/** Does what other tabs ask of the one that writes. */
export class Writer {
  readonly #database: string;
  readonly #ask: (method: DatabaseMethod, args: readonly unknown[]) => Promise<unknown>;
  readonly #number = draw();
  readonly #all: BroadcastChannel;
  readonly #clients = new Map<number, BroadcastChannel>();
  /** Asked, and not begun. */
  #asked: (() => Promise<void>)[] = [];
  readonly #turn = new MessageChannel();
  readonly #underWay = new Set<Promise<void>>();
  readonly #ended = new AbortController();

  constructor(database: string, ask: (method: DatabaseMethod, args: readonly unknown[]) => Promise<unknown>) {
    this.#database = database;
    this.#ask = ask;
    this.#all = toAll(database);
    this.#all.onmessage = ({ data }: MessageEvent<Announced>) => {
      if ('client' in data) this.#hear(data.client, data.spoken);
    };
    this.#turn.port1.onmessage = () => this.#begin();
    this.#all.postMessage({ writer: this.#number } satisfies Announced);
  }

  #hear(client: number, spoken: number): void {
    let channel = this.#clients.get(client);
    if (!channel) {
      channel = between(this.#database, client);
      channel.onmessage = ({ data }: MessageEvent<Asked>) => {
        // Begun in a turn of its own: browsers may prefer these messages to those of our own page, which would wait while others ask.
        if (this.#asked.push(() => this.#answer(client, data)) === 1) this.#turn.port2.postMessage(undefined);
      };
      this.#clients.set(client, channel);
      watch(lifeName(this.#database, client), () => this.#forget(client), this.#ended.signal);
    }
    channel.postMessage((spoken === SPOKEN ? { writer: this.#number } : { refused: SPOKEN }) satisfies Told);
  }

  #begin(): void {
    const asked = this.#asked;
    this.#asked = [];
    for (const answer of asked) {
      const done = answer().finally(() => this.#underWay.delete(done));
      this.#underWay.add(done);
    }
  }

  async #answer(client: number, { id, method, args }: Asked): Promise<void> {
    let told: Told;
    try {
      told = { id, result: await this.#ask(method, args) };
    } catch (error) {
      told = { id, error: toPlain(asError(error)) };
    }
    this.#clients.get(client)?.postMessage(told);
  }

  #forget(client: number): void {
    this.#clients.get(client)?.close();
    this.#clients.delete(client);
  }

  /** Takes nothing more on, and waits until what was asked is answered. The rest will be asked of the next. */
  async end(): Promise<void> {
    this.#ended.abort();
    this.#all.close();
    for (const channel of this.#clients.values()) channel.onmessage = null;
    this.#begin();
    await Promise.all(this.#underWay);
    for (const client of [...this.#clients.keys()]) this.#forget(client);
    this.#turn.port1.close();
  }
}
