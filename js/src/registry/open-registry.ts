import { checkModelShape, checkSignal, describe, knownOnly, oneOf, whole } from '../options.js';
import { ElanusError, invalid } from '../errors.js';
import type { Embedder } from '../embed/embedder.js';
import { isUrl } from '../host.js';
import { open, type OpenOptions } from '../open.js';
import { embedderOf } from './answer.js';
import type { RegistryEvent, Tell } from './events.js';
import { Trial, type Experiment } from './experiment.js';
import { Follower, type Held } from './follow.js';
import { SplitMix64 } from './interleave.js';
import { Keep } from './keep.js';
import { LiveIndex } from './live-index.js';
import { digest, fetchSketch } from './release.js';
import { readPublicKeys } from './signature.js';
import { readSketch } from './sketch.js';
import { Watcher } from './watch.js';

/** How a challenger is tried on live queries. */
export interface ExperimentOptions {
  /**
   * `'shadow'`: the challenger answers a share of the queries as well, in idle time, and nobody sees its answers.
   * `'interleave'`: a share of the visitors are shown lists of both, and what they choose (`feedback`) says which they prefer.
   */
  mode: 'shadow' | 'interleave';
  /** Shadow: the share of the queries, by default 0.1. Interleaving: the share of the visitors, by default 1. */
  share?: number;
  /** Interleaving: a name of this experiment, so that another one draws other visitors. */
  salt?: string;
  /** Interleaving: what tells this visitor from others. Hashed with the salt to decide whether they take part; it isn't kept and goes nowhere. */
  visitor?: string;
  /** What is drawn with, a whole number: for tests. By default another one each time. */
  seed?: number;
}

/** How queries are watched. */
export interface WatchOptions {
  /** Queries that are compared at once, 20 to 10,000. Default 100. */
  window?: number;
  /** The share of the queries that usually find nothing, where filters make that more than the reference's. */
  usuallyEmpty?: number;
}

/** Options of {@link openRegistry}. */
export interface RegistryOptions extends Pick<OpenOptions, 'thread' | 'signal' | 'model' | 'wasm' | 'workerUrl'> {
  /** The alias to follow. Default `'champion'`. */
  alias?: string;
  /** With `experiment`: the alias of what is tried. Default `'challenger'`. While it names nothing, nothing is tried. */
  challenger?: string;
  /** Tries the challenger's release on live queries. */
  experiment?: ExperimentOptions;
  /** Embedders for `ask`, one for each model that a release may have. Releases of other models are refused. In place of `model`. */
  embedders?: readonly Embedder[];
  /**
   * Compares the queries with those that the release was made for, and tells a `drift` event when they differ. By default
   * that is done where there is an `onEvent` and the release has a sketch. No query leaves the page for it.
   */
  watch?: boolean | WatchOptions;
  /** Takes only releases that are signed with this minisign key, or one of these. */
  publicKey?: string | readonly string[];
  /** Told of what happens: swaps, refused releases, a registry that can't be reached, what an experiment finds. */
  onEvent?: (event: RegistryEvent) => void;
  /** Seconds between looks at the registry, from 1 on; 0: only at `check()`. Default 300. */
  checkEvery?: number;
}

const OPTIONS = [
  'alias', 'challenger', 'experiment', 'embedders', 'watch', 'publicKey', 'onEvent', 'checkEvery', 'thread', 'signal', 'model', 'wasm', 'workerUrl',
] as const;
const EXPERIMENT_OPTIONS = ['mode', 'share', 'salt', 'visitor', 'seed'] as const;
const WATCH_OPTIONS = ['window', 'usuallyEmpty'] as const;
const ALIAS = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** See `open.ts`, which loads this. */
export async function openRegistry(url: string | URL, options?: RegistryOptions): Promise<LiveIndex> {
  const o = knownOnly(options, OPTIONS, 'openRegistry');
  const { alias = 'champion', challenger = 'challenger', experiment, embedders = [], watch = o.onEvent !== undefined, publicKey, onEvent, checkEvery = 300, signal: _, ...rest } = o;
  for (const [name, value] of Object.entries({ alias, challenger })) {
    if (typeof value !== 'string' || !ALIAS.test(value)) throw invalid(`${name} must be the name of an alias, such as '${name === 'alias' ? 'champion' : name}', not ${describe(value)}`);
  }
  if (onEvent !== undefined && typeof onEvent !== 'function') throw invalid(`onEvent must be a function, not ${describe(onEvent)}`);
  if (typeof checkEvery !== 'number' || !(checkEvery === 0 || (checkEvery >= 1 && checkEvery <= 2_000_000))) {
    throw invalid(`checkEvery must be 0 or seconds from 1 to 2,000,000, not ${describe(checkEvery)}`);
  }
  if (o.challenger !== undefined && experiment === undefined) throw invalid("challenger says what an experiment tries: give experiment as well, such as { mode: 'shadow' }");
  if (experiment !== undefined && alias === challenger) throw invalid(`alias and challenger are both ${describe(alias)}; a release can't be tried beside itself`);
  checkModelShape(o.model);
  checkEmbedders(embedders, o.model);
  const trust = publicKey === undefined ? undefined : readPublicKeys(publicKey);
  const signal = checkSignal(o.signal);
  const watching = watchOptions(watch);
  const base = folder(url);
  const plan = experiment === undefined ? undefined : await planned(experiment);
  signal?.throwIfAborted();

  const tell = teller(onEvent);
  const openIndex = async (bytes: Uint8Array<ArrayBuffer>) => {
    const index = await open(bytes, rest);
    try {
      if (embedders.length > 0) embedderOf(index.card, embedders);
    } catch (error) {
      await index.close();
      throw error;
    }
    return index;
  };
  const follow = async (name: string): Promise<Follower> => {
    const keep = await Keep.open(base, name, trust, (error) => tell({ type: 'unkept', alias: name, error }));
    return new Follower({ base, alias: name, keep, trust, open: openIndex, tell: (event) => tell({ ...event, alias: name }) });
  };
  const champion = await follow(alias);
  const tried = plan && { challenger: await follow(challenger), trial: new Trial(plan, tell) };
  return new LiveIndex({ champion, tried, embedders, watch: watching && watcherOf(base, watching, tell), checkEvery: checkEvery * 1000 }).start(signal);
}

