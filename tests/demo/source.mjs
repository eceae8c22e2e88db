// Modules of the page's source that need no browser, for Node, which reads no TypeScript.

import { readFileSync } from "node:fs";
import { transformWithOxc } from "vite";

/** `path` is relative to www/; the module may import what Node has, and nothing else. */
export async function load(path) {
  const url = new URL(`../../www/${path}`, import.meta.url);
  const { code } = await transformWithOxc(readFileSync(url, "utf8"), url.pathname, { sourcemap: false });
  return import(`data:text/javascript,${encodeURIComponent(code)}`);
}
