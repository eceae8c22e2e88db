import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

const www = fileURLToPath(new URL("../../www", import.meta.url));
const compiler = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");

for (const project of [www, join(www, "sw")]) {
  test(`${project.endsWith("sw") ? "the service worker" : "the page"} agrees with its types, and with the package's`, () => {
    try {
      execFileSync(process.execPath, [compiler, "-p", project], { encoding: "utf8" });
    } catch (error) {
      assert.fail(error.stdout || error.message);
    }
  });
}

test("the pages import the built package, a reader of .npy files, and nothing else", () => {
  const foreign = readdirSync(join(www, "src"))
    .filter((name) => name.endsWith(".ts"))
    .flatMap((name) => [...readFileSync(join(www, "src", name), "utf8").matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map(([, from]) => `${name}: ${from}`))
    .filter((line) => !/: (\.\/[a-z]+\.ts|elanus|elanus\/embed|npyjs|virtual:shipped)$/.test(line));
  assert.deepEqual(foreign, []);
});
