import { invalid } from '../errors.js';
import { describe } from '../options.js';
import type { Outcome } from './events.js';

/** The beta distribution's parameter on both sides: preferences of about 45 to 55 % are what it looks for first. */
const CONCENTRATION = 50;

/** What can be said of two releases from what visitors clicked on. */
export interface Preference {
  readonly wins: number;
  readonly losses: number;
  readonly ties: number;
  /** The challenger's share of the decided queries; one half of none. */
  readonly share: number;
  /** The shares that aren't ruled out, at any time together: a confidence sequence. */
  readonly low: number;
  readonly high: number;
  /** At any time: it is below α ever with probability α at most if there is no preference. */
  readonly p: number;
  /** Who is preferred, if that can be said. */
  readonly preferred: 'champion' | 'challenger' | undefined;
}

/** Queries by what they decided. */
export type Tally = Pick<Outcome, 'wins' | 'losses' | 'ties'>;

/**
 * Adds up outcomes and says which of two releases is preferred, as `elanus experiment report` does: by a mixture sequential
 * probability ratio test (Robbins 1970; Johari, Koomen, Pekelis and Walsh, "Peeking at A/B tests", KDD 2017), which one may
 * look at as often as one likes.
 *
 * @param outcomes those of one champion and one challenger
 * @param options `alpha`: how likely the verdict may be wrong at any time if there is no preference. Default 0.05
 */
export function preference(outcomes: readonly Tally[], options: { alpha?: number } = {}): Preference {
  const { alpha = 0.05 } = options;
  if (!(typeof alpha === 'number' && alpha > 0 && alpha < 1)) throw invalid(`alpha must be more than 0 and less than 1, such as 0.05, not ${describe(alpha)}`);
  const [wins, losses, ties] = (['wins', 'losses', 'ties'] as const).map((name) =>
    outcomes.reduce((sum, outcome) => {
      const count: unknown = outcome[name];
      if (!Number.isSafeInteger(count) || (count as number) < 0) throw invalid(`an outcome's ${name} must be a number of queries, not ${describe(count)}`);
      return sum + (count as number);
    }, 0),
  ) as [number, number, number];
  const share = wins + losses === 0 ? 0.5 : wins / (wins + losses);
  const mixture = logMixture(wins, losses);
  const p = Math.min(1, Math.exp(logLikelihood(wins, losses, 0.5) - mixture));
  const ruledOut = (candidate: number): boolean => mixture - logLikelihood(wins, losses, candidate) >= -Math.log(alpha);
  // The likelihood falls on both sides of the share that was seen.
  const edge = (inside: number, outside: number): number => {
    if (!ruledOut(outside)) return outside;
    for (let step = 0; step < 60; step++) {
      const middle = (inside + outside) / 2;
      if (ruledOut(middle)) outside = middle;
      else inside = middle;
    }
    return inside;
  };
  const preferred = p > alpha ? undefined : wins > losses ? 'challenger' : 'champion';
  return { wins, losses, ties, share, low: edge(share, 0), high: edge(share, 1), p, preferred };
}

/** The logarithm of the mixture's likelihood, without the order in which wins and losses came. */
function logMixture(wins: number, losses: number): number {
  const beta = (a: number, b: number): number => logGamma(a) + logGamma(b) - logGamma(a + b);
  return beta(CONCENTRATION + wins, CONCENTRATION + losses) - beta(CONCENTRATION, CONCENTRATION);
}

/** The logarithm of the likelihood if the challenger wins with this probability. */
function logLikelihood(wins: number, losses: number, share: number): number {
  const part = (count: number, probability: number): number => (count === 0 ? 0 : count * Math.log(probability));
  return part(wins, share) + part(losses, 1 - share);
}

/** The logarithm of the gamma function by Stirling's series; smaller arguments by what follows from the next one's. */
export function logGamma(x: number): number {
  if (x < 20) return logGamma(x + 1) - Math.log(x);
  const square = x * x;
  const series = (1 / 12 - (1 / 360 - 1 / (1260 * square)) / square) / x;
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series;
}
