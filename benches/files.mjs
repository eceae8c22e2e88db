import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { run } from "../scripts/setup/command.mjs";
import { duration } from "../scripts/setup/progress.mjs";
import { cliPath } from "../scripts/setup/site.mjs";

/** What decides the bytes of an index file. */
const SOURCES = ["src/words", "src/distance", "src/format", "src/quantize", "src/index", "src/segment", "Cargo.lock"];

/** Built indexes, kept under names that change with whatever went into them. */
export class Files {
  #site;
  #log;
  #code;

  constructor(site, log) {
    this.#site = site;
    this.#log = log;
  }

  /**
   * An Elanus index file.
   *
   * @param {string[]} options of `elanus build`
   * @returns {Promise<{ file: string, bytes: number, buildSeconds: number, cached: boolean }>}
   */
  async elanus(dataset, options) {
    this.#code ??= this.#site.stamps.hash({ files: SOURCES });
    return this.kept(dataset, ["elanus", this.#code, ...options], `elanus ${options.join(" ")}`, async (file) => {
      // The command's own time: reading the vectors and writing the file belong to it, measuring recall doesn't.
      await run(cliPath(this.#site), ["build", path.join(dataset.folder, "base.f32"), "--dimension", String(dataset.dimension), "--calibrate", "0", "--output", file, ...options], {
        env: { ...this.#site.env, RAYON_NUM_THREADS: "1" },
        cwd: this.#site.root,
        log: path.join(this.#site.logs, "bench-build.log"),
      });
    });
  }

  /** A file that `make(file)` writes, unless an earlier run has. Its record says how long that took. */
  async kept(dataset, key, label, make) {
    const name = createHash("sha256").update(JSON.stringify([dataset.hash, ...key])).digest("hex").slice(0, 24);
    const folder = path.join(this.#site.build, "bench", "indexes");
    const [file, record] = [path.join(folder, name), path.join(folder, `${name}.json`)];
    const cached = existsSync(record);
    if (!cached) {
      mkdirSync(folder, { recursive: true });
      this.#log(`building ${label}`);
      const began = performance.now();
      await make(file);
      const buildSeconds = (performance.now() - began) / 1000;
      this.#log(`built ${label} in ${duration(buildSeconds)}`);
      writeFileSync(record, JSON.stringify({ label, buildSeconds, when: new Date().toISOString() }));
    }
    const { buildSeconds } = JSON.parse(readFileSync(record, "utf8"));
    return { file, bytes: statSync(file).size, buildSeconds, cached };
  }
}
