import type { Hit } from '../engine.js';
import type { Outcome, Tell } from './events.js';
import type { Team } from './interleave.js';
import { preference, type Preference, type Tally } from './preference.js';

/** A hit of a live index. */
export interface LiveHit extends Hit {
  /** Interleaved lists: the release that the hit is of; its `row` is one of that release. */
  readonly release?: string;
  /** Interleaved lists: which place of which list it is; what `feedback` looks at. */
  readonly place?: number;
}

/** Lists on which clicks are waited for; those of the oldest are counted when there are more. */
const MOST_OPEN = 16;
/** Queries after which an outcome is told, whatever happens. */
const MOST_UNTOLD = 20;
/** More places than a search can have. */
const PLACES = 1 << 15;

/** A list that was shown, and what was clicked on it. */
interface Shown {
  readonly key: string;
  readonly number: number;
  readonly seed: number;
  readonly champion: string;
  readonly challenger: string;
  teams: readonly Team[];
  readonly clicked: Set<number>;
}

/** What an interleaved list needs: its seed, and numbers for its places. */
interface Opened {
  readonly seed: number;
  show(teams: readonly Team[]): void;
  place(rank: number): number;
}

const NOTHING: Tally = { wins: 0, losses: 0, ties: 0 };
const sum = (a: Tally, b: Tally): Tally => ({ wins: a.wins + b.wins, losses: a.losses + b.losses, ties: a.ties + b.ties });

/** Remembers interleaved lists for as long as clicks on them may come, and counts which team had more. */
export class Clicks {
  readonly #tell: Tell;
  readonly #drawSeed: () => number;
  readonly #onHidden = (): void => {
    if (document.visibilityState === 'hidden') this.settle();
  };
  /** The oldest first. */
  #open: Shown[] = [];
  #asked = 0;
  #untold: Tally = NOTHING;
  #told: Tally = NOTHING;
  #names: { champion: string; challenger: string } | undefined;

  constructor(tell: Tell, drawSeed: () => number) {
    this.#tell = tell;
    this.#drawSeed = drawSeed;
    // What isn't told when a page is hidden may never be.
    (globalThis as { document?: Document }).document?.addEventListener('visibilitychange', this.#onHidden);
  }

  /** The list of this question; the same one if it is asked again while clicks may come. */
  open(key: string, champion: string, challenger: string): Opened {
    this.#names = { champion, challenger };
    let shown = this.#open.find((list) => list.key === key);
    if (!shown) {
      shown = { key, number: this.#asked++, seed: this.#drawSeed(), champion, challenger, teams: [], clicked: new Set() };
      this.#open.push(shown);
      if (this.#open.length > MOST_OPEN) this.#count(this.#open.shift()!);
    }
    const list = shown;
    return {
      seed: list.seed,
      show: (teams) => {
        const first = list.teams.length === 0;
        if (teams.length > list.teams.length) list.teams = teams;
        if (first) this.#tell({ type: 'interleaved', champion, challenger, query: list.number, seed: list.seed, teams });
      },
      place: (rank) => list.number * PLACES + rank,
    };
  }

  /** Credits a click; false if it is on no list that is still counted. */
  credit(place: number | undefined): boolean {
    if (place === undefined) return false;
    const [number, rank] = [Math.floor(place / PLACES), place % PLACES];
    const list = this.#open.find((shown) => shown.number === number);
    const team = list?.teams[rank];
    if (!list || !team) return false;
    if (!list.clicked.has(rank)) {
      list.clicked.add(rank);
      this.#tell({ type: 'clicked', query: number, rank, team });
    }
    return true;
  }

  /** Counts all lists, and tells the outcome. Clicks on them come too late from now on. */
  settle(): void {
    for (const list of this.#open.splice(0)) this.#count(list);
    this.#report();
  }

  /** What all clicks say, those on lists that are still open among them. */
  state(): Preference {
    return preference([this.#told, this.#untold, ...this.#open.filter(({ clicked }) => clicked.size > 0).map(outcomeOf)]);
  }

  /** Begins anew, with other releases. */
  clear(): void {
    this.settle();
    this.#told = NOTHING;
  }

  close(): void {
    this.settle();
    (globalThis as { document?: Document }).document?.removeEventListener('visibilitychange', this.#onHidden);
  }

  #count(list: Shown): void {
    this.#untold = sum(this.#untold, outcomeOf(list));
    const { wins, losses, ties } = this.#untold;
    if (wins + losses + ties >= MOST_UNTOLD) this.#report();
  }

  #report(): void {
    const { wins, losses, ties } = this.#untold;
    if (!this.#names || wins + losses + ties === 0) return;
    this.#told = sum(this.#told, this.#untold);
    this.#untold = NOTHING;
    const outcome: Outcome = { schema_version: 1, ...this.#names, wins, losses, ties };
    this.#tell({ type: 'outcome', outcome });
  }
}

/** Who had more clicks. */
function outcomeOf({ teams, clicked }: Shown): Tally {
  const of = (team: Team): number => [...clicked].filter((rank) => teams[rank] === team).length;
  const lead = of('challenger') - of('champion');
  return { wins: lead > 0 ? 1 : 0, losses: lead < 0 ? 1 : 0, ties: lead === 0 ? 1 : 0 };
}
