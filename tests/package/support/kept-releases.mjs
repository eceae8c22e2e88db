/** Kills the browser while a page goes from release to release, and looks at what it kept. */
import assert from "node:assert/strict";
import { cpSync, readFileSync } from "node:fs";
import path from "node:path";
import { killAll, launchKept } from "./browser.mjs";
import { buildIndex, searchNatively } from "./cli.mjs";
import { clustered, random } from "./data.mjs";
import { registry } from "./registry.mjs";
import { serve } from "./server.mjs";
import { projectWithPage, temporary } from "./tarball.mjs";

const NAMES = ["r1", "r2", "r3"];

/** Three releases of some hundred kilobytes, what each answers, and `registry.json` for each of them as the champion. */
function releases(folder, query) {
  const at = path.join(folder, "registry");
  registry(at, "init");
  const made = new Map();
  NAMES.forEach((name, seed) => {
    buildIndex(folder, clustered({ count: 6000, dimension: 32, seed }), { args: ["--rerank", "f32"] });
    const file = path.join(folder, "out.elanus");
    const rows = searchNatively(file, [query], 10)[0].map(({ row }) => row);
    registry(at, "add", file, "--name", name);
    made.set(name, { rows });
  });
  for (const name of NAMES) {
    registry(at, "alias", "champion", name);
    made.get(name).state = readFileSync(path.join(at, "registry.json"));
  }
  return { at, made };
}

/** In the page: opens what is there, and says what it answers. */
async function reopen(query) {
  const events = [];
  try {
    globalThis.live = await elanus.openRegistry("/registry/", { checkEvery: 0, onEvent: ({ type, error }) => events.push(`${type} ${error?.code ?? ""}`) });
  } catch (error) {
    return { failed: error.code ?? String(error), events };
  }
  return { release: live.release, rows: (await live.search(query)).map(({ row }) => row), events };
}

/**
 * The page must always come back to a release that is whole: the one that was acknowledged last, or the one on its way.
 *
 * @param {{ kills: number, seed: number }} options
 */
export async function killWhileReleasing(t, { kills, seed }) {
  const project = projectWithPage(t, "kept");
  const [query] = clustered({ count: 1, dimension: 32, seed: 77 });
  const { at, made } = releases(project.folder, query);
  const served = path.join(project.folder, "served");
  cpSync(at, served, { recursive: true });
  const site = { down: false, champion: "r1" };
  const { origin } = await serve(t, { "/": project.folder, "/elanus/": project.installed, "/registry/": served }, {
    handle(request, response) {
      if (!request.url.startsWith("/registry/")) return false;
      if (site.down) response.writeHead(503).end();
      else if (request.url.endsWith("/registry.json")) response.writeHead(200, { "content-type": "application/json" }).end(made.get(site.champion).state);
      else return false;
      return true;
    },
  });
  const profile = temporary(t, "kept-profile");
  const next = random(seed);
  let acknowledged;
  const seen = new Map();
  for (let kill = 0; kill <= kills; kill++) {
    const context = await launchKept(profile);
    const page = await context.newPage();
    await page.goto(origin);
    await page.waitForFunction(() => globalThis.elanus);
    if (kill > 0) {
      // Nothing but what was kept: it is one of the two, and answers as that one does.
      site.down = true;
      const found = await page.evaluate(reopen, Array.from(query));
      const possible = acknowledged === undefined ? [undefined, site.champion] : [acknowledged, site.champion];
      assert.ok(possible.includes(found.release), `after kill ${kill}: ${JSON.stringify(found)}, not ${possible.join(" or ")}`);
      if (found.release) assert.deepEqual(found.rows, made.get(found.release).rows, `after kill ${kill}`);
      seen.set(found.release, (seen.get(found.release) ?? 0) + 1);
      await page.evaluate(() => globalThis.live?.close());
      site.down = false;
      acknowledged = found.release;
    }
    if (kill === kills) {
      const names = await page.evaluate(keptFiles, Array.from(query));
      assert.ok(names.length <= 3 && names.includes("state.json"), `what is left of kills is cleared away: ${names}`);
      await context.close();
      break;
    }
    await page.exposeFunction("choose", (release) => {
      acknowledged = release ?? acknowledged;
      const others = NAMES.filter((name) => name !== site.champion);
      site.champion = others[Math.floor(next() * others.length)];
    });
    await page.evaluate(() => {
      void (async () => {
        const live = await elanus.openRegistry("/registry/", { checkEvery: 0 });
        for (;;) {
          await choose(live.release);
          await live.check();
        }
      })();
    });
    await new Promise((resolve) => setTimeout(resolve, 100 + next() * 700));
    const closed = new Promise((resolve) => context.once("close", resolve));
    killAll(profile);
    await closed;
  }
  t.diagnostic(`${kills} kills; found: ${[...seen].map(([name, count]) => `${name ?? "nothing yet"} ${count} times`).join(", ")}`);
}

/** In the page: goes to another release, and names the files that are then kept. */
async function keptFiles() {
  const live = await elanus.openRegistry("/registry/", { checkEvery: 0 });
  await live.check();
  await live.rollback().catch(() => undefined);
  await live.close();
  const names = [];
  const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("elanus-releases");
  for await (const folder of root.values()) for await (const file of folder.keys()) names.push(file);
  return names;
}
