import type { Team } from './interleave.js';
import type { Watched } from './watch.js';

/** A line that `elanus experiment report` reads: what visitors' clicks decided on some queries. It says nothing of a visitor or a query. */
export interface Outcome {
  readonly schema_version: 1;
  readonly champion: string;
  readonly challenger: string;
  /** Queries on which more clicks were on the challenger's places. */
  readonly wins: number;
  /** Queries on which more were on the champion's. */
  readonly losses: number;
  /** Queries that decided nothing. */
  readonly ties: number;
}

/** How the challenger's answer to one query differs from the champion's. */
export interface Comparison {
  /** The share of the hits that both have. */
  readonly overlap: number;
  /** Extrapolated rank-biased overlap, persistence 0.9. */
  readonly rbo: number;
  /**
   * Mean over the ranks of the challenger's distance less the champion's; `undefined` where distances can't be compared:
   * another model, another metric, or nothing found.
   */
  readonly shift: number | undefined;
  /** Milliseconds from the question to the answer. */
  readonly championMs: number;
  readonly challengerMs: number;
}

/** What happens to a release that an alias names. */
type ReleaseEvent =
  /** The first release can be searched; `from` the network, or kept from an earlier visit. */
  | { readonly type: 'ready'; readonly release: string; readonly from: 'network' | 'kept' }
  /** A release is being loaded beside the present one. */
  | { readonly type: 'loading'; readonly release: string }
  /** Searches that begin from now on are answered by another release. */
  | { readonly type: 'swapped'; readonly from: string; readonly release: string }
  /** The alias names nothing any more; told of the challenger only. */
  | { readonly type: 'gone'; readonly release: string }
  /** A release wasn't taken: it is damaged or forged, of another model, or doesn't answer as it should. */
  | { readonly type: 'refused'; readonly release: string | undefined; readonly error: unknown }
  /** The registry couldn't be reached; what is there goes on. */
  | { readonly type: 'unreachable'; readonly error: unknown }
  /** A release couldn't be kept for the next visit; this one is not affected. */
  | { readonly type: 'unkept'; readonly error: unknown };

/** What happens in an experiment. */
type ExperimentEvent =
  /** Shadow: the challenger has answered a query, too. */
  | ({ readonly type: 'shadow'; readonly champion: string; readonly challenger: string } & Comparison)
  /** A list of both was shown; `teams` says whose each place is, `seed` that of the draft. */
  | {
      readonly type: 'interleaved';
      readonly champion: string;
      readonly challenger: string;
      readonly query: number;
      readonly seed: number;
      readonly teams: readonly Team[];
    }
  /** A click was credited; `rank` counts from 0. */
  | { readonly type: 'clicked'; readonly query: number; readonly rank: number; readonly team: Team }
  /** What clicks decided since the last such event: to be posted to wherever outcomes are gathered. */
  | { readonly type: 'outcome'; readonly outcome: Outcome }
  /** The challenger couldn't answer a query that the champion answered: another model, or a failure. Told once for each challenger and code. */
  | { readonly type: 'unanswered'; readonly release: string; readonly error: unknown };

/** What happens to a live index; `alias` says which of the aliases it concerns. */
export type RegistryEvent =
  | (ReleaseEvent & { readonly alias: string })
  | ExperimentEvent
  /** A window of queries isn't like those that the release was made for. */
  | ({ readonly type: 'drift'; readonly release: string } & Watched)
  /** The release's queries can't be watched: its sketch can't be had, or is none. */
  | { readonly type: 'unwatched'; readonly release: string; readonly error: unknown };

/** Told of events. */
export type Tell = (event: RegistryEvent) => void;

/** The events of one alias. */
export type TellOfRelease = (event: ReleaseEvent) => void;
