import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { closeBrowser, describe, DIST, headwords, ready, visit } from "./browser.mjs";

after(closeBrowser);

const kept = (page) => page.getByText("Everything is kept").waitFor({ timeout: 60_000 });
const isIndex = (path) => path.endsWith(".elanus");

test("works without a network after the first visit, which fetched the big files once", async () => {
  const visitor = await visit();
  try {
    const { page, server, profile } = visitor;
    await ready(page);
    await kept(page);
    await describe(page, "a young dog");
    const online = await headwords(page);
    for (const wanted of [isIndex, (path) => path.endsWith(".safetensors")]) {
      assert.equal(server.state.requests.filter(wanted).length, 1, "no big file is fetched twice");
    }
    await profile.setOffline(true);
    server.state.fault = () => "absent";
    await page.reload();
    await page.locator(".entry").first().waitFor();
    assert.deepEqual(await headwords(page), online);
    await describe(page, "someone who studies the stars");
    await page.goto(`${server.url}notices.html`);
    assert.match(await page.locator("#wordnet").innerText(), /Princeton/);
    assert.deepEqual(visitor.problems, []);
  } finally {
    await visitor.leave();
  }
});

/** Another version of the built page: one byte of its shell and its title differ. */
function nextVersion(t) {
  const folder = mkdtempSync(join(tmpdir(), "elanus-next-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(DIST, folder, { recursive: true });
  const page = join(folder, "index.html");
  writeFileSync(page, readFileSync(page, "utf8").replace("vector search inside a browser tab", "the next version"));
  return folder;
}

test("a half-deployed version is refused, a whole one waits until it is asked for", async (t) => {
  const visitor = await visit();
  try {
    const { page, server } = visitor;
    await ready(page);
    await kept(page);
    const folder = nextVersion(t);
    server.state.root = folder;
    // The page is the next version's, the service worker that comes with it names other bytes: a mix.
    const worker = readFileSync(join(folder, "sw.js"), "utf8");
    writeFileSync(join(folder, "sw.js"), `${worker}\n// deployed half way`);
    visitor.problems.length = 0;
    await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      await registration.update().catch(() => undefined);
      const worker = registration.installing;
      if (worker) await new Promise((resolve) => worker.addEventListener("statechange", () => worker.state === "redundant" && resolve()));
    });
    await page.reload();
    await ready(page);
    assert.match(await page.locator(".strap").textContent(), /vector search/, "the old version goes on, whole");
    assert.equal(await page.getByRole("button", { name: "Start it" }).count(), 0);

    const { createHash } = await import("node:crypto");
    const digest = createHash("sha256").update(readFileSync(join(folder, "index.html"))).digest("base64");
    const [, old] = /"":"([^"]+)"/.exec(worker) ?? /"":`([^`]+)`/.exec(worker);
    const version = /version:?"?:"([0-9a-f]{12})"/.exec(worker)[1];
    writeFileSync(join(folder, "sw.js"), worker.replace(old, digest).replaceAll(version, "next-version"));
    await page.evaluate(async () => void (await (await navigator.serviceWorker.ready).update()));
    await page.getByRole("button", { name: "Start it" }).waitFor();
    assert.match(await page.locator(".strap").textContent(), /vector search/);
    await Promise.all([page.waitForEvent("load"), page.getByRole("button", { name: "Start it" }).click()]);
    await ready(page);
    assert.match(await page.locator(".strap").textContent(), /the next version/);
    const caches = await page.evaluate(() => globalThis.caches.keys());
    assert.equal(caches.filter((name) => name.includes("shell")).length, 1, `the old shell is dropped: ${caches}`);
    assert.equal(server.state.requests.filter(isIndex).length, 1, "the data didn't change and isn't fetched again");
  } finally {
    await visitor.leave();
  }
});

for (const [fault, title] of [
  ["absent", /could not be fetched/],
  ["lost", /could not be fetched/],
  ["damaged", /arrived damaged/],
]) {
  for (const [what, hits] of [
    ["index", isIndex],
    ["model", (path) => path.endsWith(".safetensors")],
  ]) {
    test(`${what} ${fault}: says so, and trying again helps`, async () => {
      const visitor = await visit({ fault: (path) => (hits(path) ? fault : undefined) });
      try {
        const { page, server } = visitor;
        await page.getByRole("alert").waitFor();
        assert.match(await page.getByRole("alert").innerText(), title);
        server.state.fault = () => undefined;
        await page.getByRole("button", { name: "Try again" }).click();
        await ready(page);
        await describe(page, "a young dog");
        assert.equal((await headwords(page)).length, 20);
        await kept(page);
      } finally {
        await visitor.leave();
      }
    });
  }
}

test("loading says how far it is, and takes the question meanwhile", async () => {
  const visitor = await visit({ fault: (path) => (isIndex(path) ? { delay: 2500 } : undefined) });
  try {
    const { page } = visitor;
    await page.locator("progress").waitFor();
    await page.fill("#q", "a young dog");
    await page.waitForFunction(() => document.querySelector("progress")?.value > 0);
    assert.match(await page.locator("#loading-text").textContent(), /[\d.]+ MB of [\d.]+ MB, \d+ %/);
    await page.locator(".entry").first().waitFor();
    assert.equal(await page.locator("progress").count(), 0);
  } finally {
    await visitor.leave();
  }
});

for (const [lack, before, sentence] of [
  ["WebAssembly", () => void delete globalThis.WebAssembly, /no WebAssembly/],
  ["SIMD", () => void (WebAssembly.validate = () => false), /no SIMD/],
]) {
  test(`without ${lack} a sentence says what is missing`, async () => {
    const visitor = await visit({ before });
    try {
      const { page, server } = visitor;
      await page.getByRole("alert").waitFor();
      assert.match(await page.getByRole("alert").innerText(), sentence);
      assert.equal(server.state.requests.filter(isIndex).length, 0, "and nothing big is fetched for nothing");
    } finally {
      await visitor.leave();
    }
  });
}

test("without module workers it searches in the page", async () => {
  const visitor = await visit({
    before: () => {
      globalThis.Worker = class {
        constructor() {
          throw new TypeError("no workers here");
        }
      };
    },
  });
  try {
    await ready(visitor.page);
    await describe(visitor.page, "a young dog");
    assert.match(await visitor.page.locator("#figures").innerText(), /on the page’s own thread/);
    assert.match(await visitor.page.locator("#notice").innerText(), /no module workers/);
  } finally {
    await visitor.leave();
  }
});

test("the policy of the page itself is as strict as its host's, and the build names no other host", () => {
  const page = readFileSync(join(DIST, "index.html"), "utf8").replaceAll("&#39;", "'");
  assert.match(page, /script-src 'self' 'wasm-unsafe-eval';/);
  assert.doesNotMatch(page, /<script(?![^>]*\bsrc=)[^>]*>/, "no inline script");
  assert.doesNotMatch(page, /(src|href)="\//, "no address that starts at the host's root");
  for (const name of readdirSync(join(DIST, "assets")).filter((name) => /\.(js|css)$/.test(name))) {
    const text = readFileSync(join(DIST, "assets", name), "utf8");
    const hosts = [...text.matchAll(/https?:\/\/[a-z0-9.-]+/gi)].map(([host]) => host);
    assert.deepEqual(hosts.filter((host) => !host.startsWith("http://www.w3.org")), [], name);
  }
});
