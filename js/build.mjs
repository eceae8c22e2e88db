/**
 * Builds pkg/, the npm package: types by tsc, JavaScript by esbuild, the modules from build/wasm/,
 * build/wasm-lazy/, build/wasm-build/, build/wasm-foreign/ and build/wasm-collection/, where `npm run build:wasm` leaves them.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { writeGlue } from "./glue.mjs";

const js = path.dirname(fileURLToPath(import.meta.url));
const root = path.dirname(js);
const pkg = path.join(root, "pkg");
const wasmFolder = path.join(root, "build", "wasm");
const lazyFolder = path.join(root, "build", "wasm-lazy");
const buildFolder = path.join(root, "build", "wasm-build");
const foreignFolder = path.join(root, "build", "wasm-foreign");
const collectionFolder = path.join(root, "build", "wasm-collection");
/** Modules by their name in the package. */
const modules = {
  "elanus.wasm": path.join(wasmFolder, "elanus_bg.wasm"),
  "elanus-relaxed.wasm": path.join(wasmFolder, "elanus_relaxed.wasm"),
  "elanus-lazy.wasm": path.join(lazyFolder, "elanus_bg.wasm"),
  "elanus-build.wasm": path.join(buildFolder, "elanus_bg.wasm"),
  "elanus-foreign.wasm": path.join(foreignFolder, "elanus_bg.wasm"),
  "elanus-collection.wasm": path.join(collectionFolder, "elanus_bg.wasm"),
};
const types = path.join(root, "build", "types");

for (const file of Object.values(modules)) {
  if (!existsSync(file)) throw new Error(`${path.relative(root, file)} is missing; \`npm run build:pkg\` builds it first`);
}

const version = /^version = "(.+)"$/m.exec(readFileSync(path.join(root, "Cargo.toml"), "utf8"))[1];
const entries = { index: "index.ts", embed: "embed/index.ts" };

rmSync(pkg, { recursive: true, force: true });
mkdirSync(pkg);
const glue = path.join(root, "build", "glue");
await writeGlue(wasmFolder, glue, "glue", ["IndexHandle", "IterationHandle", "Loader"]);
await writeGlue(lazyFolder, glue, "lazy-glue", ["PartialHandle"]);
await writeGlue(buildFolder, glue, "build-glue", ["Builder"]);
await writeGlue(foreignFolder, glue, "foreign-glue", ["ForeignHandle", "Loader"]);
await writeGlue(collectionFolder, glue, "collection-glue", ["CatalogHandle", "CollectionHandle"]);

const shared = {
  absWorkingDir: js,
  bundle: true,
  format: "esm",
  target: "es2022",
  define: { ELANUS_VERSION: JSON.stringify(version) },
  legalComments: "none",
  logLevel: "warning",
};
await build({
  ...shared,
  entryPoints: Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, path.join(js, "src", file)])),
  outdir: pkg,
  // Both entries throw the same ElanusError, so they share its class.
  splitting: true,
  chunkNames: "shared-[hash]",
  external: ["./worker-inline.js", "./database-worker-inline.js"],
});
for (const [name, file] of Object.entries({ worker: "worker.ts", "database-worker": "db/worker.ts" })) {
  const worker = { ...shared, entryPoints: [path.join(js, "src", file)] };
  await build({ ...worker, outfile: path.join(pkg, `${name}.js`) });
  const inline = await build({ ...worker, minify: true, write: false });
  writeFileSync(
    path.join(pkg, `${name}-inline.js`),
    `/** ${name}.js as text, for pages that can't load the file. */\nexport const source = ${JSON.stringify(inline.outputFiles[0].text)};\n`,
  );
}

rmSync(types, { recursive: true, force: true });
const tsc = path.join(path.dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
execFileSync(process.execPath, [tsc, "-p", path.join(js, "tsconfig.json")], { stdio: "inherit" });
copyReachableTypes(Object.values(entries).map((file) => file.replace(/\.ts$/, ".d.ts")));

for (const [name, file] of Object.entries(modules)) copyFileSync(file, path.join(pkg, name));
copyFileSync(path.join(js, "README.md"), path.join(pkg, "README.md"));
for (const licence of ["LICENSE-MIT", "LICENSE-APACHE"]) copyFileSync(path.join(root, licence), path.join(pkg, licence));
copyFileSync(path.join(js, "src", "embed", "NOTICE"), path.join(pkg, "NOTICE"));
writeFileSync(path.join(pkg, "package.json"), `${JSON.stringify(manifest(), null, 2)}\n`);

const sizes = Object.keys(modules).map((name) => `${name} ${kb(gzipSync(readFileSync(path.join(pkg, name)), { level: 9 }).length)} KB gz`);
console.log(`pkg/ is built: elanus ${version}, ${sizes.join(", ")}, index.js ${kb(gzipSync(readFileSync(path.join(pkg, "index.js"))).length)} KB gz`);

function kb(bytes) {
  return (bytes / 1000).toFixed(1);
}

/** Copies declarations that a consumer's compiler can come to, and leaves the internal ones out. */
function copyReachableTypes(files) {
  const seen = new Set();
  while (files.length > 0) {
    const file = files.pop();
    if (seen.has(file)) continue;
    seen.add(file);
    const text = readFileSync(path.join(types, file), "utf8");
    mkdirSync(path.dirname(path.join(pkg, "types", file)), { recursive: true });
    writeFileSync(path.join(pkg, "types", file), text);
    for (const [, target] of text.matchAll(/(?:from |import\()["'](\.[^"']+)\.js["']/g)) {
      files.push(path.join(path.dirname(file), `${target}.d.ts`));
    }
  }
}

function manifest() {
  const entry = (name, file) => ({ types: `./types/${file}.d.ts`, default: `./${name}.js` });
  return {
    name: "elanus",
    version,
    description: "Vector search in the browser: a SIMD WebAssembly engine that opens one prebuilt index file",
    keywords: ["vector-search", "semantic-search", "embeddings", "nearest-neighbor", "ann", "webassembly", "simd", "hnsw", "rabitq"],
    license: "MIT OR Apache-2.0",
    type: "module",
    sideEffects: false,
    engines: { node: ">=20.16" },
    exports: {
      ".": entry("index", "index"),
      "./embed": entry("embed", "embed/index"),
      "./worker": "./worker.js",
      "./database-worker": "./database-worker.js",
      ...Object.fromEntries(Object.keys(modules).map((name) => [`./${name}`, `./${name}`])),
      "./package.json": "./package.json",
    },
    files: [...readdirSync(pkg).filter((name) => name.endsWith(".js")), ...Object.keys(modules), "types/", "LICENSE-MIT", "LICENSE-APACHE", "NOTICE"].sort(),
  };
}
