/**
 * Everything that is measured: which index, in which setting, where.
 *
 * `floor` is the recall below which a setting isn't a trade-off but a fault. `tolerance` is how far
 * the similarity that an engine reports may be from the true one.
 */

const RERANKS = [20, 50, 100, 200, 400, 800];
const EFS = [10, 20, 40, 80, 160, 320];
const NPROBES = [8, 16, 32, 64, 128, 256];

const FLOAT = 1e-4;
/** 8 bits a dimension, with a scale for each row. */
const BYTE = 0.02;

const adaptive = { setting: "default", options: {}, floor: 0.8 };
const reranked = RERANKS.map((rerank) => ({ setting: `rerank ${rerank}`, options: { rerank }, floor: 0.3 }));
const probed = NPROBES.map((nprobe) => ({ setting: `nprobe ${nprobe}`, options: { nprobe }, floor: 0.3 }));
const walked = EFS.map((ef) => ({ setting: `ef ${ef}`, options: { ef }, floor: 0.3 }));

/** Each file is searched in the page's own thread, and in a worker where `inWorker` has settings: that shows what a worker costs. */
const ELANUS = [
  {
    engine: "Elanus FLAT f32",
    build: ["--index-type", "FLAT", "--rerank", "f32"],
    tolerance: FLOAT,
    settings: [{ setting: "exact", options: {}, floor: 0.999 }],
    inWorker: [],
  },
  {
    engine: "Elanus FLAT int8",
    build: ["--index-type", "FLAT", "--rerank", "int8"],
    tolerance: BYTE,
    settings: [{ setting: "exact", options: {}, floor: 0.95 }],
    inWorker: [],
  },
  {
    engine: "Elanus SCAN_RABITQ int8",
    build: ["--index-type", "SCAN_RABITQ", "--rerank", "int8"],
    tolerance: BYTE,
    settings: [adaptive, ...reranked],
    inWorker: [adaptive, reranked[2]],
  },
  {
    engine: "Elanus SCAN_RABITQ f32",
    build: ["--index-type", "SCAN_RABITQ", "--rerank", "f32"],
    tolerance: FLOAT,
    settings: [adaptive, ...reranked],
    inWorker: [],
  },
  {
    engine: "Elanus IVF_RABITQ int8",
    build: ["--index-type", "IVF_RABITQ", "--rerank", "int8"],
    tolerance: BYTE,
    settings: [{ ...adaptive, floor: 0.7 }, ...probed],
    inWorker: [probed[3]],
  },
  {
    engine: "Elanus IVF_RABITQ f32",
    build: ["--index-type", "IVF_RABITQ", "--rerank", "f32"],
    tolerance: FLOAT,
    settings: [{ ...adaptive, floor: 0.7 }, ...probed],
    inWorker: [],
  },
  {
    engine: "Elanus HNSW int8+f32",
    build: ["--index-type", "HNSW", "--rerank", "int8,f32", "--ef-construction", "200"],
    tolerance: FLOAT,
    settings: [{ setting: "default", options: {}, floor: 0.8 }, ...walked],
    inWorker: [{ setting: "default", options: {}, floor: 0.8 }],
  },
];

export async function browserRunners({ dataset, files, browser, limit, log }) {
  const runners = [];
  for (const { engine, build, tolerance, settings, inWorker } of ELANUS) {
    const { file, bytes, buildSeconds } = await files.elanus(dataset, build);
    for (const [thread, wanted] of [["main", settings], ["worker", inWorker]]) {
      if (wanted.length === 0) continue;
      const name = `${engine}, ${thread}`;
      const opened = await browser.open(name, file, thread);
      log(`${name}: open in ${opened.openMs.toFixed(0)} ms`);
      const { openMs, firstAnswerMs, wasmBytes } = opened;
      const about = { bytes, buildSeconds, openMs, firstAnswerMs, heldBytes: wasmBytes };
      for (const { setting, options, floor } of wanted) {
        const run = (first, last) => browser.search(name, { limit, ...options }, first, last);
        runners.push({ engine, setting, place: `Chromium, ${thread}`, floor, tolerance, about, run });
      }
    }
  }
  return runners;
}

export async function nativeRunners({ dataset, files, native, limit, log }) {
  const runners = [];
  const { found, missing } = await native.engines();
  for (const { engine, reason } of missing) log(`${engine}: left out, this Faiss doesn't have it (${reason})`);
  const versions = await native.versions();
  for (const { engine, settings, floor } of found) {
    const key = [engine, versions.hnswlib, versions.faiss, versions.usearch];
    const { file, bytes, buildSeconds } = await files.kept(dataset, key, engine, (into) => native.build(engine, into));
    const { openMs } = await native.load(engine, file);
    const about = { bytes, buildSeconds, openMs };
    for (const setting of settings) {
      const text = Object.entries(setting).map(([key, value]) => `${key} ${value}`).join(", ") || "exact";
      const run = (first, last) => native.search(engine, setting, first, last, limit);
      runners.push({ engine, setting: text, place: "native", floor, tolerance: FLOAT, about, run });
    }
  }
  return runners;
}
