import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { folder } from "./vite/folder.ts";
import { notices } from "./vite/notices.ts";
import { precache } from "./vite/precache.ts";
import { shipped } from "./vite/shipped.ts";

const top = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** The built package under its own name, through its own `exports`, as if it had been installed. */
function builtPackage(): { find: RegExp; replacement: string }[] {
  const manifest = top("pkg/package.json");
  if (!existsSync(manifest)) throw new Error('the demo imports the built package; run "npm run build" first');
  const { exports } = JSON.parse(readFileSync(manifest, "utf8")) as { exports: Record<string, string | Record<string, string>> };
  const entry = (target: string | Record<string, string>): string | undefined =>
    typeof target === "string" ? target : (target.browser ?? target.import ?? target.default);
  return Object.entries(exports).flatMap(([name, target]) => {
    const file = entry(target);
    return typeof file === "string" && file.endsWith(".js")
      ? [{ find: new RegExp(`^elanus${name.slice(1)}$`), replacement: top(`pkg/${file}`) }]
      : [];
  });
}

/** The page needs no inline script, no eval and no other host; say so, so that it stays true. */
function policy(): Plugin {
  const content = [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self'",
    "style-src 'self'",
    "font-src 'self'",
    "img-src 'self'",
    "manifest-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return {
    name: "elanus-policy",
    apply: "build",
    transformIndexHtml: () => [
      { tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content }, injectTo: "head-prepend" },
    ],
  };
}

const model = (name: string) => top(`models/wordnet-static/${name}`);
const minilm = (name: string) => top(`build/minilm/${name}`);

/** What the package's chunks for registries and signatures export. */
const LATER = ["openRegistry", "blake2b512"];

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  // Relative, so that the built page runs under any path of any host.
  base: "./",
  resolve: { alias: builtPackage() },
  plugins: [
    policy(),
    shipped({
      module: "virtual:shipped",
      folder: "data",
      sources: {
        index: top("build/demo/words.elanus"),
        model: model("model.safetensors"),
        tokenizer: model("tokenizer.json"),
        config: model("config.json"),
      },
    }),
    // Not there where the model couldn't be installed; the releases were then built without it.
    shipped({
      module: "virtual:minilm",
      folder: "minilm",
      sources: existsSync(minilm("card.json")) ? { model: minilm("model.onnx"), tokenizer: minilm("tokenizer.json"), card: minilm("card.json") } : undefined,
    }),
    notices([
      { id: "words", title: "The words and the embedding model", paths: [model("NOTICE")] },
      { id: "type", title: "Gentium Book Plus, the type", paths: [top("node_modules/@fontsource/gentium-book-plus/LICENSE")] },
      { id: "code", title: "Elanus and the code in it", paths: [top("LICENSE-MIT"), top("LICENSE-APACHE"), top("pkg/NOTICE")] },
      { id: "minilm", title: "all-MiniLM-L6-v2, a model of one of the releases, and what runs it", paths: [top("tools/minilm/NOTICE"), top("node_modules/@huggingface/tokenizers/LICENSE")] },
      { id: "npy", title: "npyjs, which reads .npy files", paths: [top("node_modules/npyjs/LICENSE")] },
    ]),
    folder("registry", top("build/demo/registry")),
    precache(),
  ],
  worker: { format: "es" },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    // A data: URL would need a looser policy, and could not be cached by name.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      checks: { pluginTimings: false },
      input: {
        index: fileURLToPath(new URL("index.html", import.meta.url)),
        bring: fileURLToPath(new URL("bring.html", import.meta.url)),
        releases: fileURLToPath(new URL("releases.html", import.meta.url)),
        notices: fileURLToPath(new URL("notices.html", import.meta.url)),
        sw: fileURLToPath(new URL("sw/sw.ts", import.meta.url)),
      },
      // A service worker keeps its name from version to version: that is how a browser finds the next one.
      output: {
        entryFileNames: (chunk) => (chunk.name === "sw" ? "sw.js" : "assets/[name]-[hash].js"),
        // What the dictionary never imports is told by its name, so that its first visit leaves it out.
        chunkFileNames: (chunk) => `assets/${LATER.some((name) => chunk.exports.includes(name)) ? "later-" : ""}[name]-[hash].js`,
      },
    },
  },
});
