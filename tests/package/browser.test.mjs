/** The package in Chromium, from its tarball on a plain static server: threads, policies, failures, memory. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { launch, newPage } from "./support/browser.mjs";
import { clustered, exact } from "./support/data.mjs";
import { flatFile } from "./support/file.mjs";
import { serve } from "./support/server.mjs";
import { project } from "./support/tarball.mjs";

const CSP = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'";
const DIMENSION = 32;
const vectors = clustered({ count: 2000, dimension: DIMENSION, seed: 21 });
const [query] = clustered({ count: 1, dimension: DIMENSION, seed: 22 });
const expected = exact("COSINE", vectors, query, 10).map(({ row }) => row);
const file = flatFile(vectors);
let browser;
let site;
let mounts;

before(async (t) => {
  const { folder, installed } = project(t, "browser");
  writeFileSync(path.join(folder, "index.html"), '<!doctype html><title>test</title><script type="module" src="/page.js"></script>');
  writeFileSync(path.join(folder, "page.js"), 'import * as elanus from "/elanus/index.js";\nglobalThis.elanus = elanus;\n');
  writeFileSync(path.join(folder, "index.elanus"), file);
  mounts = { "/": folder, "/elanus/": installed };
  site = await serve(t, mounts);
  browser = await launch(t);
});

/** A page on a server of its own kind, with the package imported. */
async function visit(t, options) {
  const { origin, requests } = options ? await serve(t, mounts, options) : site;
  const visited = await newPage(browser, `${origin}/`);
  t.after(() => visited.page.context().close());
  await visited.page.waitForFunction(() => globalThis.elanus);
  return { ...visited, origin, requests };
}

/** Runs in the page: opens, searches, and tells what came or what was thrown. */
async function attempt({ source = "/index.elanus", options = {}, query }) {
  try {
    const index = await elanus.open(source, options);
    const hits = await index.search(query);
    const { thread } = index;
    await index.close();
    return { thread, rows: hits.map(({ row }) => row) };
  } catch (error) {
    return { name: error.name, code: error.code, message: error.message, details: error.details };
  }
}

const plainQuery = Array.from(query);

test("works in a worker and on the main thread under script-src 'self' 'wasm-unsafe-eval'", async (t) => {
  const { page, complaints, requests } = await visit(t, { headers: { "content-security-policy": CSP } });
  assert.deepEqual(await page.evaluate(attempt, { query: plainQuery }), { thread: "worker", rows: expected });
  assert.ok(requests.includes("/elanus/worker.js"));
  assert.ok(!requests.includes("/elanus/worker-inline.js"));
  for (const thread of ["worker", "main"]) {
    assert.deepEqual(await page.evaluate(attempt, { options: { thread }, query: plainQuery }), { thread, rows: expected });
  }
  assert.equal(requests.filter((address) => address.endsWith(".wasm")).length, 1, "the module is fetched once a page");
  assert.deepEqual(complaints, []);
});

test("without 'wasm-unsafe-eval' the policy is named", async (t) => {
  const { page } = await visit(t, { headers: { "content-security-policy": "script-src 'self'" } });
  const { code, message } = await page.evaluate(attempt, { query: plainQuery });
  assert.equal(code, "WASM_UNAVAILABLE");
  assert.match(message, /wasm-unsafe-eval/);
});

