/// <reference lib="esnext.disposable" preserve="true" />
import type { Query } from '../asked.js';
import type { Card } from '../card.js';
import type { Entity, Hit, IteratorOptions, Key, SearchOptions, Vectors } from '../engine.js';
import { ElanusError } from '../errors.js';
import type { HybridOptions, HybridSearch } from '../hybrid.js';
import type { Index } from '../search-index.js';
import type { Keep } from './keep.js';
import { corrupt, fetchIndex, fetchRelease, resolve, type Release } from './release.js';

/** What happens to a {@link LiveIndex}. */
export type RegistryEvent =
  /** The first release can be searched; `from` the network, or kept from an earlier visit. */
  | { readonly type: 'ready'; readonly release: string; readonly from: 'network' | 'kept' }
  /** A release is being loaded beside the present one. */
  | { readonly type: 'loading'; readonly release: string }
  /** Searches that begin from now on are answered by another release. */
  | { readonly type: 'swapped'; readonly from: string; readonly release: string }
  /** A release wasn't taken: it is damaged or forged, of another model, or doesn't answer as it should. */
  | { readonly type: 'refused'; readonly release: string | undefined; readonly error: unknown }
  /** The registry couldn't be reached; what is there goes on. */
  | { readonly type: 'unreachable'; readonly error: unknown }
  /** A release couldn't be kept for the next visit; this one is not affected. */
  | { readonly type: 'unkept'; readonly error: unknown };

/** What a live index is made of. */
export interface Parts {
  readonly base: URL;
  readonly alias: string;
  readonly keep: Keep;
  /** Opens an index file's bytes. */
  readonly open: (bytes: Uint8Array<ArrayBuffer>) => Promise<Index>;
  readonly onEvent: ((event: RegistryEvent) => void) | undefined;
  /** Milliseconds between looks at the registry; 0: only when asked. */
  readonly checkEvery: number;
}

/** An open index with the searches that it still answers. */
class Held {
  #searches = 0;
  #retired = false;

  constructor(
    public release: Release,
    readonly index: Index,
  ) {}

  begin(): void {
    this.#searches++;
  }

  end(): void {
    this.#searches--;
    this.#closeIfDone();
  }

  /** Closes the index when its last search is answered. */
  retire(): void {
    this.#retired = true;
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.#retired && this.#searches === 0) void this.index.close();
  }
}

/**
 * An index that follows an alias of a registry. Searches are answered by the release that was present when they began.
 * Made by {@link openRegistry}.
 */
export class LiveIndex {
  readonly #parts: Parts;
  readonly #ended = new AbortController();
  #held: Held | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #changing: Promise<unknown> = Promise.resolve();
  /** The manifest that was refused last: it isn't loaded again until the alias moves. */
  #refused: string | undefined;

  /** @internal */
  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** @internal The first release: the alias's, else the one that was good last. */
  async start(signal: AbortSignal | undefined): Promise<this> {
    const abort = (): void => this.#ended.abort(signal!.reason);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      await this.#first();
    } catch (error) {
      void this.close();
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
    this.#later();
    return this;
  }

  /** The name of the release that answers. */
  get release(): string {
    return this.#present().release.name;
  }

  /** Rows in the present release. */
  get count(): number {
    return this.#present().index.count;
  }

  /** Numbers in a vector of the present release. */
  get dimension(): number {
    return this.#present().index.dimension;
  }

  /** What the present release's index file says of itself. */
  get card(): Card {
    return this.#present().index.card;
  }

  /** As `search` of an index. With `model`, a query that another model embedded is refused with `MODEL_MISMATCH`. */
  search(query: Query, options?: SearchOptions): Promise<Hit[]>;
  search(queries: readonly Query[], options?: SearchOptions): Promise<Hit[][]>;
  async search(query: Query | readonly Query[], options?: SearchOptions): Promise<Hit[] | Hit[][]> {
    return this.#with((index) => index.search(query as Query, options));
  }

