/**
 * What the workers of one database say to each other, one in each tab. The one that holds the database's lock writes; it
 * announces itself to all, and talks with each of the others on a channel that only the two have, since a message goes to
 * every end of a channel.
 */

import type { PlainError } from '../errors.js';
import type { DatabaseMethod } from './protocol.js';

/** Both ends must speak alike; a page that was loaded long ago may be of another version. */
export const SPOKEN = 1;

/** Names a write, so that it can be asked again of the next writer without being done again. Below 2^53, as all numbers here. */
export interface Request {
  readonly client: number;
  readonly number: number;
}

/** To all: who writes from now on; or that a client would like to know. */
export type Announced = { readonly writer: number } | { readonly client: number; readonly spoken: number };

/** From a client to the writer. */
export interface Asked {
  readonly id: number;
  readonly method: DatabaseMethod;
  readonly args: readonly unknown[];
}

/** From the writer to a client: that it is heard, that it isn't, or what came of something it asked. */
export type Told =
  | { readonly writer: number }
  | { readonly refused: number }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: PlainError };

export const lockName = (database: string): string => `elanus-database-${database}`;
/** Held by a client's worker for as long as it lives. */
export const lifeName = (database: string, client: number): string => `elanus-database-${database}-${client}`;

export const toAll = (database: string): BroadcastChannel => new BroadcastChannel(lockName(database));
export const between = (database: string, client: number): BroadcastChannel => new BroadcastChannel(lifeName(database, client));

/** A number that no other worker has drawn. */
export function draw(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high! % 2 ** 21) * 2 ** 32 + low!;
}

/** What may be asked of the next writer without more ado when the one that was asked is gone; writes are named, and so can be too. */
export const REPEATABLE: ReadonlySet<DatabaseMethod> = new Set<DatabaseMethod>([
  'collection', 'names', 'aliases', 'nameOf', 'search', 'query', 'get', 'count', 'compact', 'stats', 'put', 'remove',
]);
export const NAMED: ReadonlySet<DatabaseMethod> = new Set<DatabaseMethod>(['put', 'remove']);
