import assert from "node:assert/strict";
import { after, test } from "node:test";
import { closeBrowser, describe, headwords, parts, ready, visit } from "./browser.mjs";

after(closeBrowser);

async function visited(options, run) {
  const visitor = await visit(options);
  try {
    await run(visitor);
    assert.deepEqual(visitor.problems, [], "nothing may reach the console as an error or a warning");
  } finally {
    await visitor.leave();
  }
}

const WANTED = [
  ["a young dog", ["puppy", "pup"]],
  ["fear of being shut in a small space", ["claustrophobia"]],
  ["the line where the sky meets the sea", ["horizon", "skyline"]],
  ["someone who walks in their sleep", ["sleepwalker", "somnambulist"]],
  ["to speak in a very low voice", ["whisper"]],
];

test("descriptions find their words, and every answer is an entry with a gloss and a similarity", () =>
  visited({}, async ({ page }) => {
    await ready(page);
    for (const [description, words] of WANTED) {
      await describe(page, description);
      const found = await headwords(page);
      assert.equal(found.length, 20);
      assert.ok(
        found.slice(0, 10).flat().some((word) => words.includes(word)),
        `"${description}" should give ${words.join(" or ")} among the first ten, got ${found.slice(0, 10).flat().join(", ")}`,
      );
    }
    const similarities = (await page.locator(".similarity").allTextContents()).map(Number);
    assert.deepEqual(similarities, [...similarities].sort((a, b) => b - a), "nearest first");
    assert.ok(similarities.every((value) => value > 0 && value <= 1), `similarities: ${similarities}`);
    assert.ok((await page.locator(".entry .gloss").allTextContents()).every((gloss) => gloss.length > 2));
  }));

test("answers come while one types, and the last key stroke wins", () =>
  visited({}, async ({ page }) => {
    await ready(page);
    await page.locator("#q").pressSequentially("a young do", { delay: 5 });
    await page.locator(".entry").first().waitFor();
    await page.locator("#q").pressSequentially("g");
    await page.waitForFunction(() => new URLSearchParams(location.hash.slice(1)).get("q") === "a young dog");
    const typed = await headwords(page);
    await page.reload();
    await page.locator(".entry").first().waitFor();
    assert.deepEqual(await headwords(page), typed, "a fresh page gives the same answer to the same address");
  }));

test("the part of speech goes through the index's filter", () =>
  visited({}, async ({ page }) => {
    await ready(page);
    await describe(page, "move quickly on foot");
    const all = await headwords(page);
    for (const [name, short] of [["Adverbs", "adv."], ["Nouns", "n."], ["Verbs", "v."], ["Adjectives", "adj."]]) {
      await page.getByRole("radio", { name, exact: true }).check();
      await page.waitForFunction((wanted) => {
        const shown = [...document.querySelectorAll(".entry .part")].map((part) => part.textContent);
        return shown.length === 20 && shown.every((part) => part === wanted);
      }, short);
    }
    await page.getByRole("radio", { name: "All", exact: true }).check();
    await page.waitForFunction((wanted) => {
      const shown = [...document.querySelectorAll(".entry .headword")].map((word) => word.firstChild.textContent);
      return shown.join() === wanted;
    }, all.map(([word]) => word).join());
  }));

test("a sense's neighbours: on click, in the address, back by crumb and by the browser's button", () =>
  visited({}, async ({ page, profile, server }) => {
    await ready(page);
    await describe(page, "a young dog");
    const first = await headwords(page);
    const gloss = await page.locator(".entry .gloss").first().textContent();
    await page.locator(".entry").first().click();
    await page.locator(".entry-opened").waitFor();
    assert.equal(await page.locator(".entry-opened .headword").textContent(), first[0][0]);
    assert.equal(await page.locator("#q").inputValue(), gloss);
    const neighbours = await headwords(page);
    assert.equal(neighbours.length, 20);
    assert.equal(await page.locator(".trail a").last().textContent(), "“a young dog”");

    const other = await profile.newPage();
    await other.goto(page.url());
    await other.locator(".entry-opened").waitFor();
    assert.deepEqual(await headwords(other), neighbours, "the address alone leads there");
    assert.equal(await other.locator(".entry-opened .headword").textContent(), first[0][0]);
    await other.getByRole("radio", { name: "Adverbs" }).check();
    await other.waitForFunction(() => location.hash.includes("pos=r"));
    await other.reload();
    await other.locator(".entry-opened").waitFor();
    assert.equal(await other.locator(".entry-opened .headword").textContent(), first[0][0], "though the filter leaves it out");
    assert.deepEqual(new Set(await parts(other)), new Set(["n.", "adv."]), "the noun itself, and adverbs");
    await other.close();

    await page.locator(".entry .headword").nth(3).click();
    const second = neighbours[3][0];
    await page.waitForFunction((word) => document.querySelector(".entry-opened .headword")?.textContent === word, second);
    assert.equal(await page.locator(".trail a").last().textContent(), first[0][0]);
    await page.locator(".trail a").last().click();
    await page.waitForFunction((word) => document.querySelector(".entry-opened .headword")?.textContent === word, first[0][0]);
    await page.goBack();
    await page.waitForFunction((word) => document.querySelector(".entry-opened .headword")?.textContent === word, second);
    await page.goBack();
    await page.goBack();
    await page.waitForFunction(() => document.querySelector("#q").value === "a young dog");
    await page.locator(".entry-opened").waitFor({ state: "detached" });
    assert.deepEqual(await headwords(page), first);
    assert.ok(server.url.endsWith("/some/path/"), "all this under a path of its own");
  }));