test("a worker that is ended from outside leaves no promise open", async (t) => {
  const { page, complaints } = await visit(t);
  const told = await page.evaluate(async (query) => {
    const workers = [];
    const Original = Worker;
    globalThis.Worker = class extends Original {
      constructor(...args) {
        super(...args);
        workers.push(this);
      }
    };
    const index = await elanus.open("/index.elanus");
    const other = await elanus.open("/index.elanus");
    // So many that the worker can't have answered when it is ended.
    const many = Array.from({ length: 50_000 }, () => query);
    const pending = [index.search(many), index.search(query), index.memory()];
    workers[0].terminate();
    const failed = await Promise.all(pending.map((promise) => promise.then(() => "answered", ({ name, code, message }) => ({ name, code, message }))));
    const later = await index.search(query).catch(({ code }) => code);
    const alive = (await other.search(query)).length;
    await Promise.all([index.close(), other.close()]);
    await index.close();
    const { held, pending: waiting } = await navigator.locks.query();
    return { failed, later, alive, waiting: waiting.length, held: held.length };
  }, plainQuery);
  for (const { name, code, message } of told.failed) {
    assert.deepEqual([name, code], ["ElanusError", "WORKER_FAILED"]);
    assert.match(message, /ended from outside.*open the index again/);
  }
  assert.equal(told.later, "WORKER_FAILED");
  assert.equal(told.alive, 10, "the other index goes on");
  assert.equal(told.waiting, 0, "nobody waits for a lock any more");
  assert.deepEqual(complaints, []);
});

test("importing touches nothing", async (t) => {
  const { page, complaints } = await newPage(browser);
  t.after(() => page.context().close());
  await page.addInitScript(() => {
    globalThis.touched = [];
    for (const name of ["fetch", "Worker", "WebAssembly", "MessageChannel", "FinalizationRegistry", "navigator", "caches", "indexedDB"]) {
      const value = globalThis[name];
      Object.defineProperty(globalThis, name, {
        configurable: true,
        get() {
          globalThis.touched.push(name);
          return value;
        },
      });
    }
  });
  const { origin, requests } = await serve(t, mounts);
  await page.goto(`${origin}/`);
  await page.waitForFunction(() => globalThis.elanus);
  assert.deepEqual(await page.evaluate(() => globalThis.touched), []);
  assert.deepEqual(requests.filter((address) => /worker|wasm/.test(address)), []);
  assert.deepEqual(complaints, []);
});

test("init takes an address, an answer, its promise, bytes or a module, and may be called twice", async (t) => {
  const { origin } = site;
  const ways = {
    nothing: () => elanus.init(),
    text: () => elanus.init("/elanus/elanus.wasm"),
    url: () => elanus.init(new URL("/elanus/elanus.wasm", location.href)),
    promise: () => elanus.init(fetch("/elanus/elanus.wasm")),
    response: async () => elanus.init(await fetch("/elanus/elanus.wasm")),
    bytes: async () => elanus.init(await (await fetch("/elanus/elanus.wasm")).arrayBuffer()),
    view: async () => elanus.init(new Uint8Array(await (await fetch("/elanus/elanus.wasm")).arrayBuffer())),
    module: async () => elanus.init(await WebAssembly.compileStreaming(fetch("/elanus/elanus.wasm"))),
  };
  for (const [name, way] of Object.entries(ways)) {
    const { page, complaints } = await newPage(browser, `${origin}/`);
    t.after(() => page.context().close());
    await page.waitForFunction(() => globalThis.elanus);
    const twice = await page.evaluate(async (text) => {
      const call = new Function(`return ${text}`)();
      return [await call(), await call()];
    }, way.toString());
    assert.deepEqual(twice, [undefined, undefined], name);
    assert.deepEqual(await page.evaluate(attempt, { query: plainQuery }), { thread: "worker", rows: expected }, name);
    assert.deepEqual(complaints, []);
  }
});

test("takes the module with relaxed SIMD where the host has it, and both answer alike", async (t) => {
  const answers = {};
  for (const [simd, prepare] of Object.entries({
    "relaxed-simd": () => undefined,
    simd128: () => elanus.init("/elanus/elanus.wasm"),
  })) {
    const { page, requests } = await visit(t, {});
    await page.evaluate((text) => new Function(`return (${text})()`)(), prepare.toString());
    answers[simd] = await page.evaluate(async (vectors) => {
      const index = await elanus.open("/index.elanus", { thread: "main" });
      const found = await index.search(vectors.map((vector) => Float32Array.from(vector)), { limit: 50 });
      return { simd: index.simd, hits: found.map((hits) => hits.map(({ row, distance }) => [row, distance])) };
    }, vectors.slice(0, 20).map((vector) => Array.from(vector)));
    assert.equal(answers[simd].simd, simd);
    const fetched = requests.filter((address) => address.endsWith(".wasm"));
    assert.deepEqual(fetched, [simd === "simd128" ? "/elanus/elanus.wasm" : "/elanus/elanus-relaxed.wasm"]);
  }
  // Bit for bit: distances went over as numbers.
  assert.deepEqual(answers["relaxed-simd"].hits, answers.simd128.hits);
});

