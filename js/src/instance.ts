import type { Bindings } from '../../build/glue/glue.js';
import { createGlue } from '../../build/glue/glue.js';
import { ElanusError } from './errors.js';

/** A WebAssembly instance, and the memory that is its own. */
export interface Instance {
  readonly bindings: Bindings;
  readonly memory: WebAssembly.Memory;
}

/**
 * Starts an instance of the module.
 *
 * @throws ElanusError `OUT_OF_MEMORY`; `WASM_UNAVAILABLE` if the module is of another version of this package
 */
export async function instantiate(module: WebAssembly.Module): Promise<Instance> {
  const { bindings, imports, start } = createGlue();
  let instance: WebAssembly.Instance;
  try {
    instance = await WebAssembly.instantiate(module, imports);
    start(instance.exports);
  } catch (cause) {
    throw asOutOfMemory(cause) ?? new ElanusError(
      'WASM_UNAVAILABLE',
      `the WebAssembly module doesn't fit this version of elanus (${cause instanceof Error ? cause.message : cause}); ` +
        'serve the elanus.wasm of the same package version',
      { cause },
    );
  }
  return { bindings, memory: instance.exports['memory'] as WebAssembly.Memory };
}

export function asOutOfMemory(error: unknown): ElanusError | undefined {
  if (!(error instanceof RangeError) || !/memory/i.test(error.message)) return undefined;
  return new ElanusError('OUT_OF_MEMORY', `this host has no memory left for the index (${error.message}); close others first`, {
    cause: error,
  });
}
