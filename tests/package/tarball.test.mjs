/** What is in the tarball, what it weighs, and that importing it does nothing. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { project, root, tarball } from "./support/tarball.mjs";

const BUDGET = { wasm: 259, relaxed: 260, lazy: 179, build: 250, foreign: 242, collection: 470, index: 40, worker: 40, tarball: 1945 };

let folder;
let installed;
let manifest;

before((t) => {
  ({ folder, installed } = project(t, "tarball"));
  manifest = JSON.parse(readFileSync(path.join(installed, "package.json"), "utf8"));
});

const read = (name) => readFileSync(path.join(installed, name));
const importsOf = (name) => [...read(name).toString().matchAll(/^(?:import|\} from|export).*?"\.\/([\w-]+\.js)";$/gm)].map(([, file]) => file);
const kb = (bytes) => gzipSync(bytes, { level: 9 }).length / 1000;

test("stays within its budget", (t) => {
  const scripts = readdirSync(installed).filter((name) => name.endsWith(".js"));
  // What is imported by a call is loaded by that call.
  const shared = scripts.filter((name) => name.startsWith("shared-") && importsOf("index.js").includes(name)).map(read);
  const found = {
    wasm: kb(read("elanus.wasm")),
    relaxed: kb(read("elanus-relaxed.wasm")),
    lazy: kb(read("elanus-lazy.wasm")),
    build: kb(read("elanus-build.wasm")),
    foreign: kb(read("elanus-foreign.wasm")),
    collection: kb(read("elanus-collection.wasm")),
    // What a page loads before its first search.
    index: kb(Buffer.concat([read("index.js"), ...shared])),
    worker: kb(read("worker.js")),
    tarball: statSync(tarball(folder)).size / 1000,
  };
  t.diagnostic(Object.entries(found).map(([name, size]) => `${name} ${size.toFixed(1)} KB of ${BUDGET[name]}`).join(", "));
  for (const [name, size] of Object.entries(found)) assert.ok(size <= BUDGET[name], `${name} has ${size.toFixed(1)} KB, more than ${BUDGET[name]}`);
});

test("says all that npm and bundlers look for", () => {
  assert.equal(manifest.name, "elanus");
  assert.equal(manifest.sideEffects, false);
  assert.equal(manifest.type, "module");
  assert.equal(manifest.license, "MIT OR Apache-2.0");
  assert.equal(manifest.dependencies, undefined);
  const version = /^version = "(.+)"$/m.exec(readFileSync(path.join(root, "Cargo.toml"), "utf8"))[1];
  assert.equal(manifest.version, version);
  for (const name of [".", "./embed"]) assert.equal(Object.keys(manifest.exports[name])[0], "types", "types come first");
  const targets = Object.values(manifest.exports).flatMap((target) => (typeof target === "string" ? [target] : Object.values(target)));
  for (const target of [...targets, "README.md", "LICENSE-MIT", "LICENSE-APACHE", "NOTICE"]) {
    assert.ok(existsSync(path.join(installed, target)), `${target} is missing`);
  }
});

test("holds nothing else, and names no place of the machine it was built on", () => {
  const files = readdirSync(installed, { recursive: true }).filter((name) => statSync(path.join(installed, name)).isFile());
  const allowed = /^(package\.json|README\.md|LICENSE-(MIT|APACHE)|NOTICE|elanus(-relaxed|-lazy|-build|-foreign|-collection)?\.wasm|(index|embed|worker|worker-inline|database-worker|database-worker-inline|shared-\w+)\.js|types\/[\w/-]+\.d\.ts)$/;
  assert.deepEqual(files.filter((name) => !allowed.test(name)), []);
  for (const name of files) {
    const text = read(name).toString("latin1");
    assert.ok(!/\/(root|home|work|Users)\/[\w.]/.test(text), `${name} has ${/.{0,40}\/(root|home|work|Users)\/[\w.].{0,40}/.exec(text)?.[0]}`);
  }
});

test("importing it touches nothing in Node either", () => {
  const script = `
    const touched = [];
    for (const name of ["fetch", "Worker", "WebAssembly", "MessageChannel", "FinalizationRegistry", "navigator", "process"]) {
      const value = globalThis[name];
      Object.defineProperty(globalThis, name, { configurable: true, get() { touched.push(name); return value; } });
    }
    touched.length = 0;
    Promise.all([import("elanus"), import("elanus/embed")]).then(([main, embed]) => {
      // Node's own loader and console look at \`process\`.
      const own = touched.filter((name) => name !== "process");
      console.log(JSON.stringify({ own, main: Object.keys(main).sort(), embed: Object.keys(embed).sort() }));
    });`;
  const answer = JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd: folder, encoding: "utf8" }));
  assert.deepEqual(answer, {
    own: [],
    main: ["ElanusError", "build", "connect", "init", "open", "openRegistry", "preference", "storage"],
    embed: ["ElanusError", "fromFunction", "loadStaticModel"],
  });
});

test("no script compiles synchronously, evaluates text or waits at top level", () => {
  for (const name of readdirSync(installed).filter((file) => file.endsWith(".js") && file !== "worker-inline.js")) {
    const text = read(name).toString();
    assert.doesNotMatch(text, /new WebAssembly\.(Module|Instance)\b/, name);
    assert.doesNotMatch(text, /\beval\(|new Function\(/, name);
    assert.doesNotMatch(text, /^(const .*= )?await /m, name);
  }
});
