/** The worker's end of a database. */

import { toPlain } from '../errors.js';
import { VERSION } from '../protocol.js';
import { asError } from './errors.js';
import { Keeper } from './keeper.js';
import type { DatabaseMethod } from './protocol.js';

interface Scope {
  onmessage: ((event: MessageEvent<{ id: number; method: DatabaseMethod; args: unknown[] }>) => void) | null;
  postMessage(message: unknown): void;
}

const scope = globalThis as unknown as Scope;
const keeper = new Keeper();

scope.onmessage = async ({ data: { id, method, args } }) => {
  try {
    const result = await (keeper[method] as (...args: unknown[]) => unknown).apply(keeper, args);
    scope.postMessage({ id, result });
  } catch (error) {
    scope.postMessage({ id, error: toPlain(asError(error)) });
  }
};
scope.postMessage({ version: VERSION });
