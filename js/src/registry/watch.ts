import type { Hit } from '../engine.js';
import { untilIdle } from './idle.js';
import { logGamma } from './preference.js';
import { featuresOf, isFar, type Part, type Share, type Sketch } from './sketch.js';

/** A share of the live queries beside what is expected, and how likely as many or more would be. */
export interface ShareCheck {
  readonly share: number;
  readonly expected: number;
  readonly p: number;
}

/** What was compared in a window of queries. */
export interface Checks {
  /** Queries that are far from all that the reference queries are like. */
  readonly farFromQueries: ShareCheck;
  /** Queries that are far from all that is in the index. */
  readonly farFromCorpus: ShareCheck;
  /** Queries that found nothing. */
  readonly empty: ShareCheck;
  /** The distance of the first hit: the largest deviation of its distribution (Kolmogorov and Smirnov). */
  readonly top1: { readonly deviation: number; readonly queries: number; readonly p: number };
  /** Maximum mean discrepancy (Gretton et al. 2012) of projected embeddings, on random Fourier features. */
  readonly mmd: { readonly value: number; readonly p: number };
}

/** What a window of live queries is like, beside the release's reference. */
export interface Watched {
  readonly queries: number;
  readonly checks: Checks;
  /** Which of the checks rang; of none, the queries are as expected. */
  readonly rang: readonly (keyof Checks)[];
  /** What the reference was: queries, or for want of them rows of the index, from which real queries differ from the start. */
  readonly reference: 'queries' | 'rows';
}

/** How watching stands. */
export interface WatchState {
  /** Whole windows, and how many of them rang. */
  readonly windows: number;
  readonly alarms: number;
  /** Queries of the window that isn't whole yet. */
  readonly queries: number;
  /** The last whole window. */
  readonly last: Watched | undefined;
}

/** How a query was answered. */
export interface Seen {
  readonly vector: ArrayLike<number>;
  readonly hits: readonly Hit[];
  /** Whether nothing but the vector said what was found: no filter, no radius, no offset. */
  readonly plain: boolean;
}

/** The level of one check: five of them ring falsely in half a percent of the windows at most. (1 less 0.999 is a little more than 0.001.) */
const LEVEL = 0.001 + 1e-9;

/** Compares live queries with what a release was made for, a window at a time. */
export class Watcher {
  readonly #sketch: Sketch;
  readonly #window: number;
  readonly #usuallyEmpty: number | undefined;
  readonly #onWindow: (watched: Watched) => void;
  #waiting: Seen[] = [];
  #working = false;
  #state: WatchState = { windows: 0, alarms: 0, queries: 0, last: undefined };
  #queries = 0;
  #counts = { farFromQueries: 0, farFromCorpus: 0, empty: 0 };
  #first: number[] = [];
  #sum: Float64Array | undefined;

  /**
   * @param window queries in a window
   * @param usuallyEmpty the share of the queries that usually find nothing; `undefined` takes the reference's
   */
  constructor(sketch: Sketch, { window, usuallyEmpty }: { window: number; usuallyEmpty: number | undefined }, onWindow: (watched: Watched) => void) {
    this.#sketch = sketch;
    this.#window = window;
    this.#usuallyEmpty = usuallyEmpty;
    this.#onWindow = onWindow;
  }

