// The data that the page ships with: the index, the model's three files. Their names carry their
// content's hash and are compiled into the page, so a page only ever loads the data it was built with.

import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, copyFileSync, readFileSync, statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import type { Plugin } from "vite";

export interface ShippedFile {
  /** Relative to the page. */
  url: string;
  bytes: number;
}

export interface Sources {
  index: string;
  model: string;
  tokenizer: string;
  config: string;
}

const VIRTUAL = "virtual:shipped";

function describe(path: string): ShippedFile {
  if (!existsSync(path)) {
    throw new Error(`the demo ships ${path}, which isn't there; run "npm start", which makes it, and build again`);
  }
  const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
  const extension = extname(path);
  return { url: `data/${basename(path, extension)}.${sha256.slice(0, 12)}${extension}`, bytes: statSync(path).size };
}

export function shipped(sources: Sources): Plugin {
  const files = (): [string, ShippedFile][] =>
    Object.entries(sources).map(([name, path]) => [name, describe(path)]);
  let outDir = "";
  return {
    name: "elanus-shipped",
    configResolved(config) {
      outDir = join(config.root, config.build.outDir);
    },
    resolveId: (id) => (id === VIRTUAL ? `\0${VIRTUAL}` : undefined),
    load: (id) => (id === `\0${VIRTUAL}` ? `export default ${JSON.stringify(Object.fromEntries(files()))};` : undefined),
    configureServer(server) {
      const served = new Map(files().map(([name, file]) => [`/${file.url}`, sources[name as keyof Sources]]));
      server.middlewares.use((request, response, next) => {
        const path = served.get(request.url ?? "");
        if (!path) return next();
        response.setHeader("content-length", statSync(path).size);
        createReadStream(path).pipe(response);
      });
    },
    writeBundle() {
      mkdirSync(join(outDir, "data"), { recursive: true });
      for (const [name, file] of files()) copyFileSync(sources[name as keyof Sources], join(outDir, file.url));
    },
  };
}
