import { ElanusError, fromPlain, isThrownByCore } from '../errors.js';
import { asOutOfMemory } from '../instance.js';

/** What the core throws, and what a host throws, as this package's errors. */
export function asError(error: unknown): unknown {
  if (error instanceof ElanusError) return error;
  if (isThrownByCore(error)) return fromPlain({ ...error, details: undefined });
  return asOutOfMemory(error) ?? error;
}
