// Builds the demo into www/dist. Needs pkg/, build/demo/words.elanus and models/wordnet-static/.

import { fileURLToPath } from "node:url";
import { build } from "vite";

await build({ configFile: fileURLToPath(new URL("vite.config.ts", import.meta.url)), logLevel: "warn" });
