import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";

/**
 * A stamp remembers what a build step was made from. A step is up to date when the same inputs
 * hash to the same value and all that it makes is still there; times of files play no part, so
 * a fresh clone or a switched branch is judged right.
 */
export class Stamps {
  /** @param {string} root @param {string} folder where the stamps are kept */
  constructor(root, folder) {
    this.root = root;
    this.folder = folder;
  }

  /**
   * @param {string} name the step's name
   * @param {{ files: string[], values?: unknown, makes: string[] }} what
   *   files: files or folders it reads; values: anything else it depends on; makes: what it leaves
   */
  isCurrent(name, what) {
    const stamp = this.#file(name);
    if (!existsSync(stamp)) return false;
    if (!what.makes.every((made) => existsSync(path.resolve(this.root, made)))) return false;
    return readFileSync(stamp, "utf8").trim() === this.hash(what);
  }

  /** @param {string} hash of the inputs as they were when the step began */
  set(name, hash) {
    mkdirSync(this.folder, { recursive: true });
    writeFileSync(this.#file(name), `${hash}\n`);
  }

  hash({ files, values }) {
    const sum = createHash("sha256").update(JSON.stringify(values ?? null));
    for (const file of files) {
      for (const found of walk(path.resolve(this.root, file))) {
        sum.update(`\0${path.relative(this.root, found)}\0`).update(readFileSync(found));
      }
    }
    return sum.digest("hex");
  }

  #file(name) {
    return path.join(this.folder, name);
  }
}

/** Folders that are made, not written. */
const SKIPPED = new Set(["node_modules", "dist", "target", "__pycache__", ".venv", "results"]);

function* walk(file) {
  if (!existsSync(file)) return;
  if (!statSync(file).isDirectory()) {
    yield file;
    return;
  }
  for (const entry of readdirSync(file, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!SKIPPED.has(entry.name)) yield* walk(path.join(file, entry.name));
  }
}
