/** What a page keeps of a registry, when the browser is killed. */
import { test } from "node:test";
import { killWhileReleasing } from "../package/support/kept-releases.mjs";

test("a page comes back to a whole release after a hundred kills", (t) => killWhileReleasing(t, { kills: 100, seed: 4 }));
