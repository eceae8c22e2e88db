import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Problem } from "../scripts/setup/problem.mjs";

const SCRIPT = fileURLToPath(new URL("native.py", import.meta.url));

/** hnswlib and Faiss in a Python process, asked one thing at a time in lines of JSON. */
export class Native {
  #child;
  #waiting;
  #errors = "";

  constructor(python) {
    // Set before the libraries load: some of them look only then.
    const one = { OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1", MKL_NUM_THREADS: "1" };
    this.#child = spawn(python, [SCRIPT], { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...one } });
    this.#child.stderr.setEncoding("utf8").on("data", (text) => (this.#errors = (this.#errors + text).slice(-4000)));
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#settle(JSON.parse(line)));
    this.#child.on("close", () => this.#settle({ error: `the process ended\n${this.#errors}` }));
    this.#child.on("error", (error) => this.#settle({ error: error.message }));
  }

  versions() {
    return this.#ask("versions");
  }

  useDataset({ folder, dimension, queries }) {
    return this.#ask("use_dataset", { folder, dimension, queries });
  }

  /** The settings this machine's libraries can run, each { engine, build, searches }. */
  engines() {
    return this.#ask("engines");
  }

  /** The settings of one engine, whether `engines` tells of it or not. */
  settings(engine) {
    return this.#ask("settings", { engine });
  }

  build(engine, file) {
    return this.#ask("build", { engine, file });
  }

  /** Loads what `build` wrote; tells how long that took. */
  load(engine, file) {
    return this.#ask("load", { engine, file });
  }

  search(engine, setting, first, last, limit) {
    return this.#ask("search", { engine, setting, first, last, limit });
  }

  closeAll() {
    return this.#ask("close_all");
  }

  close() {
    this.#child.stdin.end();
  }

  #ask(method, args = {}) {
    return new Promise((resolve, reject) => {
      this.#waiting = { method, resolve, reject };
      this.#child.stdin.write(`${JSON.stringify({ method, ...args })}\n`);
    });
  }

  #settle({ error, ...answer }) {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (error) waiting?.reject(new Problem(`native.py, ${waiting.method}: ${error}`));
    else waiting?.resolve(answer.result);
  }
}
