/// <reference lib="esnext.disposable" preserve="true" />
import { areMany, type Query } from '../asked.js';
import type { Card } from '../card.js';
import type { Embedder } from '../embed/embedder.js';
import type { Entity, Hit, IteratorOptions, Key, SearchOptions, Vectors } from '../engine.js';
import { invalid } from '../errors.js';
import type { HybridOptions, HybridSearch } from '../hybrid.js';
import { describe } from '../options.js';
import { type Answer, answer, asked, fromStart, given, isVector, type Question } from './answer.js';
import type { LiveHit } from './clicks.js';
import type { ExperimentState, Trial } from './experiment.js';
import type { Follower, Held } from './follow.js';
import type { WatchState, Watcher } from './watch.js';

/** What a live index is made of. */
export interface Parts {
  readonly champion: Follower;
  /** What is tried beside it. */
  readonly tried: { readonly challenger: Follower; readonly trial: Trial } | undefined;
  readonly embedders: readonly Embedder[];
  /** Makes what watches a release's queries; `undefined` if it can't be watched. */
  readonly watch: ((held: Held) => Promise<Watcher | undefined>) | undefined;
  /** Milliseconds between looks at the registry; 0: only when asked. */
  readonly checkEvery: number;
}

/**
 * An index that follows an alias of a registry. Searches are answered by the release that was present when they began.
 * Made by {@link openRegistry}.
 */
export class LiveIndex {
  readonly #parts: Parts;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What watches the present release, and since when it is to be had. */
  #watched: { readonly held: Held; watcher: Watcher | undefined } | undefined;

  /** @internal */
  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** @internal The first release: the alias's, else the one that was good last. */
  async start(signal: AbortSignal | undefined): Promise<this> {
    try {
      await this.#parts.champion.start(signal);
    } catch (error) {
      void this.close();
      throw error;
    }
    // The champion is not kept waiting for it.
    void this.#lookAtChallenger().finally(() => this.#later());
    return this;
  }

  /** The name of the release that answers. */
  get release(): string {
    return this.#champion().release.name;
  }

  /** The name of the release that is tried beside it, if there is one. */
  get challenger(): string | undefined {
    return this.#challenger(this.#champion())?.release.name;
  }

  /** Rows in the present release. */
  get count(): number {
    return this.#champion().index.count;
  }

  /** Numbers in a vector of the present release. */
  get dimension(): number {
    return this.#champion().index.dimension;
  }

  /** What the present release's index file says of itself. */
  get card(): Card {
    return this.#champion().index.card;
  }

  /** How the experiment stands in this page; `undefined` if there is none. */
  get experiment(): ExperimentState | undefined {
    const champion = this.#champion();
    return this.#parts.tried?.trial.state(champion, this.#challenger(champion));
  }

  /** How watching stands in this page; `undefined` while the present release isn't watched. */
  get watching(): WatchState | undefined {
    const champion = this.#champion();
    return this.#watched?.held === champion ? this.#watched.watcher?.state() : undefined;
  }

  /**
   * As `search` of an index. With `model`, a query that another model embedded is refused with `MODEL_MISMATCH`.
   *
   * In an experiment that interleaves, one query's hits are a list of both releases, and each has its `release` and
   * `place`. Distances of two models can't be compared: the order is the list's own. Searches for many queries, for groups
   * or within a radius are the champion's alone.
   */
  search(query: Query, options?: SearchOptions): Promise<LiveHit[]>;
  search(queries: readonly Query[], options?: SearchOptions): Promise<LiveHit[][]>;
  async search(query: Query | readonly Query[], options?: SearchOptions): Promise<LiveHit[] | LiveHit[][]> {
    const champion = this.#champion();
    if (areMany(query)) return champion.ask((index) => index.search(query, options));
    return this.#answer(champion, given(query as Query, champion.index.card), options);
  }

  /**
   * Searches for a text, embedded by the embedder of the release's own model, which is one of the `embedders` that
   * {@link openRegistry} was given, behind the query prompt of the release's model card, if it has one. A challenger of another
   * model is asked with the embedder and the prompt of that model.
   */
  async ask(text: string, options?: SearchOptions): Promise<LiveHit[]> {
    if (typeof text !== 'string') throw invalid(`ask takes a text, not ${describe(text)}; search takes vectors`);
    const { embedders } = this.#parts;
    if (embedders.length === 0) throw invalid('ask needs an embedder: open the registry with `embedders`');
    return this.#answer(this.#champion(), asked(text, embedders), options);
  }

  /** As `hybridSearch` of an index; the champion's alone. */
  async hybridSearch(searches: readonly HybridSearch[], options?: HybridOptions): Promise<Hit[]> {
    return this.#champion().ask((index) => index.hybridSearch(searches, options));
  }

  /** As `searchIterator` of an index. All of an iteration comes from the release that it began with. */
  async *searchIterator(query: Query, options?: IteratorOptions): AsyncGenerator<Hit[], void, undefined> {
    const held = this.#champion();
    held.begin();
    try {
      yield* held.index.searchIterator(query, options);
    } finally {
      held.end();
    }
  }

