/** What `npm test` tries a few times, fifty times: the browser is killed while it keeps ranges of a file. */
process.env.ELANUS_KILLS ??= "50";
await import("../package/keep.test.mjs");