test("a host without relaxed SIMD, and a site that has one file only, get the other module", async (t) => {
  const without = await visit(t, {});
  await without.page.evaluate(() => {
    const validate = WebAssembly.validate;
    WebAssembly.validate = (bytes) => !bytes.join().includes("253,128,2") && validate(bytes);
  });
  assert.deepEqual(await without.page.evaluate(attempt, { query: plainQuery }), { thread: "worker", rows: expected });
  assert.deepEqual(without.requests.filter((address) => address.endsWith(".wasm")), ["/elanus/elanus.wasm"]);

  const alone = await visit(t, {
    handle(request, response) {
      if (!request.url.endsWith("/elanus-relaxed.wasm")) return false;
      response.writeHead(404).end();
      return true;
    },
  });
  assert.deepEqual(await alone.page.evaluate(attempt, { query: plainQuery }), { thread: "worker", rows: expected });
});

test("what is served in place of the module is named, and a later init mends it", async (t) => {
  const cases = {
    "HTML with its own type": [200, "text/html", "<!DOCTYPE html><p>app", /page of HTML.*init\(url\)/s],
    "HTML as application/wasm": [200, "application/wasm", "<!DOCTYPE html><p>app", /init\(url\)/],
    "HTML without a type": [200, "application/octet-stream", "\n <html>", /page of HTML/],
    "a missing file": [404, "text/plain", "", /404.*init\(url\)/s],
    "an empty file": [200, "application/wasm", "", /init\(url\)/],
    "something else": [200, "application/octet-stream", "hello", /no WebAssembly \(5 bytes\)/],
  };
  for (const [name, [status, type, body, text]] of Object.entries(cases)) {
    const { page } = await visit(t, {
      handle(request, response) {
        if (!request.url.endsWith(".wasm")) return false;
        response.writeHead(status, { "content-type": type }).end(body);
        return true;
      },
    });
    const refused = await page.evaluate(attempt, { query: plainQuery });
    assert.equal(refused.code, "WASM_UNAVAILABLE", name);
    assert.match(refused.message, text, name);
    const bytes = readFileSync(path.join(mounts["/elanus/"], "elanus.wasm")).toString("base64");
    await page.evaluate((text) => elanus.init(Uint8Array.from(atob(text), (c) => c.charCodeAt(0))), bytes);
    assert.deepEqual(await page.evaluate(attempt, { query: plainQuery }), { thread: "worker", rows: expected }, name);
  }
});

test("a server that doesn't know the type of .wasm is no hindrance", async (t) => {
  const { page, complaints } = await visit(t, { types: { ".wasm": "application/octet-stream" } });
  assert.deepEqual(await page.evaluate(attempt, { query: plainQuery }), { thread: "worker", rows: expected });
  assert.deepEqual(complaints, []);
});

test("where worker.js can't be had its text is used, and where that is forbidden the main thread", async (t) => {
  const withoutWorker = (request, response) => {
    if (request.url !== "/elanus/worker.js") return false;
    response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html>");
    return true;
  };
  const free = await visit(t, { handle: withoutWorker });
  assert.deepEqual(await free.page.evaluate(attempt, { query: plainQuery }), { thread: "worker", rows: expected });

  const strict = await visit(t, { handle: withoutWorker, headers: { "content-security-policy": CSP } });
  const warnings = [];
  strict.page.on("console", (message) => message.type() === "warning" && warnings.push(message.text()));
  assert.deepEqual(await strict.page.evaluate(attempt, { query: plainQuery }), { thread: "main", rows: expected });
  assert.match(warnings.join(), /calling thread/);
  const asked = await strict.page.evaluate(attempt, { options: { thread: "worker" }, query: plainQuery });
  assert.equal(asked.code, "WORKER_FAILED");
  assert.match(asked.message, /workerUrl/);
});

