import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { closeBrowser, describe, DIST, headwords, kept, ready, visit } from "./browser.mjs";
import { load } from "./source.mjs";

after(closeBrowser);

const { list } = await load("vite/precache.ts");

const isIndex = (path) => path.endsWith(".elanus");
const isModel = (path) => path.endsWith(".safetensors");
const sentOfIndex = ({ state }) => Object.entries(state.sent).reduce((sum, [path, bytes]) => sum + (isIndex(path) ? bytes : 0), 0);
const fetchedLine = (page) => page.locator("#fetched").innerText();
/** Of "1.4 of 45.2 MB fetched" both numbers. */
const megabytes = (line) => /^([\d.]+) of ([\d.]+) MB fetched/.exec(line).slice(1).map(Number);

test("of the dictionary comes what is asked for, and the page says how much that is", async () => {
  const visitor = await visit();
  try {
    const { page, server } = visitor;
    await ready(page);
    const [before, total] = megabytes(await fetchedLine(page));
    assert.ok(before < 0.4 && total > 20, `${before} of ${total}`);
    await describe(page, "a young dog");
    await page.waitForFunction((was) => Number.parseFloat(document.querySelector("#fetched").textContent) > was, before);
    const [after] = megabytes(await fetchedLine(page));
    assert.ok(after < 3, `${after} MB for one answer`);
    assert.ok(Math.abs(after * 1e6 - sentOfIndex(server)) < 60_000, `${after} MB are said to have come, ${sentOfIndex(server)} were sent`);
    const words = await headwords(page);
    await kept(page);
    await page.reload();
    await page.locator(".entry").first().waitFor();
    assert.deepEqual(await headwords(page), words);
    await page.waitForFunction(() => / MB were kept/.test(document.querySelector("#fetched").textContent));
    assert.equal(megabytes(await fetchedLine(page))[0], 0, "what was kept isn't fetched again");
    assert.deepEqual(visitor.problems, []);
  } finally {
    await visitor.leave();
  }
});

test("works without a network as far as was asked, says where it ends, and goes on with it", async () => {
  const visitor = await visit();
  try {
    const { page, server, profile } = visitor;
    await ready(page);
    await kept(page);
    await describe(page, "a young dog");
    const online = await headwords(page);
    assert.equal(server.state.requests.filter(isModel).length, 1, "the model is fetched once");
    await profile.setOffline(true);
    server.state.fault = () => "absent";
    await page.reload();
    await page.locator(".entry").first().waitFor();
    assert.deepEqual(await headwords(page), online);
    await page.fill("#q", "someone who studies the stars");
    await page.getByRole("alert").waitFor();
    assert.match(await page.getByRole("alert").innerText(), /needs the network/);
    server.state.fault = () => undefined;
    await profile.setOffline(false);
    await page.locator(".entry").first().waitFor();
    assert.ok((await headwords(page)).slice(0, 5).flat().includes("astronomer"), "asked again by itself");
    assert.ok(visitor.problems.every((text) => /ERR_INTERNET_DISCONNECTED/.test(text)), visitor.problems.join("\n"));
  } finally {
    await visitor.leave();
  }
});

test("all of it is kept if one asks for that, and then answers everything without a network", async () => {
  const visitor = await visit();
  try {
    const { page, server, profile } = visitor;
    await ready(page);
    await kept(page);
    await page.getByRole("button", { name: "Keep all of it" }).click();
    await page.getByText("Everything is kept").waitFor({ timeout: 60_000 });
    assert.match(await fetchedLine(page), /^All of the dictionary is here/);
    // What was brought is written to the disk behind the answers.
    await page.waitForTimeout(1000);
    await profile.setOffline(true);
    server.state.fault = () => "absent";
    await page.reload();
    await describe(page, "someone who studies the stars");
    assert.ok((await headwords(page)).slice(0, 5).flat().includes("astronomer"));
    await page.getByRole("radio", { name: "all, exact" }).check();
    await page.waitForFunction(() => document.querySelector(".times caption").textContent.startsWith("1 query"));
    await page.goto(`${server.url}notices.html`);
    assert.match(await page.locator("#words").innerText(), /Princeton/);
    assert.ok(visitor.problems.every((text) => /ERR_INTERNET_DISCONNECTED/.test(text)), visitor.problems.join("\n"));
  } finally {
    await visitor.leave();
  }
});

/**
 * Another version of the built page, as a build would make it: another line in the page, and one of the
 * data files with other bytes under another name.
 */
