import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ask, canRun, findProgram } from "./command.mjs";
import { canInstall, commandFor, install, isDebian } from "./debian.mjs";
import { Problem } from "./problem.mjs";

const BROWSERS = ["google-chrome", "google-chrome-stable", "chromium", "chromium-browser", "chrome"];
const BROWSER_FILES = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];
const DRIVER_FILES = ["/usr/lib/chromium/chromedriver", "/usr/lib/chromium-browser/chromedriver"];
const DEBIAN_PACKAGES = ["chromium", "chromium-driver"];

/** Chrome or Chromium, for the tests that run in one. */
export const browser = {
  id: "browser",
  title: "Chrome or Chromium",
  estimate: 40,
  needs: [],

  async check(site) {
    const program = findBrowser(site.env);
    if (!program) return undefined;
    const version = await versionOf(program, site.env);
    if (!version) return undefined;
    site.found.chromium = program;
    return `${program} (${version})`;
  },

  async run(site, tell) {
    if (site.env.CHROME_PATH) {
      throw new Problem(`CHROME_PATH is ${site.env.CHROME_PATH}, which is no browser that starts.`, {
        remedy: "Set it to the path of Chrome or Chromium, or unset it.",
      });
    }
    if (!canInstall(site)) throw new Problem("The tests need Chrome or Chromium, and there is none on this machine.", { remedy: remedy(site) });
    await install(site, DEBIAN_PACKAGES, tell);
    if (!(await this.check(site))) throw new Problem("Chromium was installed, but it doesn't start.", { remedy: remedy(site) });
  },
};

/** ChromeDriver of the browser's own version, through which wasm-pack drives it. */
export const driver = {
  id: "driver",
  title: "ChromeDriver",
  estimate: 10,
  needs: ["browser"],

  async check(site) {
    const wanted = major(await versionOf(site.found.chromium ?? "", site.env));
    for (const program of [site.env.CHROMEDRIVER, findProgram("chromedriver", site.env), ...DRIVER_FILES]) {
      if (!program || !canRun(program)) continue;
      const version = await versionOf(program, site.env);
      if (!version || major(version) !== wanted) continue;
      site.found.chromedriver = program;
      return `${program} (${version})`;
    }
    return undefined;
  },

  async run(site, tell) {
    if (canInstall(site)) {
      await install(site, ["chromium-driver"], tell);
      if (await this.check(site)) return;
    }
    throw new Problem("There is no ChromeDriver of the browser's version on this machine.", {
      remedy: isDebian(site)
        ? `As root: ${commandFor(DEBIAN_PACKAGES)}`
        : "Install the ChromeDriver that goes with your Chrome and put it on PATH, or set CHROMEDRIVER to its path.",
    });
  },
};

/** The flags that browsers are started with, kept in webdriver.json for every runner. */
export function browserArguments(root) {
  return capabilities(root)["goog:chromeOptions"].args;
}

/** webdriver.json with this machine's browser named in it; returns the file's path. */
export function writeCapabilities(site) {
  const file = path.join(site.build, "webdriver.json");
  const all = capabilities(site.root);
  all["goog:chromeOptions"].binary = site.found.chromium;
  mkdirSync(site.build, { recursive: true });
  writeFileSync(file, JSON.stringify(all, null, 2));
  return file;
}

function capabilities(root) {
  return JSON.parse(readFileSync(path.join(root, "webdriver.json"), "utf8"));
}

export function findBrowser(env) {
  if (env.CHROME_PATH) return canRun(env.CHROME_PATH) ? env.CHROME_PATH : undefined;
  for (const name of BROWSERS) {
    const program = findProgram(name, env);
    if (program) return program;
  }
  return BROWSER_FILES.find((file) => existsSync(file));
}

async function versionOf(program, env) {
  if (!program) return undefined;
  // On Windows chrome.exe answers no --version; there the driver's own check has to do.
  const answer = await ask(program, ["--version"], { env });
  return /\d+(\.\d+)+/.exec(answer ?? "")?.[0];
}

function major(version) {
  return version?.split(".")[0];
}

function remedy(site) {
  const other = "or set CHROME_PATH to one that is installed elsewhere.";
  return isDebian(site) ? `As root: ${commandFor(DEBIAN_PACKAGES)}; ${other}` : `Install Chrome or Chromium, ${other}`;
}