test("a worker of another version is not used", async (t) => {
  const { page } = await visit(t, {
    handle(request, response) {
      if (!/\/elanus\/worker(-inline)?\.js/.test(request.url)) return false;
      const name = path.basename(request.url);
      const text = readFileSync(path.join(mounts["/elanus/"], name), "utf8").replace(/\d+\.\d+\.\d+/, "99.0.0");
      response.writeHead(200, { "content-type": "text/javascript" }).end(text);
      return true;
    },
  });
  const { code, message } = await page.evaluate(attempt, { options: { thread: "worker" }, query: plainQuery });
  assert.equal(code, "WORKER_FAILED");
  assert.match(message, /99\.0\.0.*clear the cache/s);
});

test("workerUrl and wasm can lie anywhere", async (t) => {
  const { page, requests } = await visit(t, {
    handle(request, response) {
      const moved = { "/static/w.js": ["worker.js", "text/javascript"], "/static/m.wasm": ["elanus.wasm", "application/wasm"] }[request.url];
      if (!moved) return false;
      response.writeHead(200, { "content-type": moved[1] }).end(readFileSync(path.join(mounts["/elanus/"], moved[0])));
      return true;
    },
  });
  const options = { workerUrl: "/static/w.js", wasm: "/static/m.wasm" };
  assert.deepEqual(await page.evaluate(attempt, { options, query: plainQuery }), { thread: "worker", rows: expected });
  assert.ok(!requests.some((address) => ["/elanus/worker.js", "/elanus/elanus.wasm"].includes(address)));
});

test("File, Blob and buffers open in both threads, and buffers stay usable", async (t) => {
  const { page, complaints } = await visit(t);
  const result = await page.evaluate(async (query) => {
    const bytes = await (await fetch("/index.elanus")).arrayBuffer();
    const answers = [];
    for (const thread of ["worker", "main"]) {
      for (const source of [new File([bytes], "a.elanus"), new Blob([bytes]), bytes, new Uint8Array(bytes), new URL("/index.elanus", location.href)]) {
        const index = await elanus.open(source, { thread });
        answers.push((await index.search(new Float32Array(query))).map(({ row }) => row));
        await index[Symbol.asyncDispose]();
      }
    }
    return { answers, left: bytes.byteLength };
  }, plainQuery);
  assert.equal(result.left, file.length);
  assert.equal(result.answers.length, 10);
  result.answers.forEach((rows) => assert.deepEqual(rows, expected));
  assert.deepEqual(complaints, []);
});

test("a file of the browser's own file system opens in place, shared and in both threads", async (t) => {
  const { page, complaints } = await visit(t);
  const told = await page.evaluate(async (query) => {
    const root = await navigator.storage.getDirectory();
    const write = async (name, content) => {
      const handle = await root.getFileHandle(name, { create: true });
      const stream = await handle.createWritable();
      await stream.write(content);
      await stream.close();
      return handle;
    };
    const bytes = await (await fetch("/index.elanus")).arrayBuffer();
    const handle = await write("kept.elanus", bytes);
    const phases = [];
    const indexes = [
      await elanus.open(handle, { onProgress: ({ phase, loaded, total }) => phases.push([phase, loaded, total]) }),
      await elanus.open(handle),
      await elanus.open(handle, { thread: "main" }),
    ];
    const rows = [];
    for (const index of indexes) rows.push((await index.search(query)).map(({ row }) => row));
    await Promise.all(indexes.map((index) => index.close()));
    const fail = (source) => elanus.open(source).then(() => "opened", ({ name, code }) => [name, code]);
    const cut = await fail(await write("cut.elanus", bytes.slice(0, bytes.byteLength - 64)));
    const none = await fail(await write("none.elanus", ""));
    return { rows, phases, cut, none, size: bytes.byteLength };
  }, plainQuery);
  assert.deepEqual(told.rows, [expected, expected, expected]);
  assert.deepEqual([told.cut, told.none], [["ElanusError", "CORRUPT_FILE"], ["ElanusError", "CORRUPT_FILE"]]);
  assert.equal(told.phases.at(0)[0], "download");
  assert.deepEqual(told.phases.at(-1), ["ready", told.size, told.size]);
  assert.deepEqual(complaints, []);
});