function nextVersion(t) {
  const folder = mkdtempSync(join(tmpdir(), "elanus-next-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(DIST, folder, { recursive: true });
  const edit = (path, change) => writeFileSync(join(folder, path), change(readFileSync(join(folder, path), "utf8")));
  edit("index.html", (text) => text.replace("vector search inside a browser tab", "the next version"));
  const config = readdirSync(join(folder, "data")).find((name) => name.startsWith("config."));
  renameSync(join(folder, "data", config), join(folder, "data", "config.next.json"));
  edit("data/config.next.json", (text) => `${text}\n`);
  const scripts = readdirSync(join(folder, "assets")).filter((name) => name.endsWith(".js"));
  const script = scripts.find((name) => readFileSync(join(folder, "assets", name), "utf8").includes(config));
  edit(`assets/${script}`, (text) => text.replace(config, "config.next.json"));
  const old = readFileSync(join(folder, "sw.js"), "utf8");
  writeFileSync(join(folder, "sw.js"), old.replace(/\{"version":.*?\}\}/, () => JSON.stringify(list(folder))));
  return { folder, edit };
}

const strap = (page) => page.locator(".strap").textContent();
const startIt = (page) => page.getByRole("button", { name: "Start it" });

test("a version that is deployed half way is refused, and the old one goes on", async (t) => {
  const visitor = await visit();
  try {
    const { page, server } = visitor;
    await ready(page);
    await kept(page);
    const { folder, edit } = nextVersion(t);
    // The service worker is there, of the page only a part.
    edit("index.html", (text) => text.slice(0, -20));
    server.state.root = folder;
    const ended = await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      const found = new Promise((resolve) => registration.addEventListener("updatefound", () => resolve(registration.installing)));
      await registration.update();
      const worker = await found;
      await new Promise((resolve) => worker.addEventListener("statechange", resolve));
      return worker.state;
    });
    assert.equal(ended, "redundant");
    await page.reload();
    await ready(page);
    assert.match(await strap(page), /vector search/);
    assert.equal(await startIt(page).count(), 0);
  } finally {
    await visitor.leave();
  }
});

test("a new version waits until it is asked for, then takes over whole, data and all", async (t) => {
  const visitor = await visit();
  try {
    const { page, server, profile } = visitor;
    await ready(page);
    await describe(page, "a young dog");
    await kept(page);
    server.state.root = nextVersion(t).folder;
    await page.evaluate(async () => void (await (await navigator.serviceWorker.ready).update()));
    await startIt(page).waitFor();
    const other = await profile.newPage();
    await other.goto(server.url);
    await startIt(other).waitFor();
    assert.match(await strap(other), /vector search/, "another tab opens the old one, like the first");
    assert.match(await strap(page), /vector search/, "not before it is asked for");
    await profile.setOffline(true);
    server.state.fault = () => "absent";
    await Promise.all([page.waitForEvent("load"), startIt(page).click()]);
    await describe(page, "a young dog");
    assert.match(await strap(page), /the next version/);
    await other.getByText("the next version").waitFor();
    assert.equal((await headwords(page)).length, 20, "its new data was kept before it took over");
    const names = await page.evaluate(async () => {
      const all = [];
      for (const name of await caches.keys()) for (const { url } of await (await caches.open(name)).keys()) all.push(`${name} ${url}`);
      return all;
    });
    assert.equal(new Set(names.filter((name) => name.includes("shell")).map((name) => name.split(" ").slice(0, 4).join(" "))).size, 1, "the old shell is dropped");
    assert.equal(names.filter((name) => name.includes("/data/config.")).length, 1, "and so is the old data");
    assert.equal(server.state.requests.filter(isModel).length, 1, "what didn't change isn't fetched again");
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
    ["model", isModel],
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

test("a search whose worker dies says so, and starts again", async () => {
  const visitor = await visit({
    before: () => {
      const { Worker } = globalThis;
      globalThis.Worker = class extends Worker {
        constructor(...given) {
          super(...given);
          globalThis.lastWorker = this;
        }
      };
    },
  });
  try {
    const { page } = visitor;
    await ready(page);
    await page.evaluate(() => globalThis.lastWorker.dispatchEvent(new ErrorEvent("error", { message: "out of memory" })));
    await page.fill("#q", "a young dog");
    await page.getByRole("alert").waitFor();
    assert.match(await page.getByRole("alert").innerText(), /The search stopped/);
    await page.getByRole("button", { name: "Try again" }).click();
    await page.locator(".entry").first().waitFor();
    assert.equal((await headwords(page)).length, 20);
    assert.equal(await page.getByRole("alert").count(), 0);
  } finally {
    await visitor.leave();
  }
});

test("loading says how far it is, and takes the question meanwhile", async () => {
  const visitor = await visit({ fault: (path) => (isIndex(path) ? { delay: 2500 } : undefined) });
  try {
    const { page, server } = visitor;
    await page.locator("progress").waitFor();
    await page.fill("#q", "a young dog");
    const text = await page.waitForFunction(() => document.querySelector("progress")?.value > 0 && document.querySelector("#loading-text").textContent);
    assert.match(await text.jsonValue(), /[\d.]+ MB of [\d.]+ MB, \d+ %/);
    server.state.fault = () => undefined;
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

/** Named in error messages of ONNX Runtime and of the bundler, for people to read; the policy lets nothing be fetched from there. */
const TOLD = ["https://web.dev", "https://rolldown.rs"];

test("the policy of the page itself is as strict as its host's, and the build names no other host", () => {
  const page = readFileSync(join(DIST, "index.html"), "utf8").replaceAll("&#39;", "'");
  assert.match(page, /script-src 'self' 'wasm-unsafe-eval';/);
  assert.doesNotMatch(page, /<script(?![^>]*\bsrc=)[^>]*>/, "no inline script");
  assert.doesNotMatch(page, /(src|href)="\//, "no address that starts at the host's root");
  for (const name of readdirSync(join(DIST, "assets")).filter((name) => /\.(js|css)$/.test(name))) {
    const text = readFileSync(join(DIST, "assets", name), "utf8");
    const hosts = [...text.matchAll(/https?:\/\/[a-z0-9.-]+/gi)].map(([host]) => host);
    const told = name.startsWith("minilm-worker-") ? TOLD : [];
    assert.deepEqual(hosts.filter((host) => !host.startsWith("http://www.w3.org") && !told.includes(host)), [], name);
  }
});
