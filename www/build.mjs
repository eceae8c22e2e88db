// Builds the demo into www/dist. Needs pkg/, build/demo/words.elanus and models/wordnet-static/.

import { build } from "vite";

await build({ configFile: new URL("vite.config.ts", import.meta.url).pathname, logLevel: "warn" });
