/** The page of releases: promoted, rolled back, compared, and decided by visitors. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, test } from "node:test";
import { closeBrowser, DIST, kept, ready, visit } from "./browser.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

after(closeBrowser);

async function releases(run, { mayBeOffline = false, expected = /^$/, ...options } = {}) {
  const visitor = await visit({ hash: "releases.html", ...options });
  try {
    await visitor.page.waitForFunction(() => !document.querySelector("#q").disabled, undefined, { timeout: 60_000 });
    await run(visitor.page, visitor);
    // Without a network the worker's script can't be had either: the release then answers in the page's own thread, and says so.
    const offline = /ERR_INTERNET_DISCONNECTED|searches on the calling thread/;
    assert.deepEqual(visitor.problems.filter((text) => !(mayBeOffline && offline.test(text)) && !expected.test(text)), [], "nothing may reach the console as an error or a warning");
  } finally {
    await visitor.leave();
  }
}

const role = (page, name) => page.locator(`.shelf .${name} th`).evaluate((cell) => cell.firstChild.textContent);
const column = (page, at) => page.locator("#beside > div").nth(at).locator("li b").allTextContents();

test("a release is promoted and taken back while one types, offline too", () =>
  releases(async (page, { server, profile }) => {
    assert.deepEqual([await role(page, "champion"), await role(page, "challenger")], ["codes", "whole"]);
    await page.locator("#q").pressSequentially("a young dog", { delay: 40 });
    await page.locator("#beside h3").nth(1).waitFor();
    await page.waitForFunction(() => Number(document.querySelector("#agreement dd")?.textContent) >= 5);
    const [first, second] = [await column(page, 0), await column(page, 1)];
    assert.equal(first.length, 7);
    assert.notDeepEqual(first, second);
    await page.getByRole("button", { name: "Promote: whole" }).click();
    await page.locator("#told").filter({ hasText: "whole took over from codes" }).waitFor();
    assert.deepEqual([await role(page, "champion"), await role(page, "challenger")], ["whole", "codes"]);
    await page.waitForFunction((wanted) => document.querySelector("#beside li b")?.textContent === wanted, second[0]);
    assert.deepEqual(await column(page, 0), second, "what the challenger said is what the champion says now");
    await profile.setOffline(true);
    server.state.fault = () => "absent";
    await page.locator("#rollback").click();
    await page.locator("#told").filter({ hasText: "Back from whole to codes" }).waitFor();
    assert.deepEqual(await column(page, 0), first);
    assert.match(await page.locator("#log").innerText(), /Searches go over from codes to whole/);
  }, { mayBeOffline: true }));

test("a challenger of another model is asked with its own embedder", () =>
  releases(async (page) => {
    await page.getByRole("button", { name: "Try: shorter" }).click();
    await page.locator("#told").filter({ hasText: "shorter is tried" }).waitFor();
    await page.locator("#q").fill("someone who writes books");
    await page.locator("#beside h3").filter({ hasText: "shorter" }).waitFor();
    await page.waitForFunction(() => Number(document.querySelector("#agreement dd")?.textContent) >= 1);
    assert.doesNotMatch(await page.locator("#log").innerText(), /refused/);
  }));

const minilm = existsSync(join(DIST, "minilm")) ? false : "the model of that release could not be installed when the page was built";

test("a release of a model that runs in the page fetches the model when it is first asked", { skip: minilm }, () =>
  releases(async (page, { server }) => {
    const fetched = () => server.state.requests.filter((path) => path.endsWith(".onnx")).length;
    await page.locator("#q").fill("a small dog");
    await page.locator("#beside h3").nth(1).waitFor();
    assert.equal(fetched(), 0, "who never asks that release fetches nothing of its model");
    await page.getByRole("button", { name: "Promote: minilm" }).click();
    await page.locator("#beside h3").filter({ hasText: "Champion: minilm" }).waitFor({ timeout: 90_000 });
    assert.equal(fetched(), 1);
    assert.equal(await page.locator("#fetching").isVisible(), false, "what has been fetched isn't told of any longer");
    await page.locator("#q").fill("someone who writes books");
    await page.waitForFunction(() => document.querySelector("#beside li b")?.textContent === "writer");
    assert.equal((await column(page, 0)).length, 7);
    assert.doesNotMatch(await page.locator("#log").innerText(), /refused/);
  }));

test("a model that can't be fetched is told of, and asked for again", { skip: minilm }, () =>
  releases(async (page, { server }) => {
    server.state.fault = (path) => (path.endsWith(".onnx") ? "absent" : undefined);
    await page.locator("#q").fill("a small dog");
    await page.locator("#beside h3").nth(1).waitFor();
    await page.getByRole("button", { name: "Try: minilm" }).click();
    await page.locator("#told").filter({ hasText: "couldn’t be answered" }).waitFor();
    server.state.fault = () => undefined;
    await page.locator("#q").fill("a small dog that barks");
    await page.locator("#beside h3").filter({ hasText: "Challenger: minilm" }).waitFor({ timeout: 90_000 });
  }, { expected: /status of 404/ }));

test("visitors decide for what they prefer", () =>
  releases(async (page) => {
    await page.locator("#preference").fill("64");
    await page.locator("#run").click();
    await page.locator("#verdict strong").filter({ hasText: "Visitors prefer whole" }).waitFor({ timeout: 90_000 });
    await page.waitForFunction(() => !document.querySelector("#run").disabled, undefined, { timeout: 90_000 });
    assert.match(await page.locator("#verdict").innerText(), /known after \d+ clicks.*of 1,500 clicks/s);
  }));

for (const [colorScheme, width] of [["light", 1280], ["dark", 1280], ["light", 360]]) {
  test(`is accessible and doesn't run over, ${colorScheme} at ${width} pixels`, () =>
    releases(
      async (page) => {
        await page.locator("#q").fill("a young dog");
        await page.locator("#beside h3").nth(1).waitFor();
        await page.evaluate(AXE);
        const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
        assert.deepEqual(found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`), []);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
        assert.ok(await page.locator(".wide").evaluateAll((all) => all.every(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth)), "no table is cut");
      },
      { colorScheme, viewport: { width, height: 800 } },
    ));
}

test("the dictionary's first visit fetches nothing of it", async () => {
  const visitor = await visit();
  try {
    await ready(visitor.page);
    await kept(visitor.page);
    const own = visitor.server.state.requests.filter((path) => /^registry\/|releases|later-/.test(path));
    assert.deepEqual(own, []);
  } finally {
    await visitor.leave();
  }
});
