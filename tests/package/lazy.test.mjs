/** Files that are fetched in ranges, from hosts that behave and from hosts that don't: in Node, and in Chromium. */
import assert from "node:assert/strict";
import path from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { launch, newPage } from "./support/browser.mjs";
import { buildIndex } from "./support/cli.mjs";
import { clustered } from "./support/data.mjs";
import { behave, compressed, etagOf, serveRanges } from "./support/ranges.mjs";
import { filesOf } from "./support/server.mjs";
import { projectWithPage } from "./support/tarball.mjs";

const DIMENSION = 32;
const LISTS = ["--index-type", "IVF_RABITQ", "--nlist", "100", "--rerank", "int8", "--calibrate", "0", "--checks"];
const vectors = clustered({ count: 20_000, dimension: DIMENSION, seed: 81 });
const rows = vectors.map((_, row) => ({ name: `row ${row}`, even: row % 2 === 0 }));
const queries = clustered({ count: 3, dimension: DIMENSION, seed: 82 }).map((query) => Array.from(query));
const plan = { limit: 5, nprobe: 6, rerank: 40 };

let folder;
let installed;
let bytes;
let other;
let browser;

before(async (t) => {
  ({ folder, installed } = projectWithPage(t, "lazy"));
  bytes = buildIndex(folder, vectors, { args: LISTS, rows });
  other = buildIndex(folder, vectors.map((vector) => vector.map((x) => -x)), { args: LISTS, rows });
  assert.equal(other.length, bytes.length);
  browser = await launch(t);
});

/** Opens, searches and tells what came, here or in a page: so it names nothing from outside. */
async function visit({ url, options = {}, queries = [], plan = {}, then }) {
  const { elanus } = globalThis;
  const plain = (error) => ({ code: error.code ?? error.name, message: error.message, details: error.details });
  let index;
  try {
    index = await elanus.open(url, { load: "lazy", keep: false, ...options });
  } catch (error) {
    return { failed: plain(error) };
  }
  const answers = [];
  for (const query of queries) answers.push(await index.search(Float32Array.from(query), plan).catch(plain));
  const told = { loading: index.loading, thread: index.thread, answers, traffic: await index.traffic(), memory: await index.memory() };
  if (then) Object.assign(told, await new Function("index", "queries", "plan", "plain", `return (async () => {${then}})()`)(index, queries, plan, plain));
  await index.close();
  return told;
}

/** Each host in Node and in Chromium: a page of the same origin, in a worker. */
function everywhere(name, run) {
  for (const where of ["Node", "Chromium"]) {
    test(`${name} (${where})`, { timeout: 60_000 }, async (t) => {
      const host = async (options) => {
        const site = await serveRanges(t, bytes, { other: filesOf({ "/": folder, "/elanus/": installed }), ...options });
        if (where === "Node") {
          globalThis.elanus = await import(pathToFileURL(path.join(installed, "index.js")).href);
          return { site, ask: (asked) => visit({ url: site.url, queries, plan, ...asked }) };
        }
        const visited = await newPage(browser, `${site.origin}/`);
        t.after(() => visited.page.context().close());
        await visited.page.waitForFunction(() => globalThis.elanus);
        return { site, ask: (asked) => visited.page.evaluate(visit, { url: site.url, queries, plan, ...asked }) };
      };
      await run(host, where);
    });
  }
}

/** What the whole file answers to the same questions. */
let whole;
async function expected() {
  const elanus = await import(pathToFileURL(path.join(installed, "index.js")).href);
  whole ??= await (async () => {
    const index = await elanus.open(bytes);
    return Promise.all(queries.map((query) => index.search(Float32Array.from(query), plan)));
  })();
  return whole;
}

