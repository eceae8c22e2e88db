import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { closeBrowser, visit } from "./browser.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const FIXTURES = fileURLToPath(new URL("../fixtures/", import.meta.url));
const foreign = (name) => path.join(FIXTURES, "foreign", name);

after(closeBrowser);

async function bring(run, options = {}) {
  const visitor = await visit({ hash: "bring.html", ...options });
  try {
    await run(visitor.page, visitor);
    assert.deepEqual(visitor.problems, [], "nothing may reach the console as an error or a warning");
  } finally {
    await visitor.leave();
  }
}

const fact = (page, name) => page.locator(`.facts dt:text-is("${name}") + dd`).textContent();

async function near(page, row) {
  await page.locator("#row").fill(String(row));
  await page.getByRole("button", { name: "Search", exact: true }).first().click();
  await page.locator(".found tbody tr").first().waitFor();
  return page.locator(".found tbody tr").evaluateAll((rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
}

test("a file of hnswlib asks for its metric, says what it is, and finds what is near a row", () =>
  bring(async (page) => {
    await page.locator("#file").setInputFiles(foreign("hnswlib/l2.bin"));
    await page.locator(".fault").waitFor();
    assert.match(await page.locator(".fault").textContent(), /L2, IP or COSINE/);
    assert.ok(await page.locator("#metric").isVisible(), "the hints open when one is missing");
    await page.locator("#metric").selectOption("L2");
    await page.locator("#again").click();
    await page.locator(".facts").waitFor();
    assert.match(await fact(page, "Written by"), /hnswlib/);
    assert.match(await fact(page, "Vectors"), /150 of 12 dimensions/);
    const found = await near(page, 7);
    assert.equal(found.length, 10);
    assert.deepEqual([found[0][1], Number(found[0][2])], ["7", 0]);
    const second = found[1][1];
    await page.locator(".found button").nth(1).click();
    await page.waitForFunction((row) => document.querySelector("#row").value === row, second);
  }));

test("what is saved is an .elanus file with the same neighbours", () =>
  bring(async (page) => {
    await page.locator("#file").setInputFiles(foreign("faiss/hnsw-flat-l2.faiss"));
    await page.locator(".facts").waitFor();
    const before = (await near(page, 3)).map(([id]) => id);
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save as .elanus" }).click()]);
    assert.match(download.suggestedFilename(), /\.elanus$/);
    await page.getByText("the same index, which answers alike").waitFor();
    const saved = await download.path();
    assert.equal(readFileSync(saved).subarray(1, 7).toString(), "ELANUS");
    await page.locator("#file").setInputFiles({ name: "saved.elanus", mimeType: "application/octet-stream", buffer: readFileSync(saved) });
    await page.waitForFunction(() => document.querySelector(".facts dd")?.textContent === "Elanus");
    const after = (await near(page, 3)).map(([id]) => id);
    assert.equal(after[0], before[0]);
    assert.ok(after.filter((id) => before.includes(id)).length >= 9, `${after} for ${before}`);
  }));

test("levels of a graph and sizes of lists are drawn, and what can't be kept is indexed anew", () =>
  bring(async (page) => {
    await page.locator("#file").setInputFiles(foreign("faiss/hnsw-flat-l2.faiss"));
    await page.locator(".pyramid").waitFor();
    assert.match(await page.locator(".pyramid").getAttribute("aria-label"), /level 0: 200/);
    await page.locator("#file").setInputFiles(foreign("faiss/ivf-pqfs.faiss"));
    await page.locator(".spread-bar").waitFor();
    assert.match(await page.locator(".spread-bar").getAttribute("aria-label"), /from \d+ to \d+ vectors a list/);
    assert.equal(await page.locator(".pyramid").count(), 0);
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save as .elanus" }).click()]);
    await page.getByText("indexed anew").waitFor();
    assert.equal(readFileSync(await download.path()).subarray(1, 7).toString(), "ELANUS");
  }));

test("a .npy gets an index, and a pasted vector finds its row", () =>
  bring(async (page) => {
    const rows = Array.from({ length: 40 }, (_, row) => [row, 1, (row * row) % 17]);
    await page.locator("#file").setInputFiles({ name: "three.npy", mimeType: "application/octet-stream", buffer: npy(rows) });
    await page.locator(".facts").waitFor();
    assert.match(await fact(page, "Written by"), /\.npy/);
    await page.locator("#vector").fill("[5, 1, 8]");
    await page.getByRole("button", { name: "Search", exact: true }).nth(1).click();
    await page.locator(".found tbody tr").first().waitFor();
    assert.equal(await page.locator(".found tbody tr td").nth(1).textContent(), "5");
    await page.locator("#vector").fill("1, 2");
    await page.getByRole("button", { name: "Search", exact: true }).nth(1).click();
    await page.locator("#answers .fault").waitFor();
    assert.match(await page.locator("#answers .fault").textContent(), /3/);
  }));

test("a file that is none of these is refused with what is read", () =>
  bring(async (page) => {
    await page.locator("#file").setInputFiles({ name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("not an index") });
    await page.locator(".fault").waitFor();
    assert.ok((await page.locator(".fault").textContent()).length > 20);
    assert.ok(!(await page.locator("#opened").isVisible()));
  }));

test("the page is accessible in both themes and fits a small screen", async () => {
  for (const options of [{ colorScheme: "light" }, { colorScheme: "dark", viewport: { width: 360, height: 740 } }]) {
    await bring(async (page) => {
      await page.locator("#file").setInputFiles(foreign("hnswlib/ip.bin"));
      await page.locator("#metric").selectOption("IP");
      await page.locator("#again").click();
      await page.locator(".facts").waitFor();
      await near(page, 1);
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), []);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing sticks out");
    }, options);
  }
});

/** Rows as NumPy saves them in float32. */
function npy(rows) {
  const head = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows.length}, ${rows[0].length}), }`;
  const padded = head.padEnd(Math.ceil((head.length + 11) / 64) * 64 - 11) + "\n";
  const buffer = Buffer.alloc(10 + padded.length + 4 * rows.flat().length);
  buffer.write("\x93NUMPY\x01\x00", "latin1");
  buffer.writeUInt16LE(padded.length, 8);
  buffer.write(padded, 10);
  rows.flat().forEach((x, i) => buffer.writeFloatLE(x, 10 + padded.length + 4 * i));
  return buffer;
}
