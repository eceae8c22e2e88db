// The data that a page ships with: an index, a model's files. Their names carry their content's hash and
// are compiled into the page, so a page only ever loads the data it was built with.

import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, copyFileSync, readFileSync, statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import type { Plugin } from "vite";

export interface ShippedFile {
  /** Relative to the page. */
  url: string;
  bytes: number;
}

export interface Shipment {
  /** What the page imports, to have the files by name. */
  module: string;
  /** Where they are, from the page. */
  folder: string;
  /** Name to path; without it the page is told that there are none. */
  sources: Record<string, string> | undefined;
}

function describe(path: string, folder: string): ShippedFile {
  if (!existsSync(path)) {
    throw new Error(`the demo ships ${path}, which isn't there; run "npm start", which makes it, and build again`);
  }
  const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
  const extension = extname(path);
  return { url: `${folder}/${basename(path, extension)}.${sha256.slice(0, 12)}${extension}`, bytes: statSync(path).size };
}

export function shipped({ module, folder, sources }: Shipment): Plugin {
  const files = () => Object.entries(sources ?? {}).map(([name, path]) => ({ name, path, file: describe(path, folder) }));
  const described = () => sources && Object.fromEntries(files().map(({ name, file }) => [name, file]));
  let outDir = "";
  return {
    name: `elanus-shipped-${folder}`,
    configResolved(config) {
      outDir = join(config.root, config.build.outDir);
    },
    resolveId: (id) => (id === module ? `\0${module}` : undefined),
    load: (id) => (id === `\0${module}` ? `export default ${JSON.stringify(described())};` : undefined),
    configureServer(server) {
      const served = new Map(files().map(({ path, file }) => [`/${file.url}`, path]));
      server.middlewares.use((request, response, next) => {
        const path = served.get(request.url ?? "");
        if (!path) return next();
        response.setHeader("content-length", statSync(path).size);
        createReadStream(path).pipe(response);
      });
    },
    writeBundle() {
      for (const { path, file } of files()) {
        mkdirSync(join(outDir, folder), { recursive: true });
        copyFileSync(path, join(outDir, file.url));
      }
    },
  };
}