function watchOptions(given: boolean | WatchOptions): { window: number; usuallyEmpty: number | undefined } | undefined {
  if (given === false) return undefined;
  const { window, usuallyEmpty } = knownOnly(given === true ? {} : given, WATCH_OPTIONS, 'watch');
  if (usuallyEmpty !== undefined && !(typeof usuallyEmpty === 'number' && usuallyEmpty >= 0 && usuallyEmpty < 1)) {
    throw invalid(`usuallyEmpty must be a share, from 0 to less than 1, not ${describe(usuallyEmpty)}`);
  }
  return { window: whole(window, 'window', 20, 10_000) ?? 100, usuallyEmpty };
}

/** What makes watchers of releases that have a sketch. */
function watcherOf(base: URL, options: { window: number; usuallyEmpty: number | undefined }, tell: Tell): (held: Held) => Promise<Watcher | undefined> {
  return async ({ release, index }) => {
    if (!release.sketch) return undefined;
    try {
      const text = await fetchSketch(base, release, AbortSignal.timeout(60_000));
      const sketch = readSketch(text, index.dimension, index.metric);
      return new Watcher(sketch, options, (watched) => watched.rang.length > 0 && tell({ type: 'drift', release: release.name, ...watched }));
    } catch (error) {
      tell({ type: 'unwatched', release: release.name, error });
      return undefined;
    }
  };
}

function checkEmbedders(embedders: unknown, model: unknown): void {
  const isEmbedder = (given: unknown): boolean =>
    typeof given === 'object' && given !== null && typeof (given as Embedder).embed === 'function' && typeof (given as Embedder).card === 'object';
  if (!Array.isArray(embedders) || !embedders.every(isEmbedder)) throw invalid('embedders must be a list of embedders, as `elanus/embed` makes them: { card, embed }');
  if (embedders.length > 0 && model !== undefined) throw invalid('embedders say which models releases may have; leave model out');
}

async function planned(given: ExperimentOptions): Promise<Experiment> {
  const { mode, share = mode === 'shadow' ? 0.1 : 1, salt, visitor, seed } = knownOnly(given, EXPERIMENT_OPTIONS, 'experiment');
  oneOf(mode, 'mode', ['shadow', 'interleave']);
  if (typeof share !== 'number' || !(share >= 0 && share <= 1)) throw invalid(`share must be a number from 0 to 1, not ${describe(share)}`);
  if (seed !== undefined && !(Number.isSafeInteger(seed) && seed >= 0)) throw invalid(`seed must be a whole number from 0 on, not ${describe(seed)}`);
  for (const [name, value] of Object.entries({ salt, visitor })) {
    if (mode === 'shadow' && value !== undefined) throw invalid(`${name} is for interleaving; in a shadow, queries are drawn and not visitors`);
    if (mode === 'interleave' && (typeof value !== 'string' || value === '')) throw invalid(`interleaving needs ${name}, a text that isn't empty, not ${describe(value)}: who takes part is decided by a hash of salt and visitor`);
  }
  const random = seed === undefined ? undefined : new SplitMix64(seed);
  const bits = (): bigint => random?.next() ?? crypto.getRandomValues(new BigUint64Array(1))[0]!;
  const drawSeed = (): number => Number(bits() >> 11n);
  return { mode, share, assigned: mode === 'interleave' && (await drawnBy(`${salt}\n${visitor}`)) < share, draw: () => drawSeed() / 2 ** 53, drawSeed };
}

/** A number in 0..1 that is always the same for a text. */
async function drawnBy(text: string): Promise<number> {
  const hash = await digest(new TextEncoder().encode(text));
  return parseInt(hash.slice(0, 13), 16) / 2 ** 52;
}

function teller(onEvent: ((event: RegistryEvent) => void) | undefined): Tell {
  return (event) => {
    try {
      onEvent?.(event);
    } catch (error) {
      // A listener's fault isn't the index's.
      queueMicrotask(() => {
        throw error;
      });
    }
  };
}

/** The address of the folder, which ends with a slash. */
function folder(url: unknown): URL {
  if (typeof url !== 'string' && !isUrl(url)) throw invalid(`a registry is opened from an address, not ${describe(url)}`);
  const base = (globalThis as { document?: { baseURI: string } }).document?.baseURI ?? globalThis.location?.href;
  try {
    const address = new URL(String(url), base);
    address.search = address.hash = '';
    if (!address.pathname.endsWith('/')) address.pathname += '/';
    return address;
  } catch (cause) {
    throw new ElanusError('INVALID_ARGUMENT', `${describe(url)} is no address`, { cause });
  }
}
