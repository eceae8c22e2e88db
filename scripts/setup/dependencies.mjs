import { existsSync } from "node:fs";
import path from "node:path";
import { run } from "./command.mjs";
import { npm } from "./site.mjs";

/** The npm packages that package-lock.json names. */
export const dependencies = {
  id: "dependencies",
  title: "npm packages",
  estimate: 25,
  needs: [],

  // npm writes node_modules/.package-lock.json last, so a half-made folder is never taken for whole.
  check(site) {
    if (site.stamps.isCurrent("dependencies", inputs)) return "as package-lock.json says";
    return undefined;
  },

  async run(site, tell) {
    const [program, args] = npm(site, "ci", "--no-audit", "--no-fund");
    const lacksLock = !existsSync(path.join(site.root, "package-lock.json"));
    await run(program, args, {
      cwd: site.root,
      env: site.env,
      log: path.join(site.logs, "dependencies.log"),
      onLine: (line) => tell({ detail: line.slice(0, 60) }),
    }).catch((error) => {
      throw error.withRemedy(
        lacksLock
          ? "package-lock.json is missing: restore it with `git checkout package-lock.json`."
          : "Check that this machine reaches an npm registry (`npm ping`), and that `npm ci` works by hand; " +
              "if package.json was edited, run `npm install` once.",
      );
    });
    site.stamps.set("dependencies", site.stamps.hash(inputs));
  },
};

const inputs = {
  files: ["package.json", "package-lock.json"],
  values: { node: process.versions.node.split(".")[0], platform: process.platform, arch: process.arch },
  makes: ["node_modules/.package-lock.json"],
};
