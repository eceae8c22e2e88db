#!/usr/bin/env node
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".md": "text/markdown; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".ttf": "font/ttf",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".webp": "image/webp",
  ".woff": "font/woff",
  ".woff2": "font/woff2",
};

/**
 * Serves a folder as a plain static host does: types, byte ranges, revalidation, nothing else.
 *
 * @param {string} folder
 * @param {object} [options]
 * @param {number} [options.port] 0 takes a free one
 * @param {string} [options.host]
 * @param {string} [options.base] path under which the folder appears, with a slash at both ends
 * @param {Record<string, string>} [options.headers] sent with every answer
 * @returns {Promise<{ url: string, port: number, close(): Promise<void> }>}
 */
export async function serve(folder, { port = 0, host = "127.0.0.1", base = "/", headers = {} } = {}) {
  const root = path.resolve(folder);
  const server = createServer((request, response) => {
    answer(root, base, headers, request, response).catch((error) => {
      if (!response.headersSent) response.writeHead(500, { "content-type": "text/plain" });
      response.end(String(error.message));
    });
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const taken = server.address().port;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${taken}${base}`,
    port: taken,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections(); // browsers hold theirs open
      }),
  };
}

async function answer(root, base, headers, request, response) {
  const refuse = (status, text, more = {}) => {
    response.writeHead(status, { "content-type": "text/plain; charset=utf-8", ...headers, ...more });
    response.end(request.method === "HEAD" ? undefined : `${text}\n`);
  };
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(405, "Only GET and HEAD.", { allow: "GET, HEAD" });

  const pathname = pathOf(request.url);
  if (pathname === undefined) return refuse(400, "This address can't be decoded.");
  if (`${pathname}/` === base) return refuse(301, base, { location: base });
  if (!pathname.startsWith(base)) return refuse(404, "Not found.");
  let file = path.join(root, pathname.slice(base.length));
  if (file !== root && !file.startsWith(root + path.sep)) return refuse(404, "Not found.");

  let info = await stat(file).catch(() => undefined);
  if (info?.isDirectory()) {
    if (!pathname.endsWith("/")) return refuse(301, `${pathname}/`, { location: `${encodeURI(pathname)}/` });
    file = path.join(file, "index.html");
    info = await stat(file).catch(() => undefined);
  }
  if (!info?.isFile()) return refuse(404, "Not found.");

  const tag = await entityTag(file, info);
  const common = {
    "content-type": TYPES[path.extname(file).toLowerCase()] ?? "application/octet-stream",
    "cache-control": "no-cache", // ask again each time: what is served is being worked on
    "accept-ranges": "bytes",
    etag: tag,
    ...headers,
  };
  if (request.headers["if-none-match"] === tag) {
    response.writeHead(304, common);
    return response.end();
  }
  const ifRange = request.headers["if-range"];
  const range = ifRange && ifRange !== tag ? "whole" : rangeOf(request.headers.range, info.size);
  if (range === "outside") return refuse(416, "No such bytes.", { "content-range": `bytes */${info.size}` });
  const [first, last] = range === "whole" ? [0, info.size - 1] : range;
  response.writeHead(range === "whole" ? 200 : 206, {
    ...common,
    "content-length": last - first + 1,
    ...(range === "whole" ? {} : { "content-range": `bytes ${first}-${last}/${info.size}` }),
  });
  if (request.method === "HEAD" || info.size === 0) return response.end();
  const stream = createReadStream(file, { start: first, end: last });
  stream.on("error", () => response.destroy());
  response.on("close", () => stream.destroy());
  stream.pipe(response);
}

function pathOf(url) {
  try {
    const decoded = decodeURIComponent(url.split(/[?#]/)[0]);
    return decoded.includes("\0") ? undefined : path.posix.normalize(decoded);
  } catch {
    return undefined;
  }
}

/**
 * @returns {"whole" | "outside" | [number, number]} first and last byte; anything but one plain
 *   range is answered with the whole file, as the standard allows
 */
export function rangeOf(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return "whole";
  if (match[1] === "") {
    const count = Math.min(Number(match[2]), size);
    return count === 0 ? "outside" : [size - count, size - 1];
  }
  const first = Number(match[1]);
  const last = match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (match[2] !== "" && Number(match[2]) < first) return "whole";
  return first >= size ? "outside" : [first, last];
}

/** Small files are tagged by content, so that a rebuild that changed nothing is not fetched again. */
async function entityTag(file, info) {
  if (info.size <= 1 << 20) return `"${createHash("sha256").update(await readFile(file)).digest("hex").slice(0, 32)}"`;
  return `"${info.size.toString(16)}-${Math.round(info.mtimeMs).toString(16)}"`;
}

const HELP = `Usage: node scripts/serve.mjs [FOLDER] [--port N] [--host NAME] [--base /PATH/]

Serves a folder (www/dist unless named) as a static host does.
  --port N       default 8080
  --host NAME    default 127.0.0.1, which only this machine reaches
  --base /PATH/  serve it under this path
`;

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: "boolean", short: "h" },
      port: { type: "string", default: "8080" },
      host: { type: "string", default: "127.0.0.1" },
      base: { type: "string", default: "/" },
    },
  });
  if (values.help) return process.stdout.write(HELP);
  const server = await serve(positionals[0] ?? "www/dist", { port: Number(values.port), host: values.host, base: values.base });
  process.stdout.write(`${server.url}\n`);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await main();
