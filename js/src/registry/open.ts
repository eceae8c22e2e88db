import type { LiveIndex } from './live-index.js';
import type { RegistryOptions } from './open-registry.js';

/**
 * Opens the release that an alias of a registry names, and follows the alias: the registry is looked at in the
 * background, a new release is loaded beside the present one, and searches go over to it between two of them.
 *
 * A file is searched only if it has the length and SHA-256 that its manifest states, the manifest has the SHA-256 that the
 * registry states and (with `publicKey`) is signed, and the index answers the manifest's stored queries as they were answered
 * when it was released. The last good releases are kept in the origin's own file system (where there is none, in memory):
 * they answer when the registry can't be reached, when its release is no good, and after `rollback()`.
 *
 * With `experiment`, a second alias's release is tried on the same queries, beside it or interleaved with it.
 *
 * @param url the registry's folder, as `elanus registry` makes it
 * @throws ElanusError `FETCH_FAILED`, `CORRUPT_REGISTRY`, `BAD_SIGNATURE`, `NO_RELEASE`, `SELF_TEST_FAILED`, `MODEL_MISMATCH`, and
 *   what `open` throws, if no release could be taken and none was kept. Rejected with `signal.reason` if the signal fires.
 */
export async function openRegistry(url: string | URL, options?: RegistryOptions): Promise<LiveIndex> {
  // Pages that open index files themselves don't load it.
  const registry = await import('./open-registry.js');
  return registry.openRegistry(url, options);
}
