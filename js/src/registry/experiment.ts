import type { Hit, SearchOptions } from '../engine.js';
import { ElanusError } from '../errors.js';
import { answer, type Answer, fromStart, type Question } from './answer.js';
import { Clicks, type LiveHit } from './clicks.js';
import type { Tell } from './events.js';
import type { Held } from './follow.js';
import { teamDraft } from './interleave.js';
import type { Preference } from './preference.js';
import { Shadow, type ShadowState } from './shadow.js';

/** How a challenger is tried on live queries. */
export interface Experiment {
  readonly mode: 'shadow' | 'interleave';
  /** Shadow: the share of the queries that the challenger answers as well. */
  readonly share: number;
  /** Interleaving: whether this visitor takes part. */
  readonly assigned: boolean;
  /** A number in 0..1, and one of 53 bits. */
  readonly draw: () => number;
  readonly drawSeed: () => number;
}

/** How an experiment stands in this page. */
export interface ExperimentState {
  readonly mode: 'shadow' | 'interleave';
  /** Interleaving: whether this visitor takes part. Shadow: true. */
  readonly assigned: boolean;
  readonly champion: string;
  /** `undefined` while there is none that could be asked. */
  readonly challenger: string | undefined;
  /** Shadow: what the two releases' answers have in common. */
  readonly shadow: ShadowState | undefined;
  /** Interleaving: what this page's clicks say. */
  readonly interleaved: Preference | undefined;
}

/** Asks a challenger beside the champion, and says how they compare. All that it counts is of one pair of releases. */
export class Trial {
  readonly #experiment: Experiment;
  readonly #tell: Tell;
  readonly #shadow: Shadow;
  readonly #clicks: Clicks;
  #pair = '';
  /** What was told already of the present challenger. */
  readonly #told = new Set<string>();

  constructor(experiment: Experiment, tell: Tell) {
    this.#experiment = experiment;
    this.#tell = tell;
    this.#shadow = new Shadow(tell, (challenger, error) => this.#unanswered(challenger, error));
    this.#clicks = new Clicks(tell, experiment.drawSeed);
  }

  /** Whether this search is to be answered by a list of both. */
  interleaves({ groupByField, radius }: SearchOptions): boolean {
    return this.#experiment.mode === 'interleave' && this.#experiment.assigned && groupByField === undefined && radius === undefined;
  }

  /** Lets the challenger answer a sampled share of what the champion has answered, later. */
  shadow(champion: Held, challenger: Held, question: Question, options: SearchOptions, own: Answer): void {
    const { mode, share, draw } = this.#experiment;
    if (mode !== 'shadow') return;
    this.#about(champion, challenger);
    if (draw() < share) this.#shadow.add({ champion, challenger, question, options, own });
  }

  /**
   * Makes one list of what both find.
   *
   * @param own the champion's answer to the first `offset + limit` places
   */
  async interleave(champion: Held, challenger: Held, question: Question, options: SearchOptions, own: Promise<Answer>): Promise<LiveHit[]> {
    const { limit = 10, offset = 0 } = options;
    const other = answer(challenger, question, fromStart(options)).catch((error: unknown) => {
      options.signal?.throwIfAborted();
      this.#unanswered(challenger, error);
      return undefined;
    });
    // The champion's failure is the caller's; then nobody waits for the other.
    other.catch(() => undefined);
    const { hits } = await own;
    const theirs = await other;
    if (!theirs) return hits.slice(offset);
    this.#about(champion, challenger);
    const query = this.#clicks.open(keyOf(question, options), champion.release.name, challenger.release.name);
    const list = teamDraft(
      hits.map((hit) => ({ id: hit.id, hit, release: champion.release.name })),
      theirs.hits.map((hit) => ({ id: hit.id, hit, release: challenger.release.name })),
      offset + limit,
      query.seed,
    );
    query.show(list.map(({ team }) => team));
    return list.map(({ hit: { hit, release } }, rank): LiveHit => ({ ...hit, release, place: query.place(rank) })).slice(offset);
  }

  /** Credits a click. */
  feedback(hit: Hit): boolean {
    return this.#clicks.credit((hit as LiveHit).place);
  }

  /** Tells what the clicks on the lists so far have decided. */
  settle(): void {
    this.#clicks.settle();
  }

  state(champion: Held, challenger: Held | undefined): ExperimentState {
    const { mode, assigned } = this.#experiment;
    if (challenger) this.#about(champion, challenger);
    return {
      mode,
      assigned: mode === 'shadow' || assigned,
      champion: champion.release.name,
      challenger: challenger?.release.name,
      shadow: mode === 'shadow' ? this.#shadow.state() : undefined,
      interleaved: mode === 'interleave' ? this.#clicks.state() : undefined,
    };
  }

  close(): void {
    this.#shadow.clear();
    this.#clicks.close();
  }

  /** Begins anew when one of the two releases isn't what it was. */
  #about(champion: Held, challenger: Held): void {
    const pair = `${champion.release.file.sha256} ${challenger.release.file.sha256}`;
    if (pair === this.#pair) return;
    this.#pair = pair;
    this.#told.clear();
    this.#shadow.clear();
    this.#clicks.clear();
  }

  #unanswered(challenger: Held, error: unknown): void {
    const code = `${challenger.release.file.sha256} ${error instanceof ElanusError ? error.code : ''}`;
    if (this.#told.has(code)) return;
    this.#told.add(code);
    this.#tell({ type: 'unanswered', release: challenger.release.name, error });
  }
}

/** Lists are the same for the same question and the same of what says which rows are found. */
function keyOf(question: Question, { signal: _, model: __, limit: ___, offset: ____, outputFields: _____, ...found }: SearchOptions): string {
  return `${JSON.stringify(found)} ${question.key}`;
}