  /** As `get` of an index. */
  async get(ids: Key | readonly Key[], options?: { outputFields?: readonly string[] }): Promise<Entity[]> {
    return this.#champion().ask((index) => index.get(ids, options));
  }

  /** As `vectors` of an index. */
  async vectors(rows: readonly number[] | Uint32Array, options?: { signal?: AbortSignal }): Promise<Vectors> {
    return this.#champion().ask((index) => index.vectors(rows, options));
  }

  /**
   * Tells that a visitor chose a hit. In an experiment that interleaves it is credited to the release whose place it was.
   *
   * @param hit one that `search` or `ask` gave, or a copy of it that has its `place`
   * @returns whether it counts: false for a hit of no interleaved list, or of one that was settled already
   */
  feedback(hit: LiveHit): boolean {
    this.#champion();
    const place: unknown = typeof hit === 'object' && hit !== null ? hit.place : hit;
    if (place !== undefined && !Number.isSafeInteger(place)) throw invalid(`feedback takes a hit of search or ask, not ${describe(hit)}`);
    return this.#parts.tried?.trial.feedback(hit) ?? false;
  }

  /**
   * Counts the clicks so far and tells the outcome as an event. That happens by itself when the page is hidden, after
   * every twenty queries, and at `close()`.
   */
  settle(): void {
    this.#parts.tried?.trial.settle();
  }

  /**
   * Looks now whether the alias names another release, and goes over to it if it is good. Looks at the challenger, too;
   * what is wrong with that is told as an event.
   *
   * @returns the release that answers from now on
   * @throws ElanusError what the other release was refused for, or `FETCH_FAILED`; the present one goes on
   */
  async check(): Promise<string> {
    try {
      await this.#parts.champion.check();
    } finally {
      await this.#lookAtChallenger();
    }
    return this.release;
  }

  /**
   * Goes back to the release that was good before the present one, which needs no network. It stays until the alias names
   * something else than what was left.
   *
   * @returns the release that answers from now on
   * @throws ElanusError `NO_RELEASE` if none was kept
   */
  async rollback(): Promise<string> {
    await this.#parts.champion.rollback();
    return this.release;
  }

  /** Ends all of it: searches under way are rejected with `CLOSED`. May be called twice. */
  async close(): Promise<void> {
    const { champion, tried } = this.#parts;
    clearTimeout(this.#timer);
    tried?.trial.close();
    await Promise.all([champion.close(), tried?.challenger.close()]);
  }

  async #answer(champion: Held, question: Question, options: SearchOptions = {}): Promise<LiveHit[]> {
    const challenger = this.#challenger(champion);
    const trial = this.#parts.tried?.trial;
    if (challenger && trial?.interleaves(options)) {
      const own = answer(champion, question, fromStart(options));
      const list = await trial.interleave(champion, challenger, question, options, own);
      this.#see(champion, await own, options);
      return list;
    }
    const own = await answer(champion, question, options);
    if (challenger) trial?.shadow(champion, challenger, question, options, own);
    this.#see(champion, own, options);
    return own.hits;
  }

  /** Lets what watches the release see a query. Those before its sketch is there aren't seen. */
  #see(champion: Held, { query, hits }: Answer, { filter, radius, groupByField, offset }: SearchOptions): void {
    const { watch } = this.#parts;
    if (!watch || !isVector(query)) return;
    if (this.#watched?.held !== champion) {
      const watched: { readonly held: Held; watcher: Watcher | undefined } = (this.#watched = { held: champion, watcher: undefined });
      void watch(champion).then((watcher) => (watched.watcher = watcher));
    }
    const plain = filter === undefined && radius === undefined && groupByField === undefined && !offset;
    this.#watched.watcher?.see({ vector: query, hits, plain });
  }

  #champion(): Held {
    return this.#parts.champion.present();
  }

  /** The other release, unless it is the same file. */
  #challenger(champion: Held): Held | undefined {
    const held = this.#parts.tried?.challenger.held;
    return held?.release.file.sha256 === champion.release.file.sha256 ? undefined : held;
  }

  /** What goes wrong is told as an event. */
  async #lookAtChallenger(): Promise<void> {
    await this.#parts.tried?.challenger.lookIfNamed().catch(() => undefined);
  }

  #later(): void {
    const { champion, checkEvery } = this.#parts;
    if (checkEvery === 0 || champion.closed) return;
    this.#timer = setTimeout(() => {
      // What goes wrong was told as an event.
      const looks = champion.look().catch(() => undefined).then(() => this.#lookAtChallenger());
      void looks.finally(() => this.#later());
    }, checkEvery);
    // In Node, a look to come is no reason to stay alive.
    (this.#timer as { unref?: () => void }).unref?.();
  }
}

export interface LiveIndex extends AsyncDisposable {}

// For `await using`, where the host has it.
if (Symbol.asyncDispose) {
  Object.defineProperty(LiveIndex.prototype, Symbol.asyncDispose, {
    value(this: LiveIndex) {
      return this.close();
    },
  });
}
