import { sameModel } from '../card.js';
import type { SearchOptions } from '../engine.js';
import { answer, type Answer, type Question } from './answer.js';
import type { Comparison, Tell } from './events.js';
import type { Held } from './follow.js';
import { untilIdle } from './idle.js';
import { overlap, rankBiasedOverlap } from './interleave.js';

/** What the answers of two releases have in common, over the queries that both have answered. */
export interface ShadowState {
  /** Queries that both have answered. */
  readonly queries: number;
  /** Queries that were sampled, and left out because others were waiting already. */
  readonly skipped: number;
  /** Queries that the challenger couldn't answer. */
  readonly failed: number;
  /** Means of what a `shadow` event tells; `undefined` of none. */
  readonly overlap: number | undefined;
  readonly rbo: number | undefined;
  readonly shift: number | undefined;
  /** Milliseconds, over the last 1,000. */
  readonly championMs: Percentiles | undefined;
  readonly challengerMs: Percentiles | undefined;
}

export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
}

interface Waiting {
  readonly champion: Held;
  readonly challenger: Held;
  readonly question: Question;
  readonly options: SearchOptions;
  readonly own: Answer;
}

/** More than these aren't kept waiting: somebody who types fast asks more than idle time can answer. */
const MOST_WAITING = 8;
const KEPT_TIMES = 1000;

class Mean {
  count = 0;
  #sum = 0;

  add(value: number): void {
    this.count++;
    this.#sum += value;
  }

  get value(): number | undefined {
    return this.count === 0 ? undefined : this.#sum / this.count;
  }
}

/** Asks a challenger what the champion has answered, when nothing else is to be done. */
export class Shadow {
  readonly #tell: Tell;
  readonly #onFailure: (challenger: Held, error: unknown) => void;
  #waiting: Waiting[] = [];
  #asking = false;
  #counts = { skipped: 0, failed: 0 };
  #means = { overlap: new Mean(), rbo: new Mean(), shift: new Mean() };
  #times = { champion: [] as number[], challenger: [] as number[] };
  /** What was begun before `clear()` isn't counted after it. */
  #turn = 0;

  constructor(tell: Tell, onFailure: (challenger: Held, error: unknown) => void) {
    this.#tell = tell;
    this.#onFailure = onFailure;
  }

  add(query: Waiting): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#counts.skipped++;
      this.#waiting.shift();
    }
    this.#waiting.push(query);
    if (!this.#asking) void this.#work();
  }

  clear(): void {
    this.#turn++;
    this.#waiting = [];
    this.#counts = { skipped: 0, failed: 0 };
    this.#means = { overlap: new Mean(), rbo: new Mean(), shift: new Mean() };
    this.#times = { champion: [], challenger: [] };
  }

  state(): ShadowState {
    const { overlap, rbo, shift } = this.#means;
    return {
      queries: overlap.count,
      ...this.#counts,
      overlap: overlap.value,
      rbo: rbo.value,
      shift: shift.value,
      championMs: percentiles(this.#times.champion),
      challengerMs: percentiles(this.#times.challenger),
    };
  }

  async #work(): Promise<void> {
    this.#asking = true;
    while (this.#waiting.length > 0) {
      await untilIdle();
      const next = this.#waiting[0];
      // The champion comes first, whoever asks it.
      if (!next || next.champion.busy) continue;
      this.#waiting.shift();
      await this.#compare(next);
    }
    this.#asking = false;
  }

  async #compare({ champion, challenger, question, options, own }: Waiting): Promise<void> {
    const turn = this.#turn;
    // Stored fields aren't compared, and the caller's signal was for the caller's own search.
    const { signal: _, outputFields: __, ...plain } = options;
    const other = await answer(challenger, question, plain).catch((error: unknown) => {
      if (turn !== this.#turn) return undefined;
      this.#counts.failed++;
      this.#onFailure(challenger, error);
      return undefined;
    });
    if (!other || turn !== this.#turn) return;
    const [mine, theirs] = [own.hits, other.hits].map((hits) => hits.map(({ id }) => id)) as [unknown[], unknown[]];
    const found: Comparison = {
      overlap: overlap(mine, theirs),
      rbo: rankBiasedOverlap(mine, theirs),
      shift: comparable(champion, challenger) ? shiftOf(own, other) : undefined,
      championMs: own.ms,
      challengerMs: other.ms,
    };
    this.#means.overlap.add(found.overlap);
    this.#means.rbo.add(found.rbo);
    if (found.shift !== undefined) this.#means.shift.add(found.shift);
    for (const [name, ms] of [['champion', own.ms], ['challenger', other.ms]] as const) {
      this.#times[name].push(ms);
      if (this.#times[name].length > KEPT_TIMES) this.#times[name].shift();
    }
    this.#tell({ type: 'shadow', champion: champion.release.name, challenger: challenger.release.name, ...found });
  }
}

/** Whether distances of the two mean the same. */
function comparable(one: Held, other: Held): boolean {
  const [a, b] = [one.index.card.model, other.index.card.model];
  const same = a && b ? sameModel(a, b) : a === b;
  return same && one.index.metric === other.index.metric;
}

/** Over the ranks that both have. */
function shiftOf(one: Answer, other: Answer): number | undefined {
  const ranks = Math.min(one.hits.length, other.hits.length);
  if (ranks === 0) return undefined;
  let sum = 0;
  for (let rank = 0; rank < ranks; rank++) sum += other.hits[rank]!.distance - one.hits[rank]!.distance;
  return sum / ranks;
}

function percentiles(times: readonly number[]): Percentiles | undefined {
  if (times.length === 0) return undefined;
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  return { p50: at(0.5), p95: at(0.95) };
}
