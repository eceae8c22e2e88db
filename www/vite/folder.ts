// A folder that is shipped as it is, under its own name: file names in it are its own business.

import { cpSync, createReadStream, existsSync, statSync } from "node:fs";
import { join, normalize } from "node:path";
import type { Plugin } from "vite";

export function folder(name: string, source: string): Plugin {
  let outDir = "";
  return {
    name: "elanus-folder",
    configResolved(config) {
      outDir = join(config.root, config.build.outDir);
    },
    configureServer(server) {
      server.middlewares.use(`/${name}/`, (request, response, next) => {
        const path = join(source, normalize(new URL(request.url ?? "/", "http://x").pathname));
        if (!existsSync(path) || !statSync(path).isFile()) return next();
        createReadStream(path).pipe(response);
      });
    },
    writeBundle() {
      if (!existsSync(source)) throw new Error(`the demo ships ${source}, which isn't there; run "npm start", which makes it, and build again`);
      cpSync(source, join(outDir, name), { recursive: true });
    },
  };
}
