import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, test } from "node:test";
import { closeBrowser, describe, headwords, ready, visit } from "./browser.mjs";

after(closeBrowser);

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function violations(page) {
  // The page's policy forbids foreign scripts; the protocol's own evaluation isn't bound by it.
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join(" | ")}`);
  });
}

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing to complain about, ${colorScheme}`, async () => {
    const visitor = await visit({ colorScheme, reducedMotion: "reduce" });
    try {
      const { page } = visitor;
      await ready(page);
      assert.deepEqual(await violations(page), [], "empty");
      await describe(page, "a young dog");
      assert.deepEqual(await violations(page), [], "answers");
      await page.locator(".entry").nth(1).hover();
      assert.deepEqual(await violations(page), [], "an entry pointed at");
      await page.locator(".map summary").click();
      await page.locator(".entry .headword").first().click();
      await page.locator(".entry-opened").waitFor();
      assert.deepEqual(await violations(page), [], "a sense and its neighbours");
      const dark = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
      await page.locator("#theme").click();
      const other = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
      assert.notEqual(dark, other, "the toggle changes the colours");
      assert.deepEqual(await violations(page), [], "the other colours");
      await page.reload();
      assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor), other, "and is remembered");
      await page.goto(`${visitor.server.url}notices.html`);
      assert.deepEqual(await violations(page), [], "notices");
      assert.match(await page.locator("#words").innerText(), /Princeton/);
    } finally {
      await visitor.leave();
    }
  });
}

test("a failure and the wait for the data hold up to axe as well", async () => {
  let fault = (path) => (path.endsWith(".elanus") ? { delay: 4000 } : undefined);
  const visitor = await visit({ fault: (path) => fault(path) });
  try {
    await visitor.page.locator("progress").waitFor();
    assert.deepEqual(await violations(visitor.page), [], "loading");
    fault = (path) => (path.endsWith(".elanus") ? "absent" : undefined);
    await visitor.page.goto("about:blank");
    await visitor.page.goto(visitor.server.url);
    await visitor.page.getByRole("alert").waitFor();
    assert.deepEqual(await violations(visitor.page), [], "failure");
  } finally {
    await visitor.leave();
  }
});

test("everything by keyboard alone", async () => {
  const visitor = await visit();
  try {
    const { page } = visitor;
    await ready(page);
    const focused = () => page.evaluate(() => document.activeElement.className || document.activeElement.id);
    await page.keyboard.press("/");
    assert.equal(await focused(), "q");
    await page.keyboard.type("a young dog");
    await page.locator(".entry").first().waitFor();
    await page.waitForFunction(() => location.hash.includes("young+dog"));
    const words = (await headwords(page)).map(([word]) => word);
    const current = () => page.evaluate(() => document.activeElement.firstChild?.textContent);
    await page.keyboard.press("ArrowDown");
    assert.equal(await current(), words[0]);
    await page.keyboard.press("ArrowDown");
    assert.equal(await current(), words[1]);
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(outline, "solid", "the focus can be seen");
    await page.keyboard.press("End");
    assert.equal(await current(), words.at(-1));
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowUp");
    assert.equal(await focused(), "q", "above the first entry is the question");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.locator(".entry-opened").waitFor();
    assert.equal(await page.locator(".entry-opened .headword").textContent(), words[0]);
    await page.waitForFunction(() => document.activeElement.id === "nearest");
    await page.keyboard.press("Escape");
    assert.equal(await focused(), "q");
    await page.keyboard.press("Escape");
    assert.equal(await page.locator("#q").inputValue(), "", "a second Escape empties the question");
    await page.locator(".examples").waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("ArrowRight");
    assert.ok(await page.getByRole("radio", { name: "Nouns" }).isChecked(), "arrow keys choose the part of speech");
    assert.deepEqual(visitor.problems, []);
  } finally {
    await visitor.leave();
  }
});

test("a screen reader hears the count once the typing pauses", async () => {
  const visitor = await visit();
  try {
    const { page } = visitor;
    await ready(page);
    await page.evaluate(() => {
      globalThis.heard = [];
      new MutationObserver(() => globalThis.heard.push(document.getElementById("announce").textContent)).observe(document.getElementById("announce"), { childList: true });
    });
    await page.locator("#q").pressSequentially("a young dog", { delay: 30 });
    await page.waitForFunction(() => globalThis.heard.length > 0);
    const heard = await page.evaluate(() => globalThis.heard);
    assert.ok(heard.length <= 3, `hardly more than one line for eleven key strokes: ${heard}`);
    assert.match(heard.at(-1), /^20 senses\. The nearest: /);
    const headings = await page.locator("h1, h2, h3").evaluateAll((all) => all.map((node) => Number(node.tagName[1])));
    assert.equal(headings.filter((level) => level === 1).length, 1);
    headings.reduce((before, level) => (assert.ok(level <= before + 1, "no heading level is skipped"), level));
  } finally {
    await visitor.leave();
  }
});

for (const width of [320, 360, 375]) {
  test(`nothing runs over the side at ${width} pixels`, async () => {
    const visitor = await visit({ viewport: { width, height: 740 }, hasTouch: true, isMobile: true });
    try {
      const { page } = visitor;
      await ready(page);
      const overhang = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(await overhang(), 0, "empty");
      await describe(page, "a young dog");
      assert.equal(await overhang(), 0, "answers");
      await page.locator(".entry .headword").first().tap();
      await page.locator(".entry-opened").waitFor();
      assert.equal(await overhang(), 0, "a sense");
      const small = await page.locator("button:visible, .choice:visible").evaluateAll((all) => all.filter((node) => node.getBoundingClientRect().height < 24).map((node) => node.textContent));
      assert.deepEqual(small, [], "targets are at least 24 pixels high");
      await page.goto(`${visitor.server.url}notices.html`);
      assert.equal(await overhang(), 0, "notices");
    } finally {
      await visitor.leave();
    }
  });
}

test("reduced motion is respected", async () => {
  const visitor = await visit({ reducedMotion: "reduce" });
  try {
    await ready(visitor.page);
    await describe(visitor.page, "a young dog");
    const durations = await visitor.page.locator("*").evaluateAll((all) => all.map((node) => getComputedStyle(node)).filter((style) => parseFloat(style.transitionDuration) > 0 || parseFloat(style.animationDuration) > 0).length);
    assert.equal(durations, 0);
  } finally {
    await visitor.leave();
  }
});
