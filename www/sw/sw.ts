// Keeps the page working without a network, and keeps versions apart.
//
// One version is one list of files with their hashes, written in below by the build. The small ones
// (the shell) are fetched when this worker is installed, each checked against its hash, so that a
// deployment caught half way makes the installation fail and the old version stay. The large ones (the
// data) have their hash in their name and are kept when the page fetches them, once their bytes agree.
// A new version waits until the page asks for it; then the old one's files are dropped.

import type { Ask, Kept } from "../src/kept.ts";

interface Precache {
  version: string;
  /** Path to SHA-256, in base64 as `integrity` wants it. */
  shell: Record<string, string>;
  /** Path to SHA-256, in hexadecimal. */
  data: Record<string, string>;
}

declare const self: ServiceWorkerGlobalScope;
declare const __PRECACHE__: Precache;

const { version, shell, data } = __PRECACHE__;
const scope = new URL("./", self.location.href);
// Other deployments may live on the same origin under other paths.
const OURS = `elanus ${scope.pathname} `;
const SHELL = `${OURS}shell ${version}`;
const DATA = `${OURS}data`;

function pathOf(url: URL): string | undefined {
  if (url.origin !== scope.origin || !url.pathname.startsWith(scope.pathname)) return undefined;
  const path = url.pathname.slice(scope.pathname.length);
  return path === "index.html" ? "" : path;
}

const at = (path: string) => new URL(path, scope).href;

async function hex(bytes: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function install(): Promise<void> {
  const cache = await caches.open(SHELL);
  await Promise.all(
    Object.entries(shell).map(async ([path, sha256]) => {
      // Names under assets/ carry their content's hash, so what the browser has already will do.
      const freshness = path.startsWith("assets/") ? "default" : "no-cache";
      const response = await fetch(at(path), { cache: freshness, integrity: `sha256-${sha256}` });
      if (!response.ok) throw new Error(`expected ${path || "the page"}, got HTTP ${response.status}`);
      // A redirected response may not answer a navigation, so keep its body only.
      const { headers } = response;
      await cache.put(at(path), new Response(await response.blob(), { headers }));
    }),
  );
  // An update takes the place of something that works offline, so it comes complete or not at all.
  if (self.registration.active) await keepAll();
}

async function activate(): Promise<void> {
  for (const name of await caches.keys()) {
    if (name.startsWith(OURS) && name !== SHELL && name !== DATA) await caches.delete(name);
  }
  const cache = await caches.open(DATA);
  for (const request of await cache.keys()) {
    const path = pathOf(new URL(request.url));
    if (path === undefined || !Object.hasOwn(data, path)) await cache.delete(request);
  }
  await self.clients.claim();
}

async function keep(path: string, response: Response): Promise<void> {
  const type = response.headers.get("content-type") ?? "application/octet-stream";
  const bytes = await response.arrayBuffer();
  if ((await hex(bytes)) !== data[path]) return;
  const headers = { "content-type": type, "content-length": String(bytes.byteLength) };
  await (await caches.open(DATA)).put(at(path), new Response(bytes, { headers }));
}

async function missing(): Promise<string[]> {
  const cache = await caches.open(DATA);
  const absent: string[] = [];
  for (const path of Object.keys(data)) if (!(await cache.match(at(path)))) absent.push(path);
  return absent;
}

async function keepAll(): Promise<void> {
  for (const path of await missing()) {
    const response = await fetch(at(path));
    if (!response.ok) throw new Error(`expected ${path}, got HTTP ${response.status}`);
    await keep(path, response);
  }
}

async function fromShell(path: string, request: Request): Promise<Response> {
  return (await (await caches.open(SHELL)).match(at(path))) ?? fetch(request);
}

async function fromData(path: string, event: FetchEvent): Promise<Response> {
  const kept = await (await caches.open(DATA)).match(at(path));
  if (kept) return kept;
  const response = await fetch(event.request);
  // Out of space or damaged on the way: the page still gets its answer, only nothing is kept.
  if (response.ok) event.waitUntil(keep(path, response.clone()).catch(() => undefined));
  return response;
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || request.headers.has("range")) return;
  const path = pathOf(new URL(request.url));
  if (path === undefined) return;
  if (Object.hasOwn(shell, path)) event.respondWith(fromShell(path, request));
  else if (Object.hasOwn(data, path)) event.respondWith(fromData(path, event));
});

self.addEventListener("message", (event) => {
  const port = event.ports[0];
  const answer = async () => port?.postMessage({ version, missing: await missing() } satisfies Kept);
  const message = event.data as Ask;
  if (message.type === "state") event.waitUntil(answer());
  else if (message.type === "keep") event.waitUntil(keepAll().catch(() => undefined).then(answer));
  else if (message.type === "forget") event.waitUntil(caches.delete(DATA).then(answer));
  else if (message.type === "take-over") event.waitUntil(self.skipWaiting());
});
