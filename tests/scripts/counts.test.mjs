import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { closingLine, judged, neverBegan, readLibtest, readNextest, sum } from "../../scripts/suites/counts.mjs";

const counts = (passed, failed, skipped) => ({ passed, failed, skipped });

test("libtest's result lines are added up, one for each binary", () => {
  const output = [
    "running 3 tests",
    "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
    "test result: \x1b[31mFAILED\x1b[0m. 2 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out",
    "test result: ok. 5 passed; 0 failed; 0 ignored; 0 filtered out; finished in 1.2s",
  ].join("\n");
  assert.deepEqual(readLibtest(output), counts(10, 4, 1));
});

test("nextest's summary is read, and what neither passed nor was skipped has failed", () => {
  assert.deepEqual(readNextest("     Summary [   0.010s] 12 tests run: 12 passed, 3 skipped"), counts(12, 0, 3));
  assert.deepEqual(readNextest("Summary [ 9.1s] 9 tests run: 5 passed (1 slow), 2 failed, 2 timed out, 0 skipped"), counts(5, 4, 0));
  assert.deepEqual(readNextest("Summary [ 9.1s] 4/9 tests run: 3 passed, 1 failed, 0 skipped"), counts(3, 6, 0));
  assert.deepEqual(readNextest("Summary [ 1s] 1 test run: 1 passed, 0 skipped"), counts(1, 0, 0));
  assert.deepEqual(readNextest("error: could not compile"), counts(0, 0, 0));
});

test("a browser that didn't start is told from tests that failed, hung, or weren't compiled", () => {
  const started = "Running headless tests in Chrome on `http://127.0.0.1:34567`\n";
  assert.equal(neverBegan("Error: driver failed to bind port during startup"), true);
  assert.equal(neverBegan(`${started}Error: session not created`), true);
  assert.equal(neverBegan(`${started}running 3 tests\ntest result: FAILED. 2 passed; 1 failed; 0 ignored`), false);
  assert.equal(neverBegan(`${started}running 1 test\nFailed to detect test as having been run.`), false);
  assert.equal(neverBegan("error: could not compile `elanus` (lib test)"), false);
});

test("a runner that ran nothing or broke down without a failure is a failed test", () => {
  assert.deepEqual(judged(counts(0, 0, 0), 0), counts(0, 1, 0));
  assert.deepEqual(judged(counts(0, 0, 7), 0), counts(0, 1, 7));
  assert.deepEqual(judged(counts(5, 0, 0), 101), counts(5, 1, 0));
  assert.deepEqual(judged(counts(5, 0, 0), "SIGKILL"), counts(5, 1, 0));
  assert.deepEqual(judged(counts(5, 2, 0), 1), counts(5, 2, 0));
  assert.deepEqual(judged(counts(5, 0, 1), 0), counts(5, 0, 1));
});

test("the closing line names skipped tests only when there are some", () => {
  assert.equal(closingLine(sum(counts(3, 1, 0), counts(4, 0, 0))), "7 passed, 1 failed");
  assert.equal(closingLine(counts(7, 0, 2)), "7 passed, 0 failed, 2 skipped");
});

test("the reporter counts tests, not suites, and takes a file without tests for a failure", (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "elanus-reporter-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const write = (name, text) => writeFileSync(path.join(folder, name), text);
  write(
    "mixed.test.mjs",
    `import { describe, test } from "node:test";
     describe("suite", () => {
       test("passes", () => {});
       test("fails", () => { throw new Error("as it should"); });
     });
     test("is skipped", { skip: true }, () => {});
     test("is to do", { todo: true }, () => {});`,
  );
  write("empty.test.mjs", "export {};");
  write("broken.test.mjs", "throw new Error('at import');");
  const out = path.join(folder, "counts.json");
  const reporter = new URL("../../scripts/suites/count-reporter.mjs", import.meta.url).href;
  const files = ["mixed", "empty", "broken"].map((name) => path.join(folder, `${name}.test.mjs`));
  // The variable would make the inner node report to this one instead of to its own reporter.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  spawnSync(process.execPath, ["--test", `--test-reporter=${reporter}`, `--test-reporter-destination=${out}`, ...files], { env });
  const { empty, ...found } = JSON.parse(readFileSync(out, "utf8"));
  assert.deepEqual(found, counts(1, 3, 2), "one passes; the failing one, the empty file and the broken file fail");
  assert.equal(empty.length, 1);
});