  /** Takes a query; it is looked at when there is time. */
  see({ vector, hits, plain }: Seen): void {
    // The caller may write over the vector.
    this.#waiting.push({ vector: Float64Array.from(vector), hits: hits.slice(0, 1), plain });
    if (!this.#working) void this.#work();
  }

  state(): WatchState {
    return { ...this.#state, queries: this.#queries + this.#waiting.length };
  }

  async #work(): Promise<void> {
    this.#working = true;
    while (this.#waiting.length > 0) {
      await untilIdle();
      // Each takes some tens of microseconds.
      for (const seen of this.#waiting.splice(0, 16)) this.#look(seen);
    }
    this.#working = false;
  }

  #look({ vector, hits, plain }: Seen): void {
    const { queries, corpus } = this.#sketch;
    const { projected, phi } = featuresOf(this.#sketch, vector);
    const sum = (this.#sum ??= new Float64Array(phi.length));
    phi.forEach((value, i) => (sum[i]! += value));
    this.#counts.farFromQueries += Number(isFar(queries, projected));
    this.#counts.farFromCorpus += Number(isFar(corpus, projected));
    this.#counts.empty += Number(hits.length === 0);
    if (plain && hits[0]) this.#first.push(hits[0].distance);
    if (++this.#queries === this.#window) this.#judge(sum);
  }

  #judge(sum: Float64Array): void {
    const { queries: reference, farFromCorpus, empty, from } = this.#sketch;
    const n = this.#queries;
    const usual = this.#usuallyEmpty;
    const checks: Checks = {
      farFromQueries: shareCheck(this.#counts.farFromQueries, n, reference.far),
      farFromCorpus: shareCheck(this.#counts.farFromCorpus, n, farFromCorpus),
      // What the page's owner says is known for sure.
      empty: shareCheck(this.#counts.empty, n, usual === undefined ? empty : { count: usual * 1e6, of: 1e6 }),
      top1: top1Check(this.#first, this.#sketch.top1),
      mmd: mmdCheck(sum, n, reference),
    };
    const rang = (Object.keys(checks) as (keyof Checks)[]).filter((name) => checks[name].p <= LEVEL);
    const last: Watched = { queries: n, checks, rang, reference: from };
    this.#state = { windows: this.#state.windows + 1, alarms: this.#state.alarms + Number(rang.length > 0), queries: 0, last };
    this.#queries = 0;
    this.#counts = { farFromQueries: 0, farFromCorpus: 0, empty: 0 };
    this.#first = [];
    this.#sum = undefined;
    this.#onWindow(last);
  }
}

/** How likely at least `count` of `n` are, when the share itself is known from a sample: the tail of a beta-binomial distribution. */
function shareCheck(count: number, n: number, { count: known, of }: Share): ShareCheck {
  const [a, b] = [known + 0.5, of - known + 0.5];
  const beta = (x: number, y: number): number => logGamma(x) + logGamma(y) - logGamma(x + y);
  let p = 0;
  for (let k = count; k <= n; k++) {
    const choose = logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1);
    p += Math.exp(choose + beta(k + a, n - k + b) - beta(a, b));
  }
  return { share: count / n, expected: of === 0 ? 0 : known / of, p: count === 0 ? 1 : Math.min(1, p) };
}

function top1Check(distances: readonly number[], { quantiles, of }: Sketch['top1']): Checks['top1'] {
  const n = distances.length;
  if (n === 0) return { deviation: 0, queries: 0, p: 1 };
  const countOf = (list: readonly number[], fits: (value: number) => boolean): number => list.filter(fits).length;
  let deviation = 0;
  for (const q of quantiles) {
    // Of equal quantiles each claims another share of the same value: all that lies between them is as expected.
    const low = countOf(quantiles, (other) => other < q) / (quantiles.length - 1);
    const high = (countOf(quantiles, (other) => other <= q) - 1) / (quantiles.length - 1);
    const [below, upTo] = [countOf(distances, (d) => d < q) / n, countOf(distances, (d) => d <= q) / n];
    deviation = Math.max(deviation, below - high, low - upTo);
  }
  return { deviation, queries: n, p: Math.min(1, 2 * Math.exp((-2 * deviation * deviation * n * of) / (n + of))) };
}

function mmdCheck(sum: Float64Array, n: number, { count, mean, quantiles }: Part): Checks['mmd'] {
  let squared = 0;
  sum.forEach((value, i) => (squared += (value / n - mean[i]!) ** 2));
  const statistic = squared / (1 / n + 1 / count);
  // The level of the highest quantile that it exceeds.
  const exceeded = quantiles.filter(([, value]) => statistic > value).at(-1);
  return { value: Math.sqrt(squared), p: exceeded ? 1 - exceeded[0] : 1 };
}
