import type { Index } from '../search-index.js';
import { ElanusError } from '../errors.js';
import type { TellOfRelease } from './events.js';
import type { Keep } from './keep.js';
import { corrupt, fetchIndex, fetchRelease, resolve, type Release, type Trust } from './release.js';

/** What is followed, and with what. */
export interface Followed {
  readonly base: URL;
  readonly alias: string;
  readonly keep: Keep;
  /** Opens an index file's bytes, and refuses indexes of models that there is no use for. */
  readonly open: (bytes: Uint8Array<ArrayBuffer>) => Promise<Index>;
  readonly trust: Trust | undefined;
  readonly tell: TellOfRelease;
}

/** An open index with the searches that it still answers. */
export class Held {
  #searches = 0;
  #retired = false;

  constructor(
    public release: Release,
    readonly index: Index,
  ) {}

  get busy(): boolean {
    return this.#searches > 0;
  }

  begin(): void {
    this.#searches++;
  }

  end(): void {
    this.#searches--;
    this.#closeIfDone();
  }

  /** Asks the index, which stays open until it has answered. */
  async ask<T>(question: (index: Index) => Promise<T>): Promise<T> {
    this.begin();
    try {
      return await question(this.index);
    } finally {
      this.end();
    }
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

/** Follows one alias of a registry: holds the release that it names, or the one that was good last. */
export class Follower {
  readonly #followed: Followed;
  readonly #ended = new AbortController();
  #held: Held | undefined;
  #changing: Promise<unknown> = Promise.resolve();
  /** The manifest that was refused last: it isn't loaded again until the alias moves. */
  #refused: string | undefined;

  constructor(followed: Followed) {
    this.#followed = followed;
  }

  /** The release that answers, if there is one. */
  get held(): Held | undefined {
    return this.#ended.signal.aborted ? undefined : this.#held;
  }

  /** The release that answers. */
  present(): Held {
    if (!this.held) throw new ElanusError('CLOSED', 'the registry was closed; open it again to search');
    return this.held;
  }

  /** The first release: the alias's, else the one that was good last. */
  async start(signal: AbortSignal | undefined): Promise<void> {
    const abort = (): void => this.#ended.abort(signal!.reason);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      await this.#alone(() => this.#first());
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Looks now, even at what was refused before. */
  async check(): Promise<void> {
    await this.#alone(async () => {
      this.#refused = undefined;
      await this.#follow();
    });
  }

  /** Looks, unless what the alias names was refused already. */
  async look(): Promise<void> {
    await this.#alone(() => this.#follow());
  }

  /** Looks; an alias that names nothing is no failure, and nothing is then held. */
  async lookIfNamed(): Promise<void> {
    await this.#alone(async () => {
      try {
        await this.#follow();
      } catch (error) {
        if (!(error instanceof ElanusError) || error.code !== 'NO_RELEASE') throw error;
        this.#letGo();
      }
    });
  }

  /** Goes back to the release that was good before the present one. */
  async rollback(): Promise<void> {
    await this.#alone(async () => {
      const { keep } = this.#followed;
      const { release } = this.present();
      for (const { manifest } of keep.names) {
        const kept = manifest === release.manifest ? undefined : await keep.take(manifest);
        if (!kept) continue;
        const index = await this.#tested(kept.release, kept.bytes);
        return this.#swap(kept.release, index, undefined, release.file.sha256);
      }
      throw new ElanusError('NO_RELEASE', `there is no release to go back to: ${release.name} is the only one that was good here`);
    });
  }

  /** Ends all of it. */
  async close(): Promise<void> {
    this.#ended.abort(new ElanusError('CLOSED', 'the registry was closed'));
    await this.#held?.index.close();
  }

  get closed(): boolean {
    return this.#ended.signal.aborted;
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
    const { keep, tell } = this.#followed;
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
      tell({ type: 'ready', release: kept.release.name, from: 'kept' });
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
    const { base, alias, keep, trust, tell } = this.#followed;
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
      const release = kept?.release ?? (await fetchRelease(base, target, trust, signal));
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
      tell({ type: 'loading', release: target.name });
      const bytes = kept?.bytes ?? (await fetchIndex(base, release, signal));
      await this.#swap(release, await this.#tested(release, bytes), kept ? undefined : bytes, undefined);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ElanusError && error.code === 'FETCH_FAILED') {
        tell({ type: 'unreachable', error });
      } else if (target || !(error instanceof ElanusError) || error.code !== 'NO_RELEASE' || this.#held === undefined) {
        this.#refused = target?.manifest;
        tell({ type: 'refused', release: target?.name, error });
      }
      throw error;
    }
  }

  /** Opens a release's file and asks it its stored queries. */
  async #tested(release: Release, bytes: Uint8Array<ArrayBuffer>): Promise<Index> {
    const index = await this.#followed.open(bytes);
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
    this.#followed.tell(
      before ? { type: 'swapped', from: before.release.name, release: release.name } : { type: 'ready', release: release.name, from: bytes ? 'network' : 'kept' },
    );
    await this.#remember(release, bytes, left);
  }

  async #remember(release: Release, bytes: Uint8Array<ArrayBuffer> | undefined, left: string | undefined): Promise<void> {
    await this.#followed.keep.put(release, bytes, left).catch((error: unknown) => this.#followed.tell({ type: 'unkept', error }));
  }

  #letGo(): void {
    const before = this.#held;
    this.#held = undefined;
    if (!before) return;
    before.retire();
    this.#followed.tell({ type: 'gone', release: before.release.name });
  }
}
