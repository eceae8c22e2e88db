/** A registry of small releases, made by the command, and pages that open it. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync } from "node:fs";
import path from "node:path";
import { newPage } from "./browser.mjs";
import { cli } from "./cli.mjs";
import { serve } from "./server.mjs";

export const registry = (at, ...args) =>
  execFileSync(cli, ["registry", "--registry", at, "--json", ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/**
 * A copy of `folder/registry` of the test's own on a server of its own, and a page that has the package.
 *
 * @param {{ folder: string, installed: string }} project with a page
 */
export async function visit(t, browser, { folder, installed }) {
  const own = path.join(folder, `registry-${t.name.replace(/\W+/g, "-").slice(0, 40)}`);
  cpSync(path.join(folder, "registry"), own, { recursive: true });
  const fault = { down: false };
  const handle = (request, response) => {
    if (!fault.down || !request.url.startsWith("/registry/")) return false;
    response.writeHead(503).end();
    return true;
  };
  const { origin, requests } = await serve(t, { "/": folder, "/elanus/": installed, "/registry/": own }, { handle });
  const { page, complaints } = await newPage(browser, `${origin}/`);
  t.after(() => page.context().close());
  await page.waitForFunction(() => globalThis.elanus);
  return { page, own, fault, requests, origin, complaints };
}

/** In the page: opens the registry as `live`, and keeps its events. */
export async function openLive(options) {
  globalThis.events = [];
  globalThis.all = [];
  const onEvent = (event) => {
    all.push(event);
    const { type, release, error, from } = event;
    events.push([type, release ?? from, error?.code].filter(Boolean).join(" "));
  };
  try {
    globalThis.live = await elanus.openRegistry("/registry", { checkEvery: 0, watch: false, onEvent, ...options });
    return live.release;
  } catch (error) {
    return error.code ?? String(error);
  }
}

/** In the page: the rows that a vector finds. */
export const ask = async (query) => (await live.search(query)).map(({ row }) => row);
export const told = (page) => page.evaluate(() => events.splice(0));
export const attempt = (page, call) => page.evaluate((name) => live[name]().catch(({ code }) => code), call);

/** The paths of a release's files. */
export function files(own, name) {
  const shown = JSON.parse(registry(own, "show", name));
  return { manifest: path.join(own, "objects", `${shown.manifest}.json`), index: path.join(own, shown.files[0].path), digest: shown.manifest };
}
