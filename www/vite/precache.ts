// After everything is written: hash every file of the build and put the list into the service worker.
// The worker then knows exactly which bytes belong to this version, and refuses any others.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import type { Plugin } from "vite";

const WORKER = "sw.js";
const PLACEHOLDER = "__PRECACHE__";
/**
 * Fetched when somebody brings a file of another library or builds an index, which few do; what the demo has none of: collections;
 * the page that compares releases, with all that is its own; and the index, of which the page fetches and keeps parts by itself.
 */
const RARE = /^(data\/.*\.elanus|assets\/(elanus-(build|collection|foreign)-.*\.wasm|database-worker(-inline)?-.*\.js|(later|releases|minilm|ort)-.*)|releases\.html|(registry|minilm)\/.*)$/;

/** Paths are relative to the page; the page itself is "", because hosts differ on "index.html". */
export interface Precache {
  version: string;
  /** Small, fetched when the worker is installed. Path to SHA-256 in base64, as `integrity` wants it. */
  shell: Record<string, string>;
  /** Large, kept when the page first fetches them. Path to SHA-256 in hexadecimal. */
  data: Record<string, string>;
}

/** Every file of a built page but its service worker. */
export function list(root: string): Precache {
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .filter((path) => path !== WORKER && !path.endsWith(".map") && !RARE.test(path))
    .sort();
  const precache: Precache = { version: "", shell: {}, data: {} };
  const version = createHash("sha256");
  for (const path of files) {
    const digest = createHash("sha256").update(readFileSync(join(root, path))).digest();
    version.update(path).update(digest);
    if (path.startsWith("data/")) precache.data[path] = digest.toString("hex");
    else precache.shell[path === "index.html" ? "" : path] = digest.toString("base64");
  }
  precache.version = version.digest("hex").slice(0, 12);
  return precache;
}

export function precache(): Plugin {
  let outDir = "";
  return {
    name: "elanus-precache",
    apply: "build",
    configResolved(config) {
      outDir = join(config.root, config.build.outDir);
    },
    writeBundle: {
      order: "post",
      sequential: true,
      handler() {
        const worker = join(outDir, WORKER);
        const code = readFileSync(worker, "utf8");
        if (code.split(PLACEHOLDER).length !== 2) {
          throw new Error(`expected ${PLACEHOLDER} once in ${WORKER}: the service worker must name it exactly once`);
        }
        writeFileSync(worker, code.replace(PLACEHOLDER, () => JSON.stringify(list(outDir))));
      },
    },
  };
}
