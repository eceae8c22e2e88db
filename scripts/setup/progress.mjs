/**
 * Shows the steps of a set-up: what is being done, how long it has taken, how long is left.
 *
 * It uses nothing but Node, because the first thing it reports on is the installing of packages.
 * On a terminal the current step is one line that is rewritten; elsewhere (a log, CI) a line is
 * written when a step starts, every quarter of a minute, and when it ends.
 */
export class Progress {
  #out;
  #live;
  #timer;
  #step;
  #lastLine = 0;

  constructor({ out = process.stdout, now = () => performance.now() / 1000 } = {}) {
    this.#out = out;
    this.#live = Boolean(out.isTTY) && !process.env.CI;
    this.now = now;
    this.forecast = new Forecast();
  }

  /** @param {{ id: string, estimate: number, pending: boolean }[]} steps in order */
  plan(steps) {
    this.total = steps.length;
    this.forecast.plan(steps);
    const left = this.forecast.left();
    if (left >= 2) this.#out.write(`${steps.filter((s) => s.pending).length} steps to do, about ${duration(left)}.\n\n`);
  }

  /** A step that had nothing to do. */
  note(number, step, text) {
    this.forecast.skip(step.id);
    this.#out.write(`${this.#tag(number)} ${step.title}: ${text}\n`);
  }

  start(number, step) {
    this.#step = { number, title: step.title, id: step.id, begun: this.now(), fraction: undefined, detail: "" };
    this.#lastLine = this.now();
    this.forecast.start(step.id, step.estimate);
    if (this.#live) {
      this.#timer = setInterval(() => this.#redraw(), 200);
    } else {
      this.#out.write(`${this.#tag(number)} ${step.title} (about ${duration(this.forecast.left())} left in all)\n`);
      this.#timer = setInterval(() => this.#report(), 1000);
    }
    this.#timer.unref();
  }

  /** @param {{ fraction?: number, detail?: string }} news of the step that is running */
  tell({ fraction, detail }) {
    if (!this.#step) return;
    if (fraction !== undefined) this.#step.fraction = fraction;
    if (detail !== undefined) this.#step.detail = detail;
  }

  done() {
    const step = this.#close();
    const spent = this.now() - step.begun;
    this.forecast.finish(spent);
    const text = `done in ${duration(spent)}`;
    this.#out.write(this.#live ? `${this.#tag(step.number)} ${step.title}: ${text}\n` : `        ${text}\n`);
  }

  failed() {
    const step = this.#close();
    this.forecast.finish(this.now() - step.begun);
    this.#out.write(`${this.#tag(step.number)} ${step.title}: failed after ${duration(this.now() - step.begun)}\n`);
  }

  #close() {
    clearInterval(this.#timer);
    if (this.#live) this.#out.write("\r\x1b[K");
    const step = this.#step;
    this.#step = undefined;
    return step;
  }

  #state() {
    const { begun, fraction, detail } = this.#step;
    const spent = this.now() - begun;
    const share = fraction === undefined ? "" : `${Math.floor(fraction * 100)} %, `;
    const left = duration(this.forecast.left(spent, fraction));
    return `${share}${duration(spent)} gone, about ${left} left in all${detail ? ` · ${detail}` : ""}`;
  }

  #redraw() {
    const width = (this.#out.columns ?? 80) - 1;
    const line = `${this.#tag(this.#step.number)} ${this.#step.title}: ${this.#state()}`;
    this.#out.write(`\r\x1b[K${line.slice(0, width)}`);
  }

  #report() {
    if (this.now() - this.#lastLine < 15) return;
    this.#lastLine = this.now();
    this.#out.write(`        ${this.#state()}\n`);
  }

  #tag(number) {
    return `[${String(number).padStart(2)}/${this.total}]`;
  }
}

/**
 * Time left: the table's estimates, stretched by how this machine has kept to them so far, and
 * for the running step by its own measured progress, which counts for more the further it is.
 */
export class Forecast {
  // The table gets the weight of this many seconds, so that a two-second step can't swing the rest.
  #prior = 30;
  #spent = 0;
  #expected = 0;
  #pending = new Map();
  #running;

  plan(steps) {
    this.#pending = new Map(steps.filter((s) => s.pending).map((s) => [s.id, s.estimate]));
  }

  skip(id) {
    this.#pending.delete(id);
  }

  start(id, estimate) {
    this.#pending.delete(id);
    this.#running = estimate;
  }

  finish(spent) {
    this.#spent += spent;
    this.#expected += this.#running ?? 0;
    this.#running = undefined;
  }

  /** How much slower (or faster) than the table this machine is; bounded, as one step can take a short cut. */
  pace() {
    const ratio = (this.#prior + this.#spent) / (this.#prior + this.#expected);
    return Math.min(4, Math.max(0.6, ratio));
  }

  left(spent = 0, fraction = undefined) {
    let total = 0;
    for (const estimate of this.#pending.values()) total += estimate * this.pace();
    if (this.#running !== undefined) {
      const byTable = Math.max(this.#running * this.pace() - spent, spent * 0.1);
      const byProgress = fraction ? (spent * (1 - fraction)) / fraction : byTable;
      const trust = fraction ?? 0;
      total += trust * byProgress + (1 - trust) * byTable;
    }
    return total;
  }
}

/** Seconds as a person says them. */
export function duration(seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}
