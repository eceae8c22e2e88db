// One browser a test file, one context and one host a test.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { host } from "./host.mjs";

export const DIST = process.env.ELANUS_WWW ?? fileURLToPath(new URL("../../www/dist", import.meta.url));

const ARGUMENTS = process.env.ELANUS_CHROMIUM_ARGS
  ? JSON.parse(process.env.ELANUS_CHROMIUM_ARGS)
  : ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-dev-shm-usage"];

let launched;

async function browser() {
  if (!existsSync(`${DIST}/index.html`)) throw new Error(`expected the built page in ${DIST}; run "npm run build" first`);
  launched ??= chromium.launch({
    executablePath: process.env.ELANUS_CHROMIUM ?? process.env.CHROME_PATH ?? "/usr/bin/chromium",
    args: ARGUMENTS.filter((argument) => !argument.startsWith("--headless")),
  });
  return launched;
}

export async function closeBrowser() {
  await (await launched)?.close();
}

/**
 * Opens the page in a fresh profile. `problems` collects whatever reached the console as an error or a
 * warning, uncaught exceptions and policy violations among them.
 */
export async function visit({ fault, hash = "", before, root = DIST, ...context } = {}) {
  const server = await host(root, fault ? { fault } : {});
  const profile = await (await browser()).newContext({ viewport: { width: 1280, height: 900 }, ...context });
  const problems = [];
  const watch = (page) => {
    page.setDefaultTimeout(30_000);
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) problems.push(message.text());
    });
    page.on("pageerror", (error) => problems.push(String(error)));
  };
  profile.on("page", watch);
  const page = await profile.newPage();
  if (before) await page.addInitScript(before);
  await page.goto(server.url + hash);
  return {
    page,
    profile,
    server,
    problems,
    async [Symbol.asyncDispose]() {
      await this.leave();
    },
    async leave() {
      await profile.close();
      await server.close();
    },
  };
}

/** The page has its index and model and can answer. */
export const ready = (page) => page.locator("#figures table").waitFor();

/** What was fetched so far is kept, the page and its model whole. */
export const kept = (page) => page.getByText("What was fetched is kept").waitFor({ timeout: 60_000 });

/** Types a description and waits for its own answer, told by the address that follows it. */
export async function describe(page, text) {
  await page.fill("#q", text);
  await page.waitForFunction((wanted) => new URLSearchParams(location.hash.slice(1)).get("q") === wanted, text);
  await page.locator(".entry").first().waitFor();
}

export const headwords = (page) =>
  page.locator(".entry").evaluateAll((items) =>
    items.map((item) => {
      const also = item.querySelector(".also i")?.textContent ?? "";
      return [item.querySelector(".headword").firstChild.textContent, ...also.split(", ")].filter(Boolean);
    }),
  );

export const parts = (page) => page.locator(".entry .part, .entry-opened .part").allTextContents();
