import { cli, demoIndex, demoReleases, pkg, tarball, wasm, www } from "./artefacts.mjs";
import { browser, driver } from "./browser.mjs";
import { dependencies } from "./dependencies.mjs";
import { minilm } from "./minilm.mjs";
import { showProblem } from "./problem.mjs";
import { lintTools, rust } from "./rust.mjs";
import { wasmStd } from "./wasm-std.mjs";
import { wasmBindgen, wasmPack } from "./wasm-tools.mjs";

/**
 * Every step of the set-up, each after the ones it needs. A step is
 *   id, title, needs: ids of steps
 *   estimate: seconds it takes on a fresh machine with two cores
 *   check(site): says in a few words that there is nothing to do, or returns undefined
 *   run(site, tell): does it, telling of its progress, and throws a Problem when it can't
 */
export const STEPS = [
  dependencies,
  rust,
  lintTools,
  browser,
  driver,
  wasmStd,
  wasmPack,
  wasmBindgen,
  wasm,
  cli,
  pkg,
  demoIndex,
  minilm,
  demoReleases,
  www,
  tarball,
];

/** The steps that lead to these, in order. */
export function stepsFor(ids) {
  const wanted = new Set();
  const add = (id) => {
    const step = STEPS.find((candidate) => candidate.id === id);
    if (!step) throw new Error(`no step is called ${id}`);
    if (wanted.has(step)) return;
    wanted.add(step);
    step.needs.forEach(add);
  };
  ids.forEach(add);
  return STEPS.filter((step) => wanted.has(step));
}

/**
 * Brings these steps and all that they need up to date.
 *
 * All checks are made first, so that the time left is known from the start; a step's check is
 * made again when its turn comes if something before it has changed.
 *
 * @param {{ keepGoing?: boolean }} [options] keepGoing: after a failure, still do what doesn't depend on it
 * @returns {Promise<{ ran: string[], failed: Map<string, Error> }>} ids of the steps that had
 *   something to do, and of those that could not be done with the reason of each
 */
export async function ensure(ids, site, progress, { keepGoing = false } = {}) {
  const steps = stepsFor(ids);
  const ready = new Map();
  const pending = new Set();
  for (const step of steps) {
    const answer = isBuilt(step) && step.needs.some((id) => pending.has(id)) ? undefined : await step.check(site);
    if (answer) ready.set(step.id, answer);
    else pending.add(step.id);
  }
  progress.plan(steps.map(({ id, estimate }) => ({ id, estimate, pending: pending.has(id) })));

  const ran = [];
  const failed = new Map();
  for (const [at, step] of steps.entries()) {
    const missing = step.needs.find((id) => failed.has(id));
    if (missing) {
      failed.set(step.id, failed.get(missing));
      progress.note(at + 1, step, "left out, because a step before it failed");
      continue;
    }
    let answer = ready.get(step.id);
    if (!answer || step.needs.some((id) => ran.includes(id))) answer = await step.check(site);
    if (answer) {
      progress.note(at + 1, step, answer);
      continue;
    }
    progress.start(at + 1, step);
    try {
      await step.run(site, (news) => progress.tell(news));
      ran.push(step.id);
      progress.done();
    } catch (error) {
      progress.failed();
      if (!keepGoing) throw error;
      showProblem(error);
      failed.set(step.id, error);
    }
  }
  return { ran, failed };
}

/** Steps whose check reads what their needs make: before those have run it can only say no. */
function isBuilt(step) {
  return [wasm, cli, pkg, demoIndex, demoReleases, www, tarball].includes(step);
}
