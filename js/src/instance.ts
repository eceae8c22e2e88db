import { ElanusError } from './errors.js';

/** A WebAssembly instance, and the memory that is its own. */
export interface Instance<Bindings> {
  readonly bindings: Bindings;
  readonly memory: WebAssembly.Memory;
}

/** wasm-bindgen's side of an instance to be. */
export interface Glue<Bindings> {
  readonly bindings: Bindings;
  readonly imports: WebAssembly.Imports;
  start(exports: WebAssembly.Exports): void;
}

/**
 * Starts an instance of the module that the glue belongs to.
 *
 * @throws ElanusError `OUT_OF_MEMORY`; `WASM_UNAVAILABLE` if the module is of another version of this package
 */
export async function instantiate<Bindings>(module: WebAssembly.Module, { bindings, imports, start }: Glue<Bindings>): Promise<Instance<Bindings>> {
  let instance: WebAssembly.Instance;
  try {
    instance = await WebAssembly.instantiate(module, imports);
    start(instance.exports);
  } catch (cause) {
    throw asOutOfMemory(cause) ?? new ElanusError(
      'WASM_UNAVAILABLE',
      `the WebAssembly module doesn't fit this version of elanus (${cause instanceof Error ? cause.message : cause}); ` +
        'serve the .wasm files of the same package version',
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
