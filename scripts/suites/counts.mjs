/**
 * @typedef {{ passed: number, failed: number, skipped: number }} Counts
 */

export const NONE = Object.freeze({ passed: 0, failed: 0, skipped: 0 });

/** @param {Counts[]} all */
export function sum(...all) {
  return all.reduce(
    (a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }),
    NONE,
  );
}

/** One check that either holds or doesn't. */
export function one(holds) {
  return holds ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
}

/** Counts of libtest and wasm-bindgen's runner: a "test result:" line for each binary. */
export function readLibtest(output) {
  const lines = plain(output).matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/gm);
  return sum(...[...lines].map(([, passed, failed, skipped]) => ({ passed: +passed, failed: +failed, skipped: +skipped })));
}

/**
 * Whether wasm-bindgen's runner was started, and ended before the browser ran any test. A test that
 * fails, or that hangs until the time is up, has begun: the page says how many it is about to run.
 */
export function neverBegan(output) {
  const text = plain(output);
  return /driver failed to|^Running headless tests in /m.test(text) && !/^running \d+ tests?$/m.test(text);
}

/** Counts of nextest's summary line, such as "Summary [0.1s] 5 tests run: 3 passed, 1 failed, 1 timed out, 2 skipped". */
export function readNextest(output) {
  const line = [...plain(output).matchAll(/^\s*Summary \[.*$/gm)].at(-1)?.[0];
  if (!line) return NONE;
  const number = (word) => Number(new RegExp(`(\\d+)(?:/\\d+)? ${word}`).exec(line)?.[1] ?? 0);
  const run = Number(/(\d+)(?:\/(\d+))? tests? run/.exec(line)?.[2] ?? /(\d+) tests? run/.exec(line)?.[1] ?? 0);
  const passed = number("passed");
  // What was to run and did not pass has failed, by whatever name: failed, timed out, not run after a break.
  return { passed, failed: run - passed, skipped: number("skipped") };
}

/**
 * The counts of a runner, set right by how it ended: a runner that ran nothing, or that ended
 * badly without naming a failure (it crashed, or did not compile), is itself one failed test.
 *
 * @param {Counts} counts
 * @param {number | string} code
 */
export function judged(counts, code) {
  if (counts.failed > 0) return counts;
  const ranNothing = counts.passed === 0;
  return code !== 0 || ranNothing ? sum(counts, one(false)) : counts;
}

/** The closing line. */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

function plain(text) {
  return text.replace(/\x1b\[[0-9;]*m/g, "");
}