everywhere("a part of the file answers as the whole does", async (host, where) => {
  const { site, ask } = await host();
  const told = await ask({ options: { load: "lazy" } });
  assert.deepEqual(told.answers, await expected());
  assert.deepEqual(told.loading, { mode: "lazy", keptIn: "memory" });
  assert.equal(told.thread, where === "Node" ? "main" : "worker");
  assert.ok(told.traffic.bytes < bytes.length * 0.7, `${told.traffic.bytes} of ${bytes.length}`);
  assert.deepEqual([told.traffic.bytes, told.traffic.requests, told.traffic.keptBytes], [site.sent, site.requests.length, 0]);
  assert.ok(site.requests.every(({ range }) => range), "nothing but ranges was asked for");
  assert.ok(told.memory.fileBytes < bytes.length / 2, `${told.memory.fileBytes} bytes are held`);
  // The first search of a file that starts with all that is needed to begin: head, codes, rows.
  const first = await ask({ queries: queries.slice(0, 1) });
  assert.equal(first.traffic.roundTrips, 3);
  // Stored fields take one more at most.
  const fields = await ask({ queries: queries.slice(0, 1), plan: { ...plan, outputFields: ["name"] } });
  assert.deepEqual(fields.answers[0].map(({ fields: { name } }) => name), (await expected())[0].map(({ id }) => `row ${id}`));
  assert.ok(fields.traffic.roundTrips <= 4, `${fields.traffic.roundTrips}`);
});

everywhere("lists in groups take a round trip more, and their centroids fewer bytes", async (host) => {
  const grouped = buildIndex(folder, vectors, { args: [...LISTS.map((arg) => (arg === "100" ? "900" : arg)), "--ngroups", "30"], rows });
  const { site, ask } = await host();
  site.bytes = grouped;
  const elanus = await import(pathToFileURL(path.join(installed, "index.js")).href);
  const index = await elanus.open(grouped);
  const own = { limit: 5, nprobe: 4, rerank: 40 };
  const wanted = await Promise.all(queries.map((query) => index.search(Float32Array.from(query), own)));
  const told = await ask({ plan: own, then: "return { lists: index.lists };" });
  assert.deepEqual(told.answers, wanted);
  assert.deepEqual(told.lists, index.lists);
  assert.ok(told.lists.count > 800);
  const first = await ask({ plan: own, queries: queries.slice(0, 1) });
  assert.equal(first.traffic.roundTrips, 4);
});

everywhere("what codes alone find is told a round trip before", async (host) => {
  const { ask } = await host();
  const told = await ask({
    queries: [],
    then: `
      const query = Float32Array.from(${JSON.stringify(queries[0])});
      let early;
      const hits = await index.search(query, { ...plan, onCoarse: (found) => { early = found; } });
      const coarse = await index.search(query, { ...plan, rerank: 0 });
      const refused = await index.search(query, { onCoarse: 5 }).catch(plain);
      return { early, hits, coarse, refused: refused.code };`,
  });
  assert.deepEqual(told.hits, (await expected())[0]);
  assert.deepEqual(told.early, told.coarse);
  assert.notDeepEqual(told.early, told.hits);
  assert.equal(told.refused, "INVALID_ARGUMENT");
});

everywhere("filters, and what takes the whole file", async (host) => {
  const { ask } = await host();
  const told = await ask({
    plan: { ...plan, filter: "even == true" },
    then: `
      const query = Float32Array.from(queries[0]);
      const refused = [];
      for (const call of [
        () => index.search(query, { exact: true }),
        () => index.search(query, { radius: 0.1 }),
        () => index.get([1]),
        () => index.vectors([1]),
        () => index.toBlob(),
        () => index.hybridSearch([{ data: query }]),
        () => index.searchIterator(query).next(),
      ]) refused.push((await call().catch(plain)).code);
      await index.prefetch();
      const after = await index.search(query, { ...plan, filter: "even == true" });
      const exact = await index.search(query, { exact: true, limit: 3 });
      const got = await index.get([7]);
      return { refused, after, exact: exact.length, got: got[0].fields.name, held: (await index.memory()).fileBytes };`,
  });
  assert.ok(told.answers.flat().every(({ id }) => id % 2 === 0) && told.answers.flat().length === 15);
  assert.deepEqual(told.refused, Array(7).fill("INVALID_ARGUMENT"));
  assert.deepEqual(told.after, told.answers[0]);
  assert.deepEqual([told.exact, told.got, told.held], [3, "row 7", bytes.length]);
});