  /** As `hybridSearch` of an index. */
  async hybridSearch(searches: readonly HybridSearch[], options?: HybridOptions): Promise<Hit[]> {
    return this.#with((index) => index.hybridSearch(searches, options));
  }

  /** As `searchIterator` of an index. All of an iteration comes from the release that it began with. */
  async *searchIterator(query: Query, options?: IteratorOptions): AsyncGenerator<Hit[], void, undefined> {
    const held = this.#present();
    held.begin();
    try {
      yield* held.index.searchIterator(query, options);
    } finally {
      held.end();
    }
  }

  /** As `get` of an index. */
  async get(ids: Key | readonly Key[], options?: { outputFields?: readonly string[] }): Promise<Entity[]> {
    return this.#with((index) => index.get(ids, options));
  }

  /** As `vectors` of an index. */
  async vectors(rows: readonly number[] | Uint32Array, options?: { signal?: AbortSignal }): Promise<Vectors> {
    return this.#with((index) => index.vectors(rows, options));
  }

  /**
   * Looks now whether the alias names another release, and goes over to it if it is good.
   *
   * @returns the release that answers from now on
   * @throws ElanusError what the other release was refused for, or `FETCH_FAILED`; the present one goes on
   */
  async check(): Promise<string> {
    return this.#alone(async () => {
      this.#refused = undefined;
      await this.#follow();
      return this.release;
    });
  }

  /**
   * Goes back to the release that was good before the present one, which needs no network. It stays until the alias names
   * something else than what was left.
   *
   * @returns the release that answers from now on
   * @throws ElanusError `NO_RELEASE` if none was kept
   */
  async rollback(): Promise<string> {
    return this.#alone(async () => {
      const { keep } = this.#parts;
      const { release } = this.#present();
      for (const { manifest } of keep.names) {
        const kept = manifest === release.manifest ? undefined : await keep.take(manifest);
        if (!kept) continue;
        const index = await this.#tested(kept.release, kept.bytes);
        await this.#swap(kept.release, index, undefined, release.file.sha256);
        return kept.release.name;
      }
      throw new ElanusError('NO_RELEASE', `there is no release to go back to: ${release.name} is the only one that was good here`);
    });
  }

  /** Ends all of it: searches under way are rejected with `CLOSED`. May be called twice. */
  async close(): Promise<void> {
    this.#ended.abort(new ElanusError('CLOSED', 'the registry was closed'));
    clearTimeout(this.#timer);
    await this.#held?.index.close();
  }

  async #with<T>(ask: (index: Index) => Promise<T>): Promise<T> {
    const held = this.#present();
    held.begin();
    try {
      return await ask(held.index);
    } finally {
      held.end();
    }
  }

  #present(): Held {
    if (!this.#held || this.#ended.signal.aborted) throw new ElanusError('CLOSED', 'the registry was closed; open it again to search');
    return this.#held;
  }

  /** One change at a time: a look that takes long isn't overtaken by a rollback. */
  #alone<T>(change: () => Promise<T>): Promise<T> {
    const turn = this.#changing.then(() => {
      this.#ended.signal.throwIfAborted();
      return change();
    });
    this.#changing = turn.catch(() => undefined);
    return turn;
  }

  async #first(): Promise<void> {
    const { keep } = this.#parts;
    let failure: unknown;
    try {
      await this.#follow();
    } catch (error) {
      failure = error;
    }
    if (this.#held) return;
    this.#ended.signal.throwIfAborted();
    for (const { manifest } of keep.names) {
      const kept = await keep.take(manifest);
      const index = kept && (await this.#tested(kept.release, kept.bytes).catch(() => undefined));
      if (!index) continue;
      this.#held = new Held(kept.release, index);
      this.#tell({ type: 'ready', release: kept.release.name, from: 'kept' });
      return;
    }
    if (failure) throw failure;
    // The alias names what was left, and what that was left for isn't kept any more.
    keep.forgive();
    this.#refused = undefined;
    await this.#follow();
  }

  /** Goes to where the alias points, if that is somewhere else. */
  async #follow(): Promise<void> {
    const { base, alias, keep } = this.#parts;
    const { signal } = this.#ended;
    let target: { name: string; manifest: string } | undefined;
    try {
      target = await resolve(base, alias, signal);
      const present = this.#held?.release;
      if (target.manifest === this.#refused) return;
      if (target.manifest === present?.manifest) {
        // The alias has moved away from what was left: it may come back to that.
        if (keep.left) await this.#remember(present, undefined, undefined);
        return;
      }
      const kept = await keep.take(target.manifest);
      const release = kept?.release ?? (await fetchRelease(base, target, signal));
      if (release.file.sha256 === keep.left) {
        this.#refused = target.manifest;
        return;
      }
      if (release.file.sha256 === present?.file.sha256) {
        // The manifest says more of the same files.
        this.#held!.release = release;
        await this.#remember(release, undefined, undefined);
        return;
      }
      this.#tell({ type: 'loading', release: target.name });
      const bytes = kept?.bytes ?? (await fetchIndex(base, release, signal));
      await this.#swap(release, await this.#tested(release, bytes), kept ? undefined : bytes, undefined);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ElanusError && error.code === 'FETCH_FAILED') {
        this.#tell({ type: 'unreachable', error });
      } else {
        this.#refused = target?.manifest;
        this.#tell({ type: 'refused', release: target?.name, error });
      }
      throw error;
    }
  }

  /** Opens a release's file and asks it its stored queries. */
  async #tested(release: Release, bytes: Uint8Array<ArrayBuffer>): Promise<Index> {
    const index = await this.#parts.open(bytes);
    try {
      const { count, dimension, metric, indexType } = release.index;
      const same = index.count === count && index.dimension === dimension && index.metric === metric && index.indexType === indexType;
      if (!same) throw corrupt(`the index of ${release.name} isn't the one that its manifest describes`);
      for (const [i, { vector, ids }] of (release.selfTest?.queries ?? []).entries()) {
        const hits = await index.search(index.binary ? Uint8Array.from(vector) : vector, { limit: release.selfTest!.limit });
        const found = hits.map(({ id }) => String(id));
        if (found.length !== ids.length || found.some((id, rank) => id !== ids[rank])) {
          throw new ElanusError(
            'SELF_TEST_FAILED',
            `${release.name} finds ${found.join(', ')} where its stored query ${i} must find ${ids.join(', ')}; it is not used`,
            { details: { query: i, expected: ids, found } },
          );
        }
      }
      return index;
    } catch (error) {
      await index.close();
      throw error;
    }
  }

  async #swap(release: Release, index: Index, bytes: Uint8Array<ArrayBuffer> | undefined, left: string | undefined): Promise<void> {
    if (this.#ended.signal.aborted) {
      await index.close();
      this.#ended.signal.throwIfAborted();
    }
    const before = this.#held;
    this.#held = new Held(release, index);
    before?.retire();
    this.#tell(
      before ? { type: 'swapped', from: before.release.name, release: release.name } : { type: 'ready', release: release.name, from: bytes ? 'network' : 'kept' },
    );
    await this.#remember(release, bytes, left);
  }

  async #remember(release: Release, bytes: Uint8Array<ArrayBuffer> | undefined, left: string | undefined): Promise<void> {
    await this.#parts.keep.put(release, bytes, left).catch((error: unknown) => this.#tell({ type: 'unkept', error }));
  }

  #later(): void {
    const { checkEvery } = this.#parts;
    if (checkEvery === 0 || this.#ended.signal.aborted) return;
    this.#timer = setTimeout(() => {
      // What goes wrong was told as an event.
      void this.#alone(() => this.#follow()).catch(() => undefined).finally(() => this.#later());
    }, checkEvery);
    // In Node, a look to come is no reason to stay alive.
    (this.#timer as { unref?: () => void }).unref?.();
  }

  #tell(event: RegistryEvent): void {
    try {
      this.#parts.onEvent?.(event);
    } catch (error) {
      // A listener's fault isn't the index's.
      queueMicrotask(() => {
        throw error;
      });
    }
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
