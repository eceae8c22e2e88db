/** What a page keeps of a registry, when the browser is killed; `npm run test:long` kills it a hundred times. */
import { test } from "node:test";
import { killWhileReleasing } from "./support/kept-releases.mjs";

test("a page comes back to a whole release after a kill at any moment", (t) => killWhileReleasing(t, { kills: Number(process.env.ELANUS_KILLS ?? 4), seed: 3 }));
