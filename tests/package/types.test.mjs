/** The shipped types, seen by a consumer's compiler under both ways of finding modules. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { project, root } from "./support/tarball.mjs";

const GOOD = `import { ElanusError, init, open } from "elanus";
import type { Card, Entity, ErrorCode, Hit, Index, Key, MemoryUsage, ModelCard, OpenOptions, Progress, SearchOptions } from "elanus";

export async function sample(signal: AbortSignal, source: File | URL | ArrayBuffer): Promise<string> {
  await init();
  await init(new URL("https://example.com/elanus.wasm"));
  await init(fetch("/elanus.wasm"));
  const options: OpenOptions = { thread: "worker", signal, onProgress: ({ loaded, total }: Progress) => void (loaded + (total ?? 0)) };
  const index: Index = await open(source, options);
  const one: Hit[] = await index.search(new Float32Array(3), { limit: 5, filter: "a > 1", outputFields: ["*"] });
  const many: Hit[][] = await index.search([new Float32Array(3), [1, 2, 3]]);
  const plain: Hit[] = await index.search([1, 2, 3]);
  const found: Entity[] = await index.get([1, 2n, "three"], { outputFields: ["a"] });
  const usage: MemoryUsage = await index.memory();
  const key: Key | undefined = one[0]?.id;
  const card: Card = index.card;
  const model: ModelCard | undefined = card.model;
  const search: SearchOptions = { ...(model && { model }) };
  await index.search([1, 2, 3], search);
  try {
    await index.close();
  } catch (error) {
    if (error instanceof ElanusError) {
      const code: ErrorCode = error.code;
      return code;
    }
  }
  return String([many.length, plain.length, found.length, usage.wasmBytes, key]);
}
`;

const LIVE = `import { openRegistry, preference } from "elanus";
import type { LiveHit, LiveIndex, Outcome, Preference, RegistryEvent } from "elanus";
import type { Embedder } from "elanus/embed";

export async function sample(embedder: Embedder, post: (outcome: Outcome) => void): Promise<Preference> {
  const outcomes: Outcome[] = [];
  const onEvent = (event: RegistryEvent): void => {
    if (event.type === "outcome") outcomes.push(event.outcome), post(event.outcome);
    else if (event.type === "shadow") console.log(event.overlap, event.shift?.toFixed(3));
    else if (event.type === "swapped") console.log(event.alias, event.from, event.release);
  };
  const live: LiveIndex = await openRegistry("/registry/", {
    embedders: [embedder], publicKey: ["RW"], onEvent, experiment: { mode: "interleave", salt: "s", visitor: "v" },
  });
  const hits: LiveHit[] = await live.ask("a bird", { limit: 5 });
  if (hits[0]) live.feedback(hits[0]);
  live.settle();
  return preference(outcomes, { alpha: live.experiment?.interleaved?.p ?? 0.05 });
}
`;

/** Each line must be refused, or the types say less than they seem to. */
const BAD = [
  'await index.search([1], { topK: 5 });',
  'await index.search({ text: 1 });',
  'await index.search([1], { limit: "5" });',
  'await open(42);',
  'await open("x", { thread: "gpu" });',
  'index.count = 1;',
  'const hits: Hit[] = await index.search([[1]]);',
  'new Index();',
];

const RESOLUTIONS = {
  bundler: { module: "ESNext", moduleResolution: "bundler", lib: ["ES2022", "DOM"] },
  nodenext: { module: "NodeNext", moduleResolution: "NodeNext", lib: ["ES2022", "DOM"] },
};
let folder;

before((t) => {
  ({ folder } = project(t, "types"));
});

/** Compiles one file without looking away from any declaration; returns what tsc says. */
function compile(name, options, source) {
  const at = path.join(folder, name);
  mkdirSync(at);
  writeFileSync(path.join(at, "sample.ts"), source);
  const compilerOptions = { target: "ES2022", types: [], strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true, ...options };
  writeFileSync(path.join(at, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["sample.ts"] }));
  return spawnSync(process.execPath, [path.join(root, "node_modules", "typescript", "bin", "tsc"), "-p", at], { encoding: "utf8" });
}

for (const [name, options] of Object.entries(RESOLUTIONS)) {
  test(`a consumer compiles with moduleResolution ${name}`, () => {
    for (const [sample, source] of Object.entries({ index: GOOD, live: LIVE })) {
      const { status, stdout } = compile(`${name}-${sample}`, options, source);
      assert.equal(status, 0, stdout);
    }
  });
}

test("wrong calls don't compile", () => {
  const source = `import { open } from "elanus";\nimport type { Hit, Index } from "elanus";\ndeclare const index: Index;\n${BAD.join("\n")}\nexport {};\n`;
  const { status, stdout } = compile("wrong", RESOLUTIONS.bundler, source);
  assert.notEqual(status, 0);
  const lines = new Set([...stdout.matchAll(/sample\.ts\((\d+),/g)].map(([, line]) => Number(line)));
  assert.deepEqual([...lines].sort((a, b) => a - b), BAD.map((_, i) => i + 4), stdout);
});
