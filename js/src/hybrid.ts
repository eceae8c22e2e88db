import { type Asked, type Held, kindOf, type Query, readQuery } from './asked.js';
import type { Card, ModelSource } from './card.js';
import type { Metric, SearchOptions, SearchPlan } from './engine.js';
import { invalid } from './errors.js';
import { describe, extentOf, knownOnly, metricOf, planned, whole } from './options.js';

/** One of the searches that are fused: its query, and how it is searched for. */
export interface HybridSearch
  extends Pick<SearchOptions, 'exact' | 'rerank' | 'ef' | 'radius' | 'rangeFilter' | 'field' | 'dropRatioSearch'> {
  data: Query;
  /** How far down this list counts: 1 to 16,384. Default three times as far as the fused list goes, at least 30. */
  limit?: number;
}

/** How several lists become one. */
export type Rerank =
  /** A hit's score is the sum of 1 / (k + rank) over the lists that have it. `k` is above 0 and below 16,384; default 60. */
  | { readonly type: 'rrf'; readonly k?: number }
  /** A hit's score is the sum of weight · score over the lists, scores brought to 0…1. A weight from 0 to 1 for each search. */
  | { readonly type: 'weighted'; readonly weights: readonly number[] };

/** Options of {@link Index.hybridSearch}. */
export interface HybridOptions extends Pick<SearchOptions, 'limit' | 'offset' | 'filter' | 'outputFields' | 'signal' | 'model'> {
  /** How the lists are fused. Default by reciprocal rank with k = 60. */
  rerank?: Rerank;
}

/** A search to be fused, as it goes to the engine. */
export interface PlannedSearch {
  readonly query: Asked;
  readonly plan: SearchPlan;
}

/** How to fuse, as it goes to the core. */
export interface Fusion {
  readonly k?: number;
  readonly weights?: readonly number[];
  readonly limit: number;
  readonly offset: number;
}

export interface PlannedHybrid {
  readonly searches: readonly PlannedSearch[];
  readonly fusion: Fusion;
  readonly outputFields: SearchPlan['outputFields'];
  readonly signal: AbortSignal | undefined;
  readonly model: ModelSource | undefined;
}

const SEARCH = ['data', 'limit', 'exact', 'rerank', 'ef', 'radius', 'rangeFilter', 'field', 'dropRatioSearch'] as const;
const OPTIONS = ['rerank', 'limit', 'offset', 'filter', 'outputFields', 'signal', 'model'] as const;
const MAX_SEARCHES = 1024;
const MAX_LIMIT = 16_384;

/** Checks the searches and options of a hybrid search against the index. */
export function planHybrid(
  given: readonly HybridSearch[],
  options: HybridOptions | undefined,
  { card, metric, held }: { readonly card: Card; readonly metric: Metric; readonly held: Held },
): PlannedHybrid {
  if (!Array.isArray(given) || given.length === 0 || given.length > MAX_SEARCHES) {
    throw invalid(`hybridSearch fuses a list of 1 to ${MAX_SEARCHES} searches, such as [{ data: vector }, { data: "words" }]`);
  }
  const { filter, rerank, outputFields, signal, model, ...extent } = knownOnly(options, OPTIONS, 'hybridSearch');
  const { limit, offset } = extentOf(extent);
  const all = planned({ filter, outputFields, signal, model }, { limit, offset }, card, metric, 'vector');
  const depth = Math.min(Math.max(3 * (limit + offset), 30), MAX_LIMIT);
  const searches = given.map((search: HybridSearch) => {
    const { data, limit: own, ...how } = knownOnly(search, SEARCH, 'a search of hybridSearch');
    const kind = kindOf(data);
    const query = readQuery(data, held);
    const count = whole(own, 'limit', 1, MAX_LIMIT) ?? depth;
    const { plan } = planned({ ...how, filter }, { limit: count, offset: 0 }, card, metricOf(kind, metric), kind);
    return { query, plan };
  });
  const fusion = { ...readRerank(rerank, searches.length), limit, offset };
  return { searches, fusion, outputFields: all.plan.outputFields, signal: all.signal, model: all.model };
}

function readRerank(given: Rerank | undefined, searches: number): Pick<Fusion, 'k' | 'weights'> {
  if (given === undefined) return {};
  switch ((given as { type?: unknown } | null)?.type) {
    case 'rrf': {
      const { k } = knownOnly(given as Extract<Rerank, { type: 'rrf' }>, ['type', 'k'], 'rerank');
      if (k === undefined) return {};
      if (typeof k !== 'number' || !(k > 0 && k < MAX_LIMIT)) throw invalid(`k of rrf must be above 0 and below ${MAX_LIMIT}, not ${describe(k)}`);
      return { k };
    }
    case 'weighted': {
      const { weights } = knownOnly(given as Extract<Rerank, { type: 'weighted' }>, ['type', 'weights'], 'rerank');
      if (!Array.isArray(weights) || weights.length !== searches || !weights.every((w) => typeof w === 'number' && w >= 0 && w <= 1)) {
        throw invalid(`weights must be ${searches} numbers from 0 to 1, one for each search`);
      }
      return { weights };
    }
    default:
      throw invalid(`rerank must be { type: "rrf", k } or { type: "weighted", weights }, not ${describe(given)}`);
  }
}
