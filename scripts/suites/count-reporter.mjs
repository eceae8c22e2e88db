import path from "node:path";

/**
 * A reporter for node:test that writes one JSON line with the counts. Suites (describe) are not
 * counted, and a file without any test is a failure: node itself would report it as passed.
 */
export default async function* countReporter(events) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const empty = [];
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.details?.type === "suite") continue;
    if (data.skip !== undefined || data.todo !== undefined) counts.skipped += 1;
    else if (type === "test:fail") counts.failed += 1;
    else if (isFile(data)) empty.push(data.name);
    else counts.passed += 1;
  }
  counts.failed += empty.length;
  yield `${JSON.stringify({ ...counts, empty })}\n`;
}

/** With no test in it, a file stands for itself: named by its own path. */
function isFile({ name, file, nesting }) {
  return nesting === 0 && path.isAbsolute(name) && (file === undefined || name === file);
}