test("errors cross from the worker with code, message and details", async (t) => {
  const { page, origin, complaints } = await visit(t);
  for (const thread of ["worker", "main"]) {
    const gone = await page.evaluate(attempt, { source: "/gone.elanus", options: { thread }, query: plainQuery });
    assert.equal(gone.name, "ElanusError");
    assert.equal(gone.code, "FETCH_FAILED");
    assert.deepEqual(gone.details, { url: `${origin}/gone.elanus`, status: 404 });
    const html = await page.evaluate(attempt, { source: "/", options: { thread }, query: plainQuery });
    assert.equal(html.code, "UNSUPPORTED_FORMAT");
    assert.match(html.message, /HTML/);
    const filter = await page.evaluate(
      async ({ thread, query }) => {
        const index = await elanus.open("/index.elanus", { thread });
        const error = await index.search(query, { filter: "pos ==" }).catch((error) => error);
        const alive = (await index.search(query)).length;
        await index.close();
        return { is: error instanceof elanus.ElanusError, code: error.code, alive };
      },
      { thread, query: plainQuery },
    );
    assert.deepEqual(filter, { is: true, code: "INVALID_FILTER", alive: 10 });
  }
  assert.deepEqual(complaints.filter((text) => !text.includes("404")), []);
});

test("progress and signals work through the worker", async (t) => {
  const { page } = await visit(t, {
    handle(request, response) {
      if (request.url !== "/slow.elanus") return false;
      let at = 0;
      const timer = setInterval(() => {
        response.write(file.subarray(at, at + 20_000));
        at += 20_000;
        if (at >= file.length) {
          clearInterval(timer);
          response.end();
        }
      }, 20);
      response.on("close", () => clearInterval(timer));
      return true;
    },
  });
  const seen = await page.evaluate(async () => {
    const reports = [];
    const index = await elanus.open("/slow.elanus", { onProgress: (progress) => reports.push(progress) });
    await index.close();
    return reports;
  });
  assert.equal(seen[0].loaded, 0);
  assert.deepEqual(seen.at(-1), { loaded: file.length, total: file.length, phase: "ready" });
  assert.ok(seen.filter(({ phase }) => phase === "download").length >= 3);

  const aborted = await page.evaluate(async (query) => {
    const told = [];
    const note = (promise) => promise.then(() => told.push("done"), (error) => told.push(String(error)));
    const first = new AbortController();
    await note(elanus.open("/slow.elanus", { signal: first.signal, onProgress: ({ loaded }) => loaded && first.abort("enough") }));
    const index = await elanus.open("/index.elanus");
    const second = new AbortController();
    const long = index.search(Array.from({ length: 16384 }, () => query), { signal: second.signal });
    const started = performance.now();
    setTimeout(() => second.abort("too long"), 20);
    await note(long);
    // The worker has stopped too, and doesn't only keep its answer to itself.
    const hits = await index.search(query);
    return { told, rows: hits.map(({ row }) => row), took: performance.now() - started };
  }, plainQuery);
  assert.deepEqual(aborted.told, ["enough", "too long"]);
  assert.deepEqual(aborted.rows, expected);
  assert.ok(aborted.took < 1000, `${aborted.took} ms`);
});

