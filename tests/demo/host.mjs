// A static host for the built page, under a sub-path, as strict as a careful one would be, and able to
// fail on purpose.

import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { rangeOf } from "../../scripts/serve.mjs";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".woff2": "font/woff2",
  ".webmanifest": "application/manifest+json",
};

export const POLICY =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; object-src 'none'; base-uri 'none'";

/**
 * Serves `root` under `/some/path/`, in ranges where they are asked for. `fault(path)` may return "lost" (the connection breaks
 * half way), "damaged" (a byte in the middle of what was asked for is another), "absent" (404) or { delay: ms }. `state.sent`
 * counts the bytes of bodies by path.
 */
export async function host(root, { fault = () => undefined } = {}) {
  const prefix = "/some/path/";
  const state = { root, fault, requests: [], sent: {} };
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://host");
    const path = decodeURIComponent(pathname.slice(prefix.length)) || "index.html";
    state.requests.push(path);
    const file = join(state.root, normalize(path));
    const wrong = state.fault(path);
    if (!pathname.startsWith(prefix) || !file.startsWith(state.root) || !existsSync(file) || !statSync(file).isFile() || wrong === "absent") {
      response.writeHead(404, { "content-type": "text/plain" }).end("not here");
      return;
    }
    const total = statSync(file).size;
    const range = rangeOf(request.headers.range, total);
    const [first, last] = Array.isArray(range) ? range : [0, total - 1];
    const size = last - first + 1;
    state.sent[path] = (state.sent[path] ?? 0) + size;
    response.writeHead(Array.isArray(range) ? 206 : 200, {
      "content-type": TYPES[extname(file)] ?? "application/octet-stream",
      "content-length": size,
      "content-security-policy": POLICY,
      "cache-control": "no-cache",
      ...(Array.isArray(range) && { "content-range": `bytes ${first}-${last}/${total}` }),
    });
    if (wrong?.delay) await new Promise((resolve) => setTimeout(resolve, wrong.delay));
    const middle = size >> 1;
    if (wrong === "lost") {
      createReadStream(file, { start: first, end: first + middle }).on("end", () => response.destroy()).pipe(response, { end: false });
    } else if (wrong === "damaged") {
      let at = 0;
      const stream = createReadStream(file, { start: first, end: last });
      stream.on("data", (chunk) => {
        if (at <= middle && middle < at + chunk.length) chunk[middle - at] ^= 0xff;
        at += chunk.length;
        if (!response.write(chunk)) {
          stream.pause();
          response.once("drain", () => stream.resume());
        }
      });
      stream.on("end", () => response.end());
    } else {
      createReadStream(file, { start: first, end: last }).pipe(response);
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}${prefix}`,
    state,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