everywhere("in the background the whole file comes", async (host) => {
  const { ask } = await host({ latency: 5 });
  const told = await ask({
    options: { load: "background" },
    then: `await index.prefetch(); return { exact: await index.search(Float32Array.from(queries[0]), { ...plan, exact: true, rerank: undefined, nprobe: undefined }) };`,
  });
  assert.deepEqual(told.answers, await expected());
  assert.equal(told.loading.mode, "background");
  assert.equal(told.exact.length, 5);
});

everywhere("a host that answers 200 to Range is taken whole, with one request", async (host) => {
  const { site, ask } = await host({ misbehave: (asked) => (behave({ ...asked, range: null }), true) });
  const told = await ask();
  assert.deepEqual(told.answers, await expected());
  assert.equal(told.loading.mode, "eager");
  assert.match(told.loading.reason, /answers a request for a range with the whole file/);
  assert.equal(site.requests.length, 1);
});

for (const status of [200, 206]) {
  everywhere(`a host that compresses what it is asked for in ranges, as ${status}`, async (host) => {
    const { ask } = await host({ misbehave: (asked) => asked.range && (compressed(asked, status), true) });
    const told = await ask();
    assert.deepEqual(told.answers, await expected());
    assert.equal(told.loading.mode, "eager");
  });
}

everywhere("lengths and tags needn't be told", async (host) => {
  const plainly = ({ range, response, site }) => {
    response.writeHead(206, { "content-range": `bytes ${range[0]}-${Math.min(range[1], bytes.length) - 1}/*` });
    response.end(site.bytes.subarray(...range));
    return true;
  };
  const { ask } = await host({ misbehave: plainly });
  const told = await ask();
  assert.deepEqual(told.answers, await expected());
  assert.equal(told.loading.mode, "lazy");
});

everywhere("416: at first the file is taken whole, later it has changed", async (host) => {
  const refuse = ({ response }) => (response.writeHead(416).end(), true);
  const first = await (await host({ misbehave: (asked) => asked.range && refuse(asked) })).ask();
  assert.deepEqual([first.loading.mode, first.answers], ["eager", await expected()]);
  const later = await (await host({ misbehave: (asked) => asked.number > 0 && refuse(asked) })).ask({ queries: queries.slice(0, 1) });
  assert.equal(later.answers[0].code, "SOURCE_CHANGED");
});

everywhere("what passes is tried again: 429 with Retry-After, 503, lost connections, half answers", async (host) => {
  let failures = 0;
  const { site, ask } = await host({
    misbehave: ({ number, range, response, site }) => {
      if (number === 0) return response.writeHead(503).end(), (failures += 1), true;
      if (number === 2) return response.writeHead(429, { "retry-after": "1" }).end(), (failures += 1), true;
      if (number === 3) return response.destroy(), (failures += 1), true;
      if (number === 4) {
        response.writeHead(206, { "content-range": `bytes ${range[0]}-${range[1] - 1}/${site.bytes.length}`, "content-length": range[1] - range[0] });
        response.write(site.bytes.subarray(range[0], range[0] + 100), () => response.destroy());
        failures += 1;
        return true;
      }
      return false;
    },
  });
  const told = await ask();
  assert.deepEqual(told.answers, await expected());
  assert.equal(failures, 4);
  const again = site.requests.findIndex(({ range }, number) => number > 4 && `${range}` === `${site.requests[2].range}`);
  assert.ok(site.requests[again].at - site.requests[2].at > 950, "not before the host's own time");
});

everywhere("what doesn't pass is said, after few tries", async (host) => {
  const always = (status, headers) => host({ misbehave: ({ number, response }) => number > 0 && (response.writeHead(status, headers).end(), true) });
  for (const [status, headers, most] of [[500, {}, 2], [404, {}, 1], [429, { "retry-after": "3600" }, 1]]) {
    const { site, ask } = await always(status, headers);
    const told = await ask({ queries: queries.slice(0, 1), options: { network: { retries: 1 } } });
    const [{ code, message, details }] = told.answers;
    assert.deepEqual([code, details.status], ["FETCH_FAILED", status]);
    assert.match(message, status === 429 ? /asks to wait 3600 seconds/ : new RegExp(`HTTP status ${status}`));
    const tries = new Map();
    for (const { range } of site.requests) tries.set(`${range}`, (tries.get(`${range}`) ?? 0) + 1);
    assert.ok(Math.max(...tries.values()) <= most, `${status}: ${Math.max(...tries.values())} tries`);
  }
  const { ask } = await host({ misbehave: ({ response }) => (response.destroy(), true) });
  assert.equal((await ask({ options: { network: { retries: 1 } } })).failed.code, "FETCH_FAILED");
});

