/** Whose a place in an interleaved list is; a click on one of neither speaks for neither. */
export type Team = 'champion' | 'challenger' | 'neither';

/** One place of an interleaved list. */
export interface Place<T> {
  readonly hit: T;
  readonly team: Team;
}

const MASK = (1n << 64n) - 1n;

/** SplitMix64 (Steele, Lea and Flood 2014), the generator of the native tools: the same seed gives the same numbers. */
export class SplitMix64 {
  #state: bigint;

  constructor(seed: number) {
    this.#state = BigInt(seed);
  }

  /** The next 64 bits. */
  next(): bigint {
    this.#state = (this.#state + 0x9e3779b97f4a7c15n) & MASK;
    let z = this.#state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
    return z ^ (z >> 31n);
  }

  /** A number in 0..1 of 24 bits. */
  unit(): number {
    return Number(this.next() >> 40n) / 2 ** 24;
  }

  /** A standard normal number (Box–Muller). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.unit()));
    return Math.fround(radius * Math.cos(2 * Math.PI * this.unit()));
  }
}

/**
 * Interleaves two rankings to a list of at most `limit` (team draft: Radlinski, Kurup and Joachims, "How does clickthrough
 * data reflect retrieval quality?", CIKM 2008). The teams choose in turns, a coin deciding who goes first in each round, and
 * each takes its best that isn't there yet; what is the next of both is nobody's. The same seed gives the same list, here
 * and in the native tools.
 */
export function teamDraft<T extends { readonly id: unknown }>(
  champion: readonly T[],
  challenger: readonly T[],
  limit: number,
  seed: number,
): Place<T>[] {
  const random = new SplitMix64(seed);
  const list: Place<T>[] = [];
  const there = new Set<unknown>();
  let [one, other] = [0, 0];
  // Whose turn the round still has.
  let waiting: 'champion' | 'challenger' | undefined;
  while (list.length < limit) {
    while (one < champion.length && there.has(champion[one]!.id)) one++;
    while (other < challenger.length && there.has(challenger[other]!.id)) other++;
    const [a, b] = [champion[one], challenger[other]];
    let place: Place<T>;
    if (!a && !b) break;
    if (!a || !b || a.id === b.id) {
      // A ranking that has ended leaves the rest to the other: clicks there would be won without a contest.
      place = { hit: (a ?? b)!, team: 'neither' };
    } else {
      const first = waiting === undefined;
      const team: 'champion' | 'challenger' = waiting ?? (random.next() >> 63n === 0n ? 'champion' : 'challenger');
      waiting = first ? (team === 'champion' ? 'challenger' : 'champion') : undefined;
      place = { hit: team === 'champion' ? a : b, team };
    }
    there.add(place.hit.id);
    list.push(place);
  }
  return list;
}

/** The share of ids that two rankings have in common, of the longer one's; 1 if both are empty. */
export function overlap(a: readonly unknown[], b: readonly unknown[]): number {
  const longer = Math.max(a.length, b.length);
  if (longer === 0) return 1;
  const there = new Set(a);
  return b.filter((id) => there.has(id)).length / longer;
}

const PERSISTENCE = 0.9;

/**
 * Extrapolated rank-biased overlap (Webber, Moffat and Zobel, "A similarity measure for indefinite rankings", TOIS 2010,
 * equation 32): what two rankings' agreement would be if it went on as it ends. 1 if both are empty, 0 if one is.
 */
export function rankBiasedOverlap(a: readonly unknown[], b: readonly unknown[], p = PERSISTENCE): number {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  const [s, l] = [short.length, long.length];
  if (s === 0) return l === 0 ? 1 : 0;
  const [inShort, inLong] = [new Set<unknown>(), new Set<unknown>()];
  // The overlap at the depth reached, and at depth s.
  let [common, atShort, sum, weight] = [0, 0, 0, 1];
  for (let depth = 1; depth <= l; depth++) {
    weight *= p;
    const next = long[depth - 1];
    if (depth <= s && short[depth - 1] === next) {
      common++;
    } else {
      if (inShort.has(next)) common++;
      if (depth <= s && inLong.has(short[depth - 1])) common++;
    }
    inLong.add(next);
    if (depth <= s) inShort.add(short[depth - 1]);
    if (depth === s) atShort = common;
    sum += (common / depth) * weight;
    if (depth > s) sum += ((atShort * (depth - s)) / (s * depth)) * weight;
  }
  const end = (common - atShort) / l + atShort / s;
  return Math.min(1, Math.max(0, ((1 - p) / p) * sum + end * weight));
}
