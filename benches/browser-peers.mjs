import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { duration } from "../scripts/setup/progress.mjs";

const FLOAT = 1e-4;

/** A recall below this is no trade-off: such an engine doesn't find the nearest. */
const FARTHEST = 0.05;

/** An engine that hasn't built its index by then is given up. */
const BUILD_MINUTES = 20;

const EFS = [20, 40, 80, 160, 320];
const walked = EFS.map((ef) => ({ setting: `ef ${ef}`, options: { ef } }));

/**
 * Other engines that run in a browser: each with the module in page/peers/ that drives it, how its
 * index is built, and the settings that it is searched with. Where an engine fixes a setting when the
 * index is built, each value is an engine of its own.
 */
const PEERS = [
  { engine: "plain JavaScript", module: "javascript", settings: [{ setting: "exact", options: {} }] },
  { engine: "hnswlib-wasm (M 16, efC 200)", npm: "hnswlib-wasm", module: "hnswlib-wasm", build: { m: 16, efConstruction: 200 }, settings: walked },
  ...[40, 160].map((ef) => ({
    engine: "edgevec HNSW (L2, M 16, efC 200)",
    npm: "edgevec",
    module: "edgevec",
    build: { metric: "l2", m: 16, efConstruction: 200, ef },
    settings: [{ setting: `ef ${ef}`, options: {} }],
  })),
  { engine: "edgevec HNSW (cosine)", npm: "edgevec", module: "edgevec", build: { metric: "cosine" }, settings: [{ setting: "default", options: {} }] },
  {
    engine: "edgevec binary, rescored",
    npm: "edgevec",
    module: "edgevec",
    build: { metric: "l2", rescored: true },
    settings: [3, 10].map((factor) => ({ setting: `factor ${factor}`, options: { factor } })),
  },
  { engine: "voy", npm: "voy-search", module: "voy", settings: [{ setting: "default", options: {} }] },
  {
    engine: "Orama",
    npm: "@orama/orama",
    module: "orama",
    settings: [
      { setting: "default", options: {} },
      { setting: "similarity 0", options: { similarity: 0 } },
    ],
  },
  { engine: "PGlite + pgvector, exact", npm: "@electric-sql/pglite-pgvector", module: "pglite", build: {}, settings: [{ setting: "exact", options: {} }] },
  {
    engine: "PGlite + pgvector HNSW (M 16, efC 200)",
    npm: "@electric-sql/pglite-pgvector",
    module: "pglite",
    build: { graph: { m: 16, efConstruction: 200 } },
    settings: walked,
  },
  { engine: "sqlite-vec", npm: "sqlite-vec-wasm-demo", module: "sqlite-vec", settings: [{ setting: "exact", options: {} }] },
];

/** Names of the engines, for `--help` and for choosing among them. */
export const PEER_MODULES = [...new Set(PEERS.map(({ module }) => module))];

/** Versions of the packages that are compared with. */
export function peerVersions(site) {
  const read = (name) => JSON.parse(readFileSync(path.join(site.root, "benches/node_modules", name, "package.json"), "utf8")).version;
  const names = [...new Set(PEERS.flatMap(({ npm }) => npm ?? []))];
  return Object.fromEntries(names.filter((name) => existsSync(path.join(site.root, "benches/node_modules", name))).map((name) => [name, read(name)]));
}

/**
 * Builds the index of each engine in a tab of its own and gives what `measure` runs. An engine that
 * fails becomes a row that says how.
 *
 * @param {{ dataset: object, browser: import("./browser.mjs").Browser, limit: number, modules: string[], log: (text: string) => void }} context
 * @returns {Promise<{ runners: object[], failed: object[] }>}
 */
export async function peerRunners({ dataset, browser, limit, modules, log }) {
  const [runners, failed] = [[], []];
  const versions = peerVersions(browser.site);
  for (const { engine, npm, module, build = {}, settings } of PEERS.filter((peer) => modules.includes(peer.module))) {
    const name = npm ? `${engine} ${versions[npm]}` : engine;
    const began = performance.now();
    log(`building ${name} ${JSON.stringify(build)}`);
    try {
      const page = await browser.peer(module);
      const built = await within(BUILD_MINUTES * 60_000, () => page.build(dataset, build));
      log(`built ${name} in ${duration(built.buildSeconds)}`);
      const about = { ...built, heldBytes: await page.memory() };
      for (const { setting, options } of settings) {
        const run = (first, last) => page.search(limit, options, first, last);
        runners.push({ engine: name, setting, place: "Chromium, main", floor: FARTHEST, tolerance: FLOAT, about, peer: true, run });
      }
    } catch (error) {
      const reason = error.message.split("\n")[0].slice(0, 200);
      log(`${name} failed after ${duration((performance.now() - began) / 1000)}: ${reason}`);
      failed.push({ engine: name, place: "Chromium, main", reason });
    }
  }
  return { runners, failed };
}

async function within(ms, work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`its index wasn't built within ${duration(ms / 1000)}`)), ms);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}
