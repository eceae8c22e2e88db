import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { browserArguments } from "../scripts/setup/browser.mjs";
import { Problem } from "../scripts/setup/problem.mjs";
import { host } from "./host.mjs";

const PAGE = fileURLToPath(new URL("page", import.meta.url));

/** Chromium with the benchmark's page, which uses the built package as any page would. */
export class Browser {
  /** @returns {Promise<Browser>} */
  static async launch(site) {
    const bench = path.join(site.build, "bench");
    mkdirSync(bench, { recursive: true });
    // Imported here: it may have been installed a moment ago, and whoever asks for help needn't have it.
    const { chromium } = await import("playwright-core");
    const server = await host({ page: PAGE, pkg: path.join(site.root, "pkg"), bench, modules: path.join(site.root, "benches/node_modules") });
    const process = await chromium.launch({
      executablePath: site.found.chromium,
      args: browserArguments(site.root).filter((argument) => !argument.startsWith("--headless")),
    });
    const page = await process.newPage();
    const browser = new Browser(site, server, process, page, bench);
    page.on("pageerror", (error) => (browser.failure ??= error));
    const { exports } = JSON.parse(readFileSync(path.join(site.root, "pkg/package.json"), "utf8"));
    await page.goto(`${server.origin}/page/index.html?package=${encodeURIComponent(entry(exports))}`);
    await page.waitForFunction(() => globalThis.bench, undefined, { timeout: 30_000 }).catch(() => {
      throw new Problem(`The benchmark's page doesn't start: ${browser.failure?.message ?? "the package can't be imported"}`);
    });
    if (!(await page.evaluate(() => globalThis.crossOriginIsolated))) throw new Problem("The page isn't isolated, so its clock is too coarse.");
    return browser;
  }

  constructor(site, server, process, page, folder) {
    this.site = site;
    this.peers = [];
    this.server = server;
    this.process = process;
    this.page = page;
    this.folder = folder;
    this.version = process.version();
  }

  async useDataset({ folder, dimension, queries }) {
    await this.#call("useQueries", this.#address(path.join(folder, "queries.f32")), dimension, queries);
  }

  /** Opens an index file under a name; tells how long that took and how much memory it has. `hints` is what it doesn't say of itself. */
  open(name, file, thread, hints) {
    return this.#call("open", name, this.#address(file), thread, hints);
  }

  /** Searches with the queries first..last, one by one. */
  search(name, options, first, last) {
    return this.#call("search", name, options, first, last);
  }

  /** Another engine, by its module in page/peers/, in a tab of its own. */
  async peer(module) {
    // A context of its own gets a process of its own, and so its own memory.
    const context = await this.process.newContext();
    this.peers.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(0);
    let failure;
    page.on("pageerror", (error) => (failure ??= error));
    page.on("crash", () => (failure ??= new Error("the tab crashed")));
    await page.goto(`${this.server.origin}/page/peer.html?module=${module}`);
    await page.waitForFunction(() => globalThis.bench, undefined, { timeout: 30_000 }).catch(() => {
      throw new Error(`it doesn't load: ${failure?.message ?? "no reason was given"}`);
    });
    const call = (method, ...args) => page.evaluate(([method, args]) => globalThis.bench[method](...args), [method, args]);
    const address = (folder, name) => this.#address(path.join(folder, name));
    return {
      build: ({ folder, dimension, queries }, options) =>
        call("build", [address(folder, "base.f32"), address(folder, "queries.f32"), dimension, queries], options),
      search: (...args) => call("search", ...args),
      memory: () => call("memory"),
    };
  }

  async closeAll() {
    await Promise.all(this.peers.splice(0).map((context) => context.close()));
    await this.#call("closeAll");
  }

  async close() {
    await this.process.close();
    this.server.close();
  }

  #address(file) {
    return `${this.server.origin}/bench/${path.relative(this.folder, file).split(path.sep).join("/")}`;
  }

  #call(method, ...args) {
    return this.page.evaluate(([method, args]) => globalThis.bench[method](...args), [method, args]);
  }
}

/** The file behind `import "elanus"`, from the package's own map. */
function entry(exports) {
  const main = exports["."] ?? exports;
  const target = typeof main === "string" ? main : (main.browser ?? main.import ?? main.default);
  return typeof target === "string" ? target : target.default;
}
