import { checkModelShape, checkSignal, describe, knownOnly } from '../options.js';
import { ElanusError, invalid } from '../errors.js';
import { isUrl } from '../host.js';
import { open, type OpenOptions } from '../open.js';
import { Keep } from './keep.js';
import { LiveIndex, type RegistryEvent } from './live-index.js';

/** Options of {@link openRegistry}. */
export interface RegistryOptions extends Pick<OpenOptions, 'thread' | 'signal' | 'model' | 'wasm' | 'workerUrl'> {
  /** The alias to follow. Default `'champion'`. */
  alias?: string;
  /** Told of what happens: swaps, refused releases, a registry that can't be reached. */
  onEvent?: (event: RegistryEvent) => void;
  /** Seconds between looks at the registry, from 1 on; 0: only at `check()`. Default 300. */
  checkEvery?: number;
}

const OPTIONS = ['alias', 'onEvent', 'checkEvery', 'thread', 'signal', 'model', 'wasm', 'workerUrl'] as const;
const ALIAS = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/**
 * Opens the release that an alias of a registry names, and follows the alias: the registry is looked at in the
 * background, a new release is loaded beside the present one, and searches go over to it between two of them.
 *
 * A file is searched only if it has the length and SHA-256 that its manifest states, the manifest has the SHA-256 that the
 * registry states, and the index answers the manifest's stored queries as they were answered when it was released. The
 * last good releases are kept in the origin's own file system (where there is none, in memory): they answer when the
 * registry can't be reached, when its release is no good, and after `rollback()`.
 *
 * @param url the registry's folder, as `elanus registry` makes it
 * @throws ElanusError `FETCH_FAILED`, `CORRUPT_REGISTRY`, `NO_RELEASE`, `SELF_TEST_FAILED`, `MODEL_MISMATCH`, and what `open`
 *   throws, if no release could be taken and none was kept. Rejected with `signal.reason` if the signal fires.
 */
export async function openRegistry(url: string | URL, options?: RegistryOptions): Promise<LiveIndex> {
  const o = knownOnly(options, OPTIONS, 'openRegistry');
  const { alias = 'champion', onEvent, checkEvery = 300, signal: _, ...rest } = o;
  if (typeof alias !== 'string' || !ALIAS.test(alias)) throw invalid(`alias must be the name of an alias, such as 'champion', not ${describe(alias)}`);
  if (onEvent !== undefined && typeof onEvent !== 'function') throw invalid(`onEvent must be a function, not ${describe(onEvent)}`);
  if (typeof checkEvery !== 'number' || !(checkEvery === 0 || (checkEvery >= 1 && checkEvery <= 2_000_000))) {
    throw invalid(`checkEvery must be 0 or seconds from 1 to 2,000,000, not ${describe(checkEvery)}`);
  }
  checkModelShape(o.model);
  const signal = checkSignal(o.signal);
  const base = folder(url);
  signal?.throwIfAborted();
  const trouble = (error: unknown): void => onEvent?.({ type: 'unkept', error });
  const keep = await Keep.open(base, alias, trouble);
  const live = new LiveIndex({ base, alias, keep, onEvent, checkEvery: checkEvery * 1000, open: (bytes) => open(bytes, rest) });
  return live.start(signal);
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
