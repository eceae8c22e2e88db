import { existsSync } from "node:fs";
import path from "node:path";
import { ask, findProgram, run } from "./command.mjs";
import { Problem } from "./problem.mjs";

/** Whether packages can be installed here with apt-get, without asking anyone. */
export function canInstall(site) {
  return isDebian(site) && process.getuid?.() === 0;
}

export function isDebian(site) {
  return existsSync("/etc/debian_version") && Boolean(findProgram("apt-get", site.env));
}

/** The command for a person to run as root. */
export function commandFor(packages) {
  return `apt-get update && apt-get install --no-install-recommends ${packages.join(" ")}`;
}

/**
 * Installs Debian packages. Never at the price of one that is there: a machine with its own Rust
 * from Debian would lose it, so apt is told to remove nothing.
 */
export async function install(site, packages, tell) {
  const options = {
    cwd: site.root,
    env: { ...site.env, DEBIAN_FRONTEND: "noninteractive" },
    log: path.join(site.logs, "debian.log"),
    onLine: (line) => tell({ detail: line.slice(0, 60) }),
  };
  tell({ detail: "apt-get update" });
  await run("apt-get", ["update", "-q"], options).catch((error) => {
    throw error.withRemedy("Check this machine's package sources in /etc/apt, then run the command again.");
  });
  for (const name of packages) {
    const policy = await ask("apt-cache", ["policy", name], options);
    if (!policy || /Candidate: \(none\)/.test(policy)) {
      throw new Problem(`This machine's package sources have no package ${name}.`);
    }
  }
  await run("apt-get", ["install", "-y", "-q", "--no-install-recommends", "--no-remove", ...packages], options).catch((error) => {
    throw error.withRemedy(`Run this yourself and read what it says: ${commandFor(packages)}`);
  });
}
