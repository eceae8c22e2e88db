/** The packed package through the usual bundlers, with nothing configured but what js/README.md says. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import * as esbuild from "esbuild";
import * as vite from "vite";
import webpack from "webpack";
import { launch, newPage } from "./support/browser.mjs";
import { clustered, exact } from "./support/data.mjs";
import { flatFile } from "./support/file.mjs";
import { serve } from "./support/server.mjs";
import { project } from "./support/tarball.mjs";

const CSP = { "content-security-policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'" };
const vectors = clustered({ count: 500, dimension: 16, seed: 31 });
const [query] = clustered({ count: 1, dimension: 16, seed: 32 });
const expected = exact("COSINE", vectors, query, 5).map(({ row }) => row);
const APP = `import { ElanusError, open } from "elanus";
globalThis.run = async (query, options) => {
  const index = await open("index.elanus", options);
  const hits = await index.search(query, { limit: 5 });
  const failure = await index.search([]).catch((error) => error instanceof ElanusError && error.code);
  await index.close();
  return { thread: index.thread, rows: hits.map(({ row }) => row), failure };
};
`;
let browser;
let folder;

before(async (t) => {
  ({ folder } = project(t, "bundlers"));
  mkdirSync(path.join(folder, "public"));
  writeFileSync(path.join(folder, "public", "index.elanus"), flatFile(vectors));
  writeFileSync(path.join(folder, "main.js"), APP);
  writeFileSync(path.join(folder, "index.html"), html("/main.js"));
  browser = await launch(t);
});

function html(script) {
  return `<!doctype html><title>test</title><link rel="icon" href="data:,"><script type="module" src="${script}"></script>`;
}

/** Runs the app in both threads and asserts that all is well. */
async function check(t, url) {
  const { page, complaints } = await newPage(browser, url);
  t.after(() => page.context().close());
  await page.waitForFunction(() => globalThis.run);
  for (const thread of [undefined, "main"]) {
    const options = thread && { thread };
    const result = await page.evaluate(([query, options]) => globalThis.run(query, options), [Array.from(query), options]);
    assert.deepEqual(result, { thread: thread ?? "worker", rows: expected, failure: "DIMENSION_MISMATCH" });
  }
  return complaints;
}

function sizes(t, out) {
  const files = readdirSync(out, { recursive: true }).filter((name) => statSync(path.join(out, name)).isFile());
  t.diagnostic(files.map((name) => `${name} ${(statSync(path.join(out, name)).size / 1000).toFixed(1)} KB`).join(", "));
  return files;
}

test("Vite, development server", async (t) => {
  const server = await vite.createServer({ root: folder, logLevel: "error", server: { port: 0, host: "127.0.0.1" } });
  t.after(() => server.close());
  await server.listen();
  assert.deepEqual(await check(t, server.resolvedUrls.local[0]), []);
});

test("Vite, build, under any path", async (t) => {
  const out = path.join(folder, "vite-out");
  await vite.build({ root: folder, base: "./", logLevel: "error", build: { outDir: out } });
  const files = sizes(t, out);
  assert.equal(files.filter((name) => name.endsWith(".wasm")).length, 6);
  const { origin } = await serve(t, { "/deep/path/": out }, { headers: { ...CSP, "content-security-policy": `${CSP["content-security-policy"]}; img-src data:` } });
  assert.deepEqual(await check(t, `${origin}/deep/path/`), []);
});

test("webpack, production", async (t) => {
  const out = path.join(folder, "webpack-out");
  const stats = await new Promise((resolve, reject) => {
    webpack({ context: folder, mode: "production", entry: "./main.js", output: { path: out }, performance: false }, (error, result) =>
      error ? reject(error) : resolve(result),
    );
  });
  const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
  assert.deepEqual([errors, warnings].flat(), []);
  writeFileSync(path.join(out, "index.html"), html("main.js"));
  const files = sizes(t, out);
  assert.equal(files.filter((name) => name.endsWith(".wasm")).length, 4);
  const { origin } = await serve(t, { "/app/": out, "/app/index.elanus": path.join(folder, "public", "index.elanus") }, {
    headers: { "content-security-policy": `${CSP["content-security-policy"]}; img-src data:` },
  });
  assert.deepEqual(await check(t, `${origin}/app/`), []);
});

test("esbuild, with a file loader for the module", async (t) => {
  const out = path.join(folder, "esbuild-out");
  writeFileSync(path.join(folder, "esbuild.js"), `import { init } from "elanus";\nimport wasm from "elanus/elanus.wasm";\ninit(wasm);\nimport "./main.js";\n`);
  const { warnings } = await esbuild.build({
    entryPoints: [path.join(folder, "esbuild.js")],
    bundle: true,
    minify: true,
    format: "esm",
    outdir: out,
    loader: { ".wasm": "file" },
    logLevel: "silent",
  });
  assert.deepEqual(warnings, []);
  writeFileSync(path.join(out, "index.html"), html("esbuild.js"));
  sizes(t, out);
  const { origin } = await serve(t, { "/": out, "/index.elanus": path.join(folder, "public", "index.elanus") });
  // esbuild leaves worker.js behind; its text is used then, and the browser notes the missing file.
  const complaints = await check(t, `${origin}/`);
  assert.deepEqual(complaints.filter((text) => !text.includes("404")), []);
});

test("esbuild, with worker.js and the modules copied next to the bundle", async (t) => {
  const out = path.join(folder, "esbuild-copied");
  await esbuild.build({ entryPoints: [path.join(folder, "main.js")], bundle: true, format: "esm", outdir: out, logLevel: "silent" });
  writeFileSync(path.join(out, "index.html"), html("main.js"));
  const installed = path.join(folder, "node_modules", "elanus");
  const { origin } = await serve(
    t,
    {
      "/": out,
      "/index.elanus": path.join(folder, "public", "index.elanus"),
      "/worker.js": path.join(installed, "worker.js"),
      "/elanus.wasm": path.join(installed, "elanus.wasm"),
      "/elanus-relaxed.wasm": path.join(installed, "elanus-relaxed.wasm"),
    },
    { headers: { "content-security-policy": `${CSP["content-security-policy"]}; img-src data:` } },
  );
  assert.deepEqual(await check(t, `${origin}/`), []);
});

test("a bundle that left the module behind says what to do", async (t) => {
  const out = path.join(folder, "esbuild-without");
  await esbuild.build({ entryPoints: [path.join(folder, "main.js")], bundle: true, format: "esm", outdir: out, logLevel: "silent" });
  writeFileSync(path.join(out, "index.html"), html("main.js"));
  const { origin } = await serve(t, { "/": out });
  const { page } = await newPage(browser, `${origin}/`);
  t.after(() => page.context().close());
  await page.waitForFunction(() => globalThis.run);
  const message = await page.evaluate((query) => globalThis.run(query).catch((error) => `${error.code}: ${error.message}`), Array.from(query));
  assert.match(message, /^WASM_UNAVAILABLE: .*elanus\.wasm answered with HTTP status 404.*init\(url\).*file loader for \.wasm/s);
});

test("unused, the package leaves nothing in a bundle", async () => {
  const { outputFiles } = await esbuild.build({
    stdin: { contents: 'import { open } from "elanus"; console.log("x");', resolveDir: folder },
    bundle: true,
    minify: true,
    format: "esm",
    write: false,
  });
  assert.ok(outputFiles[0].text.length < 100, outputFiles[0].text);
});
