/** The worker's end of a database. */

import { toPlain } from '../errors.js';
import { VERSION } from '../protocol.js';
import { asError } from './errors.js';
import { Member } from './member.js';
import type { DatabaseMethod, DatabaseMethods } from './protocol.js';

interface Scope {
  onmessage: ((event: MessageEvent<{ id: number; method: DatabaseMethod; args: unknown[] }>) => void) | null;
  postMessage(message: unknown): void;
}

const scope = globalThis as unknown as Scope;
const member = new Member();

function act(method: DatabaseMethod, args: unknown[]): Promise<unknown> {
  if (method === 'open') return member.open(...(args as Parameters<DatabaseMethods['open']>));
  return method === 'close' ? member.close() : member.ask(method, args);
}

scope.onmessage = async ({ data: { id, method, args } }) => {
  try {
    const result = await act(method, args);
    scope.postMessage({ id, result });
  } catch (error) {
    scope.postMessage({ id, error: toPlain(asError(error)) });
  }
};
scope.postMessage({ version: VERSION });