test("the map shows the hits, and it and the list point at each other", () =>
  visited({}, async ({ page }) => {
    await ready(page);
    await describe(page, "a young dog");
    await page.locator(".map .point").nth(19).waitFor();
    const places = await page.locator(".map .point").evaluateAll((points) => points.map((point) => point.style.transform));
    assert.ok(new Set(places).size > 10, "the points are spread out");
    const words = (await headwords(page)).map(([word]) => word);
    assert.deepEqual(await page.locator(".map details li").evaluateAll((items) => items.map((item) => item.textContent.split(":")[0])), words);

    await page.locator(".entry").nth(2).hover();
    assert.equal(await page.locator(".map .point.lit text").textContent(), words[2]);
    await page.locator(".map .point").first().focus();
    const lit = await page.locator(".map .point.lit text").textContent();
    assert.equal(await page.locator(".entry.lit .headword").evaluate((node) => node.firstChild.textContent), lit);
    await page.keyboard.press("ArrowRight");
    const moved = await page.locator(".entry.lit .headword").evaluate((node) => node.firstChild.textContent);
    await page.keyboard.press("ArrowLeft");
    assert.notEqual(`${moved}`, `${lit}`, "an arrow key moves to another point");
    await page.locator(".map .point").first().focus();
    await page.keyboard.press("Enter");
    await page.locator(".entry-opened").waitFor();
  }));

test("the figures are measured here: times, bytes, memory, recall against exact search", () =>
  visited({}, async ({ page }) => {
    await ready(page);
    await describe(page, "a young dog");
    const figures = page.locator("#figures");
    assert.match(await figures.innerText(), /117,791 senses × \d+ dimensions/);
    assert.match(await figures.innerText(), /[\d.]+ MB of WebAssembly memory/);
    const times = await page.locator(".times tbody td").allTextContents();
    assert.equal(times.length, 6);
    for (const time of times) assert.match(time, /^(< 0\.1|\d+(\.\d)?) ms$/);

    assert.match(await figures.innerText(), /needs all of the dictionary/);
    await page.getByRole("button", { name: "Measure now" }).click();
    await page.getByRole("button", { name: "Measure again" }).waitFor({ timeout: 60_000 });
    const recall = Number(await page.locator(".recall-value").textContent());
    assert.ok(recall >= 0.9 && recall <= 1, `recall at 10: ${recall}`);
    assert.match(await figures.innerText(), /over 6\d descriptions/);

    const before = await headwords(page);
    await page.getByRole("radio", { name: "all, exact" }).check();
    await page.waitForFunction(() => document.querySelector(".times caption").textContent.startsWith("1 query"));
    assert.match(await figures.innerText(), /By definition/);
    const exact = await headwords(page);
    const shared = exact.slice(0, 10).filter(([word]) => before.slice(0, 10).some(([other]) => other === word));
    assert.ok(shared.length >= 8, `the default setting's answers agree with exact ones: ${shared.length} of 10`);
  }));

test("words that the model doesn't know, and none at all", () =>
  visited({}, async ({ page }) => {
    await ready(page);
    await page.locator(".examples a").first().click();
    await page.locator(".entry").first().waitFor();
    assert.ok((await page.locator("#q").inputValue()).length > 3, "an example fills the question");
    await page.getByRole("button", { name: "Clear the description" }).click();
    await page.locator(".examples").waitFor();
    assert.equal(await page.locator(".entry").count(), 0);
  }));
