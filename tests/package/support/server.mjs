/** A static file server that can also misbehave in the ways that real ones do. */
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

/**
 * Serves folders until the test ends.
 *
 * @param {import("node:test").TestContext} t
 * @param {Record<string, string>} mounts address prefix → folder; the longest match wins
 * @param {object} [options]
 * @param {Record<string, string>} [options.headers] sent with every answer
 * @param {Record<string, string>} [options.types] content types by file ending, over the usual ones
 * @param {(request: import("node:http").IncomingMessage, response: import("node:http").ServerResponse) => boolean} [options.handle]
 *   answers a request itself and returns true, or leaves it
 * @returns {Promise<{ origin: string, requests: string[] }>}
 */
export async function serve(t, mounts, { headers = {}, types = {}, handle } = {}) {
  const requests = [];
  const give = filesOf(mounts, types);
  const origin = await listen(t, (request, response) => {
    requests.push(addressOf(request));
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (handle?.(request, response) || give(request, response)) return;
    response.writeHead(404, { "content-type": "text/plain" }).end("not found");
  });
  return { origin, requests };
}

/** Answers on a port that is free until the test ends; resolves to the origin. */
export async function listen(t, answer) {
  const server = createServer(answer);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/** What answers requests for the files of folders, as `serve` takes them: true, or false if there is no such file. */
export function filesOf(mounts, types = {}) {
  const prefixes = Object.keys(mounts).sort((a, b) => b.length - a.length);
  return (request, response) => {
    const address = addressOf(request);
    const prefix = prefixes.find((start) => address.startsWith(start));
    const rest = address.slice(prefix?.length);
    const file = prefix && path.join(mounts[prefix], rest.endsWith("/") || (rest === "" && prefix.endsWith("/")) ? `${rest}index.html` : rest);
    const stat = file && statSync(file, { throwIfNoEntry: false });
    if (!stat?.isFile()) return false;
    const ending = path.extname(file);
    response.writeHead(200, {
      "content-type": types[ending] ?? TYPES[ending] ?? "application/octet-stream",
      "content-length": stat.size,
    });
    createReadStream(file).pipe(response);
    return true;
  };
}

const addressOf = (request) => decodeURIComponent(new URL(request.url, "http://x").pathname);
