import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { rangeOf, serve } from "../../scripts/serve.mjs";

let outer;
let server;

before(async () => {
  outer = mkdtempSync(path.join(os.tmpdir(), "elanus-serve-"));
  const folder = path.join(outer, "site");
  mkdirSync(path.join(folder, "sub"), { recursive: true });
  writeFileSync(path.join(outer, "secret.txt"), "not for you");
  writeFileSync(path.join(outer, "site-secret.txt"), "nor this");
  writeFileSync(path.join(folder, "index.html"), "<p>home");
  writeFileSync(path.join(folder, "sub", "index.html"), "<p>sub");
  writeFileSync(path.join(folder, "module.wasm"), Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
  writeFileSync(path.join(folder, "nothing.txt"), "");
  server = await serve(folder, { base: "/some/path/", headers: { "x-extra": "yes" } });
});

after(async () => {
  await server.close();
  rmSync(outer, { recursive: true });
});

/** A request whose path is sent as it is written: fetch would tidy `..` away. */
function raw(requestPath, { method = "GET", headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ port: server.port, host: "127.0.0.1", path: requestPath, method, headers }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }));
    });
    request.on("error", reject).end();
  });
}

test("files come with their types, under the base path, with the extra headers", async () => {
  const home = await raw("/some/path/");
  assert.equal(home.status, 200);
  assert.equal(home.headers["content-type"], "text/html; charset=utf-8");
  assert.equal(home.headers["x-extra"], "yes");
  assert.equal(String(home.body), "<p>home");
  const module = await raw("/some/path/module.wasm?v=1");
  assert.equal(module.headers["content-type"], "application/wasm");
  assert.equal(module.body.length, 10);
  assert.equal((await raw("/some/path/nothing.txt")).status, 200);
});

test("folders lead to their index, and need the closing slash", async () => {
  const bare = await raw("/some/path");
  assert.deepEqual([bare.status, bare.headers.location], [301, "/some/path/"]);
  const sub = await raw("/some/path/sub");
  assert.deepEqual([sub.status, sub.headers.location], [301, "/some/path/sub/"]);
  assert.equal(String((await raw("/some/path/sub/")).body), "<p>sub");
});

test("nothing outside the folder is served", async () => {
  for (const hidden of [
    "/secret.txt",
    "/some/path/../../secret.txt",
    "/some/path/../secret.txt",
    "/some/path/..%2fsecret.txt",
    "/some/path/%2e%2e/secret.txt",
    "/some/path/sub/../../secret.txt",
    "/some/path/..%2fsite-secret.txt",
    "/some/path/..\\secret.txt",
    "//etc/passwd",
  ]) {
    const { status, body } = await raw(hidden);
    assert.equal(status, 404, hidden);
    assert.doesNotMatch(String(body), /not for you|nor this|root:/);
  }
  assert.equal((await raw("/some/path/%zz")).status, 400);
  assert.equal((await raw("/some/path/a%00b")).status, 400);
  assert.equal((await raw("/some/path/", { method: "POST" })).status, 405);
});

test("byte ranges are answered as the standard says", async () => {
  const part = await raw("/some/path/module.wasm", { headers: { range: "bytes=2-4" } });
  assert.equal(part.status, 206);
  assert.equal(part.headers["content-range"], "bytes 2-4/10");
  assert.deepEqual([...part.body], [2, 3, 4]);
  assert.deepEqual([...(await raw("/some/path/module.wasm", { headers: { range: "bytes=-3" } })).body], [7, 8, 9]);
  const outside = await raw("/some/path/module.wasm", { headers: { range: "bytes=10-" } });
  assert.deepEqual([outside.status, outside.headers["content-range"]], [416, "bytes */10"]);
  const changed = await raw("/some/path/module.wasm", { headers: { range: "bytes=2-4", "if-range": '"another"' } });
  assert.deepEqual([changed.status, changed.body.length], [200, 10]);

  assert.deepEqual(rangeOf("bytes=0-99", 10), [0, 9]);
  assert.deepEqual(rangeOf("bytes=-99", 10), [0, 9]);
  assert.equal(rangeOf("bytes=-0", 10), "outside");
  assert.equal(rangeOf("bytes=4-2", 10), "whole");
  assert.equal(rangeOf("bytes=0-1,3-4", 10), "whole");
  assert.equal(rangeOf(undefined, 10), "whole");
});

test("an unchanged file is not sent twice, and HEAD sends no body", async () => {
  const { headers } = await raw("/some/path/module.wasm");
  const again = await raw("/some/path/module.wasm", { headers: { "if-none-match": headers.etag } });
  assert.deepEqual([again.status, again.body.length], [304, 0]);
  const head = await raw("/some/path/module.wasm", { method: "HEAD" });
  assert.deepEqual([head.status, head.headers["content-length"], head.body.length], [200, "10", 0]);
});

test("a port that is taken is refused", async () => {
  await assert.rejects(serve(outer, { port: server.port }), { code: "EADDRINUSE" });
});
