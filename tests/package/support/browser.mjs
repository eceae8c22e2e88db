/** Chromium, with everything that it complains about written down. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { chromium } from "playwright-core";

const FLAGS = process.env.ELANUS_CHROMIUM_ARGS
  ? JSON.parse(process.env.ELANUS_CHROMIUM_ARGS).filter((flag) => !flag.startsWith("--headless"))
  : ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-dev-shm-usage"];
const CANDIDATES = [process.env.ELANUS_CHROMIUM, process.env.CHROME_PATH, "/usr/bin/chromium", "/usr/bin/google-chrome"];

/** A Chromium that is closed when the test ends. */
export async function launch(t, { flags = [] } = {}) {
  const browser = await chromium.launch({ executablePath: installed(), args: [...FLAGS, ...flags] });
  t.after(() => browser.close());
  return browser;
}

/** A Chromium that keeps what its pages store, in a folder. */
export function launchKept(folder) {
  return chromium.launchPersistentContext(folder, { executablePath: installed(), args: FLAGS });
}

/** Kills the browser that has this profile: processes that a test has started, told by its folder. */
export function killAll(profile) {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`--user-data-dir=${profile}`)) process.kill(Number(pid), "SIGKILL");
    } catch {
      // It was a child of one that went before.
    }
  }
}

function installed() {
  const executablePath = CANDIDATES.find((file) => file && existsSync(file));
  if (!executablePath) throw new Error("no Chromium was found; install it, or set CHROME_PATH");
  return executablePath;
}

/**
 * Opens a page of its own context.
 *
 * @returns {Promise<{ page: import("playwright-core").Page, complaints: string[] }>} complaints: console errors and
 *   uncaught errors, of the page and of its workers
 */
export async function newPage(browser, url) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    // A missing favicon is not ours.
    if (message.type() === "error" && !message.location().url.endsWith("/favicon.ico")) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  if (url) await page.goto(url);
  return { page, complaints };
}
