// Builds the demo's index: the senses of WordNet embedded by the model in models/, then `elanus build`.
// The command line tool is the one named by ELANUS_CLI, else the release build.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const top = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

function run(program, args) {
  const { error, status } = spawnSync(program, args, { stdio: "inherit" });
  if (error) throw new Error(`${program} could not be started (${error.message}); run "npm start", which builds what is missing`);
  if (status !== 0) process.exit(status ?? 1);
}

const demo = (name) => top(`build/demo/${name}`);
run(process.execPath, [top("tools/demo-data/build.mjs"), "--out", top("build/demo")]);
run(process.env.ELANUS_CLI ?? top("target/release/elanus"), [
  "build",
  demo("vectors.npy"),
  ...["--metadata", demo("metadata.jsonl"), "--id-field", "id"],
  // The page filters by the part of speech and prints the words and the gloss; anything more would only be downloaded.
  ...["--fields", "pos:VarChar", "--store", "pos,lemmas,gloss"],
  // The page fetches what its questions lead to, in ranges of bytes.
  ...["--index-type", "IVF_RABITQ", "--nlist", "512", "--rerank", "int8", "--calibrate", "0", "--checks"],
  ...["--card", demo("card.json"), "--output", demo("words.elanus")],
]);
