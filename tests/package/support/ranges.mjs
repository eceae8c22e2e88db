/** A server of one file in ranges, that counts, waits, and misbehaves as it is told. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { listen } from "./server.mjs";

/**
 * Serves `bytes` at every address that ends in `.elanus`, until the test ends.
 *
 * @param {import("node:test").TestContext} t
 * @param {Buffer} bytes
 * @param {object} [options]
 * @param {number} [options.latency] milliseconds before each answer
 * @param {(asked: Asked) => boolean | void} [options.misbehave] answers itself and returns true, or leaves it
 * @param {Record<string, string>} [options.headers] sent with every answer
 * @param {(request, response) => boolean} [options.other] answers other addresses
 */
export async function serveRanges(t, bytes, { latency = 0, misbehave, headers = {}, other } = {}) {
  const site = { bytes, requests: [], sent: 0, most: 0, origin: "" };
  let open = 0;
  site.origin = await listen(t, (request, response) => {
    const address = new URL(request.url, "http://x").pathname;
    if (!address.endsWith(".elanus")) {
      if (!other?.(request, response)) response.writeHead(404).end();
      return;
    }
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    open += 1;
    site.most = Math.max(site.most, open);
    response.on("close", () => (open -= 1));
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    const asked = { request, response, range: range && [Number(range[1]), Number(range[2]) + 1], number: site.requests.length, site };
    site.requests.push({ range: asked.range, headers: request.headers, at: performance.now() });
    setTimeout(() => {
      if (!misbehave?.(asked)) behave(asked);
    }, latency);
  });
  site.url = `${site.origin}/index.elanus`;
  return site;
}

export const etagOf = (bytes) => `"${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}"`;

/** As a plain static host answers. */
export function behave({ request, response, range, site }, { status, body, length = true } = {}) {
  const { bytes } = site;
  response.setHeader("etag", etagOf(bytes));
  response.setHeader("accept-ranges", "bytes");
  const stale = request.headers["if-range"] !== undefined && request.headers["if-range"] !== etagOf(bytes);
  if (!range || stale) {
    response.writeHead(status ?? 200, length ? { "content-length": bytes.length } : {});
    site.sent += bytes.length;
    response.end(bytes);
    return;
  }
  const [from, to] = [range[0], Math.min(range[1], bytes.length)];
  if (from >= bytes.length) {
    response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
    return;
  }
  const part = body ?? bytes.subarray(from, to);
  response.setHeader("content-range", `bytes ${from}-${to - 1}/${bytes.length}`);
  response.writeHead(status ?? 206, length ? { "content-length": part.length } : {});
  site.sent += part.length;
  response.end(part);
}

/** The whole file whatever was asked, compressed. */
export function compressed({ response, site }, status) {
  const body = gzipSync(site.bytes);
  response.writeHead(status, { "content-encoding": "gzip", "content-length": body.length, ...(status === 206 && { "content-range": `bytes 0-${body.length - 1}/${body.length}` }) });
  response.end(body);
}
