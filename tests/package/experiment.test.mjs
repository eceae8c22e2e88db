/** A challenger on live queries: in the shadow and interleaved, in Chromium from the packed package, against the command. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, writeFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { launch } from "./support/browser.mjs";
import { buildIndex, cli } from "./support/cli.mjs";
import { clustered, random } from "./support/data.mjs";
import { attempt, openLive, registry, visit } from "./support/registry.mjs";
import { serve } from "./support/server.mjs";
import { projectWithPage } from "./support/tarball.mjs";

const DIMENSION = 24;
const model = { name: "m", revision: "1", fingerprint: "sha256:11", dimension: DIMENSION, normalised: false };
const other = { name: "n", revision: "1", fingerprint: "sha256:22", dimension: 16, normalised: false, prompts: { query: "find: ", document: "read: " } };
// One draw, so that queries are near rows.
const drawn = clustered({ count: 1140, dimension: DIMENSION, seed: 1 });
const rows = drawn.slice(0, 1100);
const queries = drawn.slice(1100).map((vector) => Array.from(vector));
let project;
let browser;

before(async (t) => {
  project = projectWithPage(t, "experiment");
  const { folder } = project;
  const at = path.join(folder, "registry");
  registry(at, "init");
  const releases = [
    ["r1", rows, model, []],
    // Codes alone: other answers, and some of them the same.
    ["r2", rows, model, ["--rerank", "none"]],
    ["r3", clustered({ count: 1100, dimension: 16, seed: 3 }), other, []],
  ];
  for (const [name, vectors, card, args] of releases) {
    buildIndex(folder, vectors, { args, card: { name: "words", model: card } });
    registry(at, "add", path.join(folder, "out.elanus"), "--name", name);
  }
  registry(at, "alias", "champion", "r1");
  registry(at, "alias", "challenger", "r2");
  writeFileSync(path.join(folder, "queries.json"), JSON.stringify(queries));
  const lines = rows.map((vector) => `${JSON.stringify({ vector: Array.from(vector) })}\n`);
  writeFileSync(path.join(folder, "rows.jsonl"), lines.join(""));
  browser = await launch(t);
});

const open = (page, options) => page.evaluate(openLive, options);
const withChallenger = (page) => page.waitForFunction(() => live.challenger);
const near = (found, expected, what) => assert.ok(Math.abs(found - expected) < 1e-6, `${what}: ${found}, not ${expected}`);

test("in the shadow, the challenger's answers are compared as the command compares them", async (t) => {
  const { page, own, complaints } = await visit(t, browser, project);
  registry(own, "evaluate", "r2", path.join(project.folder, "queries.json"), "--vectors", path.join(project.folder, "rows.jsonl"), "-k", "10");
  const { evaluations } = JSON.parse(registry(own, "show", "r2"));
  assert.equal(await open(page, { experiment: { mode: "shadow", share: 1 } }), "r1");
  await withChallenger(page);
  const state = await page.evaluate(async (queries) => {
    for (const [i, query] of queries.entries()) {
      await live.search(query);
      while (live.experiment.shadow.queries <= i) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return live.experiment;
  }, queries);
  assert.deepEqual([state.champion, state.challenger, state.mode, state.assigned, state.interleaved], ["r1", "r2", "shadow", true, undefined]);
  assert.deepEqual([state.shadow.queries, state.shadow.skipped, state.shadow.failed], [queries.length, 0, 0]);
  const [{ against }] = evaluations;
  near(state.shadow.overlap, against.overlap["overlap@10"].mean, "overlap");
  near(state.shadow.rbo, against.rbo.mean, "rbo");
  const events = await page.evaluate(() => all.filter(({ type }) => type === "shadow"));
  const mean = (name) => events.reduce((sum, event) => sum + event[name], 0) / events.length;
  for (const name of ["overlap", "rbo", "shift"]) near(state.shadow[name], mean(name), name);
  assert.ok(events.every(({ champion, challenger, championMs, challengerMs }) => champion === "r1" && challenger === "r2" && championMs > 0 && challengerMs > 0));
  assert.deepEqual(complaints, []);
});

test("the shadow waits until the champion has nothing to do, and lets go of what is too much", async (t) => {
  const { page } = await visit(t, browser, project);
  await open(page, { experiment: { mode: "shadow", share: 1 } });
  await withChallenger(page);
  const { before, shadow } = await page.evaluate(async (queries) => {
    const asked = Array.from({ length: 400 }, (_, i) => live.search(queries[i % queries.length]));
    await Promise.all(asked);
    const before = all.filter(({ type }) => type === "shadow").length;
    while (live.experiment.shadow.queries + live.experiment.shadow.skipped < 400) await new Promise((resolve) => setTimeout(resolve, 5));
    return { before, shadow: live.experiment.shadow };
  }, queries);
  assert.equal(before, 0, "no query was answered by the challenger while the champion was asked");
  assert.equal(shadow.queries, 8);
  assert.equal(shadow.skipped, 392);
});

test("a share of the queries is drawn, and a champion that changes begins anew", async (t) => {
  const { page, own } = await visit(t, browser, project);
  await open(page, { experiment: { mode: "shadow", share: 0.25, seed: 7 } });
  await withChallenger(page);
  const drawn = await page.evaluate(async (queries) => {
    for (let i = 0; i < 200; i++) {
      await live.search(queries[i % queries.length]);
      await new Promise((resolve) => requestIdleCallback(resolve));
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
    return live.experiment.shadow.queries;
  }, queries);
  assert.ok(drawn > 25 && drawn < 80, `${drawn} of 200`);
  registry(own, "alias", "champion", "r2");
  registry(own, "alias", "challenger", "r1");
  assert.equal(await attempt(page, "check"), "r2");
  assert.equal(await page.evaluate(() => live.challenger), "r1");
  assert.deepEqual(await page.evaluate(() => [live.experiment.shadow.queries, live.experiment.champion, live.experiment.challenger]), [0, "r2", "r1"]);
  // What is tried becomes the champion: there is nothing to be tried. And then no alias at all.
  registry(own, "alias", "challenger", "r2");
  await attempt(page, "check");
  assert.equal(await page.evaluate(() => live.challenger), undefined);
  registry(own, "alias", "challenger", "--delete");
  await attempt(page, "check");
  assert.ok((await page.evaluate(() => events)).includes("gone r2"));
});

test("lists of both are drafted, clicks are credited, and the outcome is what the command reads", async (t) => {
  const { page, complaints } = await visit(t, browser, project);
  const experiment = { mode: "interleave", salt: "r1 or r2", visitor: "visitor 1", seed: 11 };
  await open(page, { experiment });
  await withChallenger(page);
  const found = await page.evaluate(async (queries) => {
    const both = {};
    const lists = [];
    for (const query of queries) {
      const hits = await live.search(query, { limit: 8 });
      const event = all.at(-1);
      // A visitor who prefers the challenger, in three of four queries; the fifth looks and leaves.
      const wanted = lists.length % 4 === 3 ? "champion" : "challenger";
      const rank = event.teams.indexOf(wanted);
      const credited = lists.length % 5 !== 4 && rank >= 0 && live.feedback(hits[rank]);
      if (credited) live.feedback({ ...hits[rank] });
      lists.push({ ids: hits.map(({ id }) => id), releases: hits.map(({ release }) => release), teams: event.teams, wanted: credited ? wanted : undefined, seed: event.seed });
    }
    const again = (await live.search(queries.at(-1), { limit: 8 })).map(({ id }) => id);
    const rest = (await live.search(queries.at(-1), { limit: 4, offset: 4 })).map(({ id }) => id);
    const open = live.experiment.interleaved;
    await live.close();
    return { lists, again, rest, open, outcomes: all.filter(({ type }) => type === "outcome").map(({ outcome }) => outcome) };
  }, queries);

  assert.equal(found.lists.length, queries.length);
  for (const { ids, releases, teams } of found.lists) {
    assert.equal(new Set(ids).size, 8, "nothing twice");
    const count = (team) => teams.filter((own) => own === team).length;
    assert.ok(Math.abs(count("champion") - count("challenger")) <= 1, "no team has more places");
    assert.ok(teams.every((team, rank) => (team === "challenger") === (releases[rank] === "r2") || team === "neither"));
  }
  assert.ok(new Set(found.lists.map(({ seed }) => seed)).size > 30, "each list has a seed of its own");
  assert.deepEqual(found.again, found.lists.at(-1).ids, "the same question, the same list");
  assert.deepEqual(found.rest, found.again.slice(4), "and its next page");

  const wins = found.lists.filter(({ wanted }) => wanted === "challenger").length;
  const losses = found.lists.filter(({ wanted }) => wanted === "champion").length;
  assert.ok(wins > 5 && losses > 1, `${wins} ${losses}`);
  const sum = (name) => found.outcomes.reduce((total, outcome) => total + outcome[name], 0);
  assert.deepEqual([sum("wins"), sum("losses"), sum("ties")], [wins, losses, queries.length - wins - losses]);
  assert.deepEqual([found.open.wins, found.open.losses], [wins, losses], "what isn't settled yet is seen as well");
  // The command reads it, and says the same.
  const file = path.join(project.folder, "outcomes.jsonl");
  writeFileSync(file, found.outcomes.map((outcome) => `${JSON.stringify(outcome)}\n`).join(""));
  const [report] = JSON.parse(execFileSync(cli, ["experiment", "report", file, "--json"], { encoding: "utf8" }));
  assert.deepEqual([report.champion, report.challenger, report.wins, report.losses], ["r1", "r2", wins, losses]);
  const { preference } = await import(pathToFileURL(path.join(project.installed, "index.js")));
  const own = preference(found.outcomes);
  for (const name of ["share", "low", "high", "p"]) near(own[name], report[name], name);
  assert.deepEqual(complaints, []);
});

test("verdicts are those of the command", async () => {
  const { preference, ElanusError } = await import(pathToFileURL(path.join(project.installed, "index.js")));
  const next = random(4);
  const tallies = [[0, 0], [1, 0], [0, 9], [60, 0], [500, 400], [1100, 900], [900, 1100], [2 ** 31, 2 ** 31]];
  for (let i = 0; i < 12; i++) tallies.push([Math.floor(next() * 3000), Math.floor(next() * 3000)]);
  const file = path.join(project.folder, "tallies.jsonl");
  const line = ([wins, losses], i) => JSON.stringify({ schema_version: 1, champion: `a${String(i).padStart(2, "0")}`, challenger: "b", wins, losses });
  writeFileSync(file, tallies.map(line).join("\n"));
  for (const alpha of [0.05, 0.001]) {
    const reports = JSON.parse(execFileSync(cli, ["experiment", "report", file, "--json", "--alpha", `${alpha}`], { encoding: "utf8" }));
    assert.equal(reports.length, tallies.length);
    reports.forEach((report, i) => {
      const [wins, losses] = tallies[i];
      const own = preference([{ wins, losses, ties: 0 }], { alpha });
      for (const name of ["share", "low", "high", "p"]) near(own[name], report[name], `${tallies[i]} ${name}`);
      assert.equal(own.preferred, { b: "challenger", [`a${String(i).padStart(2, "0")}`]: "champion" }[report.preferred]);
    });
  }
  for (const bad of [() => preference([], { alpha: 0 }), () => preference([{ wins: -1, losses: 0, ties: 0 }]), () => preference([{ wins: 1, losses: 0 }])]) {
    assert.throws(bad, (error) => error instanceof ElanusError && error.code === "INVALID_ARGUMENT");
  }
});

test("texts are embedded for each release by its own model, and vectors of one model are no query for another", async (t) => {
  const { page, own } = await visit(t, browser, project);
  registry(own, "alias", "challenger", "r3");
  const found = await page.evaluate(async ({ cards, query }) => {
    globalThis.all = [];
    globalThis.embedded = [];
    const embedder = (card) => ({ card, dimension: card.dimension, embed: (text) => (embedded.push(`${card.name} ${text}`), Float32Array.from({ length: card.dimension }, (_, i) => Math.sin(text.length * (i + 1)))) });
    const options = { checkEvery: 0, onEvent: (event) => all.push(event), experiment: { mode: "interleave", salt: "s", visitor: "v" } };
    globalThis.live = await elanus.openRegistry("/registry", { ...options, embedders: cards.map(embedder) });
    while (!live.challenger) await new Promise((resolve) => setTimeout(resolve, 5));
    const texts = await live.ask("small bird");
    const vector = await live.search(query);
    await live.search(query);
    const alone = await elanus.openRegistry("/registry", { ...options, embedders: [embedder(cards[1])] }).catch(({ code }) => code);
    const half = await elanus.openRegistry("/registry", { ...options, embedders: [embedder(cards[0])], onEvent: ({ type, error }) => type === "refused" && embedded.push(error.code) });
    while (embedded.at(-1) !== "MODEL_MISMATCH") await new Promise((resolve) => setTimeout(resolve, 5));
    return {
      texts: texts.map(({ release }) => release),
      vector: vector.map(({ release, id }) => [release, id]),
      plain: (await half.search(query)).map(({ id }) => id),
      unanswered: all.filter(({ type }) => type === "unanswered").map(({ release, error }) => [release, error.code]),
      refusals: [await live.ask(3).catch(({ code }) => code), alone],
      embedded,
    };
  }, { cards: [model, other], query: queries[0] });
  assert.deepEqual(new Set(found.texts), new Set(["r1", "r3"]));
  assert.deepEqual(found.embedded.slice(0, 2).sort(), ["m small bird", "n find: small bird"]);
  assert.ok(found.vector.every(([release]) => release === undefined), "the champion's own list");
  assert.deepEqual(found.vector.map(([, id]) => id), found.plain);
  assert.deepEqual(found.unanswered, [["r3", "MODEL_MISMATCH"]], "told once");
  assert.deepEqual(found.refusals, ["INVALID_ARGUMENT", "MODEL_MISMATCH"]);
});

test("who takes part is decided by a hash, the same at every visit", async (t) => {
  const own = path.join(project.folder, "registry-visitors");
  cpSync(path.join(project.folder, "registry"), own, { recursive: true });
  const { origin, requests } = await serve(t, { "/registry/": own });
  const { openRegistry } = await import(pathToFileURL(path.join(project.installed, "index.js")));
  const assigned = async (visitor, salt, share = 0.5) => {
    const live = await openRegistry(`${origin}/registry/`, { checkEvery: 0, experiment: { mode: "interleave", share, salt, visitor } });
    const answer = live.experiment.assigned;
    await live.close();
    return answer;
  };
  const drawn = [];
  for (let i = 0; i < 60; i++) drawn.push(await assigned(`visitor ${i}`, "one"));
  const count = drawn.filter(Boolean).length;
  assert.ok(count > 15 && count < 45, `${count} of 60`);
  for (const i of [0, 1, 2, 3, 4]) assert.equal(await assigned(`visitor ${i}`, "one"), drawn[i]);
  const others = [];
  for (let i = 0; i < 20; i++) others.push(await assigned(`visitor ${i}`, "another"));
  assert.notDeepEqual(others, drawn.slice(0, 20), "another experiment draws others");
  assert.equal(await assigned("visitor 0", "one", 1), true);
  assert.equal(await assigned("visitor 0", "one", 0), false);
  assert.ok(requests.every((address) => !address.includes("visitor")));
});

test("experiments that can't be are refused with their reason", async (t) => {
  const { page } = await visit(t, browser, project);
  const interleave = { mode: "interleave", salt: "s", visitor: "v" };
  for (const options of [
    { experiment: {} }, { experiment: { mode: "ab" } }, { experiment: 1 }, { experiment: { mode: "shadow", share: 2 } }, { experiment: { mode: "shadow", share: "1" } },
    { experiment: { mode: "shadow", visitor: "v" } }, { experiment: { mode: "interleave", salt: "s" } }, { experiment: { mode: "interleave", visitor: "v" } },
    { experiment: { ...interleave, visitor: "" } }, { experiment: { ...interleave, seed: -1 } }, { experiment: { ...interleave, sallt: "x" } },
    { challenger: "r2" }, { challenger: "champion", experiment: interleave }, { challenger: "../x", experiment: interleave },
  ]) {
    assert.equal(await open(page, options), "INVALID_ARGUMENT", JSON.stringify(options));
  }
  await open(page, {});
  assert.equal(await page.evaluate(() => live.experiment), undefined);
  assert.equal(await page.evaluate((query) => live.search(query).then(([hit]) => live.feedback(hit)), queries[0]), false);
  assert.equal(await page.evaluate(() => live.ask("x").catch(({ code }) => code)), "INVALID_ARGUMENT");
});