everywhere("an answer that never comes is given up, and asked for again", async (host) => {
  const { ask } = await host({ misbehave: ({ number }) => number === 1 });
  const told = await ask({ queries: queries.slice(0, 1), options: { network: { timeout: 300 } } });
  assert.deepEqual(told.answers[0], (await expected())[0]);
});

everywhere("a file that changes in mid-session is refused, and opened anew", async (host) => {
  // By its tag, and, of a host that tells no tag and no length, by its content.
  const untold = ({ range, response, site }) => (response.writeHead(206).end(site.bytes.subarray(...range)), true);
  for (const misbehave of [undefined, untold]) {
    const { site, ask } = await host({ misbehave: (asked) => ((site.bytes = asked.number > 2 ? other : bytes), misbehave?.(asked)) });
    const told = await ask();
    assert.ok(told.answers.some(({ code }) => code === "SOURCE_CHANGED"), JSON.stringify(told.answers.map(({ code, message }) => ({ code, message }))));
    const wrong = told.answers.filter(({ code }) => code !== "SOURCE_CHANGED");
    for (const answer of wrong) assert.ok((await expected()).some((hits) => JSON.stringify(hits) === JSON.stringify(answer)));
    const again = await ask();
    assert.equal(again.loading.mode, "lazy");
    assert.ok(again.answers.every((hits) => hits.length === 5));
  }
  assert.notEqual(etagOf(bytes), etagOf(other));
});

everywhere("damaged bytes are fetched again, and never searched", async (host) => {
  const damage = ({ range, site, ...asked }) => {
    const body = Buffer.from(site.bytes.subarray(...range));
    body[100] ^= 4;
    behave({ ...asked, range, site }, { body });
    return true;
  };
  const once = await (await host({ misbehave: (asked) => asked.number === 2 && damage(asked) })).ask();
  assert.deepEqual(once.answers, await expected());
  const always = await (await host({ misbehave: (asked) => asked.number > 0 && asked.range[0] > 0 && damage(asked) })).ask();
  assert.deepEqual(always.answers.map(({ code }) => code), Array(3).fill("CORRUPT_FILE"));
});

everywhere("bytes from another place are not taken for those asked for", async (host) => {
  const shifted = ({ range, ...asked }) => (behave({ ...asked, range: range.map((at) => at + 4096) }), true);
  const { ask } = await host({ misbehave: (asked) => asked.number === 1 && shifted(asked) });
  assert.deepEqual((await ask()).answers, await expected());
});

everywhere("a search that is given up ends its requests, and the next goes on", async (host) => {
  let closed = 0;
  const { ask } = await host({
    misbehave: ({ number, response }) => {
      if (number === 0 || closed > 0) return false;
      response.on("close", () => (closed += 1));
      return true;
    },
  });
  const told = await ask({
    // The host may hear of the end a little later than the page.
    options: { network: { timeout: 1000 } },
    queries: [],
    then: `
      const query = Float32Array.from(${JSON.stringify(queries[0])});
      const stop = new AbortController();
      setTimeout(() => stop.abort(new Error("enough")), 150);
      const given = await index.search(query, { ...plan, signal: stop.signal }).catch(({ message }) => message);
      return { given, next: await index.search(query, plan) };`,
  });
  assert.equal(told.given, "enough");
  assert.deepEqual(told.next, (await expected())[0]);
  assert.ok(closed > 0, "nobody waits for the answers any more");
});

everywhere("a file that can't be read in parts is loaded whole, and says why", async (host) => {
  const { site, ask } = await host();
  site.bytes = buildIndex(folder, vectors.slice(0, 500), { args: ["--index-type", "SCAN_RABITQ"] });
  const told = await ask();
  assert.equal(told.loading.mode, "eager");
  assert.match(told.loading.reason, /no checksums of blocks/);
  assert.equal(told.answers[0].length, 5);
});