test("a worker that fails takes its searches along, with a reason", async (t) => {
  const { page, complaints } = await visit(t);
  await page.evaluate(async (query) => {
    globalThis.index = await elanus.open("/index.elanus");
    globalThis.batch = Array.from({ length: 16384 }, () => query);
  }, plainQuery);
  const outcomes = page.evaluate(async () => {
    const tell = (error) => ({ typed: error instanceof elanus.ElanusError, code: error.code, message: error.message });
    globalThis.searching = true;
    // One after the other, until the worker is gone.
    let last;
    do last = await index.search(batch, { limit: 1 }).catch(tell);
    while (!last.code);
    return [last, await index.search(batch[0]).catch(tell), await index.memory().catch(tell)];
  });
  await page.waitForFunction(() => globalThis.searching);
  await page.workers()[0].evaluate(() => {
    setTimeout(() => {
      throw new Error("boom");
    });
  });
  for (const { typed, code, message } of await outcomes) {
    assert.ok(typed);
    assert.equal(code, "WORKER_FAILED");
    assert.match(message, /boom.*open the index again/);
  }
  while (page.workers().length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(complaints, []);
});

test("close ends the worker and rejects what it was doing", async (t) => {
  const { page, complaints } = await visit(t);
  await page.evaluate(async () => {
    globalThis.indexes = await Promise.all([1, 2, 3].map(() => elanus.open("/index.elanus")));
  });
  assert.equal(page.workers().length, 3);
  const codes = await page.evaluate(async (query) => {
    const batch = Array.from({ length: 16384 }, () => query);
    const pending = indexes.map((index) => index.search(batch).catch((error) => error.code));
    await Promise.all(indexes.map((index) => index.close()));
    return [...(await Promise.all(pending)), await indexes[0].search(query).catch((error) => error.code)];
  }, plainQuery);
  assert.deepEqual(codes, ["CLOSED", "CLOSED", "CLOSED", "CLOSED"]);
  while (page.workers().length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(complaints, []);
});

test("opening and closing a hundred times leaves no memory behind", async (t) => {
  const large = flatFile(clustered({ count: 2000, dimension: 1024, seed: 5 }));
  const { page, complaints } = await visit(t, {
    handle(request, response) {
      if (request.url !== "/large.elanus") return false;
      response.writeHead(200, { "content-type": "application/octet-stream", "cache-control": "no-store" }).end(large);
      return true;
    },
  });
  const cdp = await browser.newBrowserCDPSession();
  /** Resident megabytes of all renderers. */
  const usage = async () => {
    const { processInfo } = await cdp.send("SystemInfo.getProcessInfo");
    const renderers = processInfo.filter(({ type }) => type === "renderer");
    const pages = renderers.map(({ id }) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1] ?? 0));
    return pages.reduce((a, b) => a + b, 0) / 1024;
  };
  for (const thread of ["worker", "main"]) {
    const rounds = (count) =>
      page.evaluate(
        async ({ thread, count }) => {
          const query = new Float32Array(1024).fill(1);
          let most = 0;
          for (let i = 0; i < count; i += 1) {
            const index = await elanus.open("/large.elanus", { thread, verify: false });
            const hits = await index.search(query);
            if (hits.length !== 10) throw new Error("no hits");
            most = Math.max(most, (await index.memory()).wasmBytes);
            await index.close();
          }
          return most;
        },
        { thread, count },
      );
    const most = await rounds(20);
    assert.ok(most >= large.length && most < large.length + (4 << 20), `${most} bytes held for a file of ${large.length}`);
    const early = await usage();
    await rounds(80);
    const late = await usage();
    t.diagnostic(`${thread}: ${(large.length / 2 ** 20).toFixed(1)} MiB file, ${early.toFixed(0)} MiB after 20 rounds, ${late.toFixed(0)} after 100`);
    // Unreclaimed, the 80 rounds would have taken 80 files; when garbage is collected is the host's to choose.
    assert.ok(late - early < (30 * large.length) / 2 ** 20, `${thread} grew from ${early} to ${late} MiB`);
  }
  assert.deepEqual(complaints, []);
});
