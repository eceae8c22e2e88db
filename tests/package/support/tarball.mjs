/** The package as users get it: packed, and installed from the tarball into an empty project. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.dirname(path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url)))));
const scratch = path.join(root, "build", "test");

/** A directory that is removed when the test ends. It lies below the repository so that tools there are found. */
export function temporary(t, name) {
  mkdirSync(scratch, { recursive: true });
  const folder = mkdtempSync(path.join(scratch, `${name}-`));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The tarball: the one that the test run has packed, else packed now into `folder`. */
export function tarball(folder) {
  if (process.env.ELANUS_TARBALL) return process.env.ELANUS_TARBALL;
  const [info] = JSON.parse(npm(["pack", path.join(root, "pkg"), "--json", "--pack-destination", folder], folder));
  return path.join(folder, info.filename);
}

/** An empty project with the packed package installed; returns its folder and the package's inside. */
export function project(t, name) {
  const folder = temporary(t, name);
  writeFileSync(path.join(folder, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  npm(["install", tarball(folder), "--offline", "--no-audit", "--no-fund", "--ignore-scripts"], folder);
  return { folder, installed: path.join(folder, "node_modules", "elanus") };
}

/** A project with a page that imports the package, served from /elanus/, and keeps it as `globalThis.elanus`. */
export function projectWithPage(t, name) {
  const made = project(t, name);
  const write = (file, text) => writeFileSync(path.join(made.folder, file), text);
  write("index.html", '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>');
  write("page.js", 'import * as elanus from "/elanus/index.js";\nglobalThis.elanus = elanus;\n');
  return made;
}

export function npm(args, cwd) {
  return execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
