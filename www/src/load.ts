// Fetches the model and the beginning of the index, and says how far it is.

import { ElanusError, open, type Index, type Traffic } from "elanus";
import { loadStaticModel, type StaticEmbedder } from "elanus/embed";
import shipped, { type ShippedFile } from "virtual:shipped";

export interface Loaded {
  index: Index;
  embedder: StaticEmbedder;
  modelBytes: number;
}

export interface Loading {
  phase: "fetching" | "checking";
  loaded: number;
  total: number;
}

const { index: words, ...model } = shipped;
const MODEL_BYTES = Object.values(model).reduce((sum, file) => sum + file.bytes, 0);

const address = (file: ShippedFile) => new URL(file.url, document.baseURI);

/** Fetches the model, and of the dictionary what searching begins with; what a question needs comes when it is asked. */
export async function load(onProgress: (progress: Loading) => void, onTraffic: (traffic: Traffic) => void): Promise<Loaded> {
  const loaded = { words: 0, model: 0 };
  // Of a host that serves no ranges the dictionary comes whole.
  let total = MODEL_BYTES;
  let checking = false;
  const report = (part: Partial<typeof loaded>) => {
    Object.assign(loaded, part);
    const sum = Math.min(loaded.words + loaded.model, total);
    onProgress({ phase: checking && sum === total ? "checking" : "fetching", loaded: sum, total });
  };
  report({});
  // When one part fails the other is stopped: a retry starts clean.
  const stop = new AbortController();
  const { signal } = stop;
  const opening = open(address(words), {
    load: "lazy",
    network: { retries: 2 },
    onTraffic,
    signal,
    onProgress(progress) {
      if (progress.phase === "ready") return;
      total = MODEL_BYTES + words.bytes;
      checking = progress.phase !== "download";
      report({ words: progress.loaded });
    },
  });
  const embedding = loadStaticModel(
    { model: address(model.model), tokenizer: address(model.tokenizer), config: address(model.config) },
    { signal, onProgress: (progress) => report({ model: progress.loaded }) },
  );
  try {
    const [index, embedder] = await Promise.all([opening, embedding]);
    const made = index.card.model?.fingerprint;
    if (made !== embedder.card.fingerprint) {
      throw new ElanusError("MODEL_MISMATCH", `the dictionary was made with the model ${made}, but ${embedder.card.fingerprint} came`);
    }
    // Warms the code up before anybody waits for an answer.
    embedder.embed("word");
    return { index, embedder, modelBytes: MODEL_BYTES };
  } catch (error) {
    stop.abort();
    // What was opened before the other part failed would hold its memory.
    void opening.then((index) => index.close(), () => undefined);
    throw error;
  }
}

export interface Explained {
  title: string;
  text: string;
  /** The message that the failure came with; undefined where it adds nothing. */
  detail: string | undefined;
  /** What was fetched is worthless and must not be used again. */
  damaged: boolean;
  /** The index that was open is gone; another try has to open it again. */
  lost?: boolean;
}

const DAMAGE = new Set(["CORRUPT_FILE", "UNSUPPORTED_FORMAT", "UNSUPPORTED_VERSION", "MODEL_MISMATCH"]);

/** What went wrong and what helps, for the one who reads the page. `asked`: it came of a question, not of the start. */
export function explain(error: unknown, asked = false): Explained {
  const code = error instanceof ElanusError ? error.code : undefined;
  const detail = error instanceof Error ? error.message : String(error);
  if (code && DAMAGE.has(code)) {
    return {
      title: "The dictionary arrived damaged",
      text: "What came is not what was sent. Fetching it again usually helps.",
      detail,
      damaged: true,
    };
  }
  if (code === "OUT_OF_MEMORY") {
    return {
      title: "There isn’t enough memory",
      text: "What is there of the dictionary is held in memory, and there is none left. Close some tabs and try again.",
      detail: undefined,
      damaged: false,
    };
  }
  if (asked && code === "FETCH_FAILED") {
    return {
      title: "This one needs the network",
      text:
        "The part of the dictionary that it leads to hasn’t been fetched yet, and can’t be now. What was asked before, and much of what is near it, is answered without a network.",
      detail: navigator.onLine ? detail : undefined,
      damaged: false,
    };
  }
  if (!navigator.onLine) {
    return {
      title: "There is no network",
      text: "The model has to be fetched once, and so has the beginning of the dictionary. Try again when you are connected.",
      detail: undefined,
      damaged: false,
    };
  }
  if (code === "FETCH_FAILED") {
    return {
      title: "The dictionary could not be fetched",
      text: "The connection was lost, or the server didn’t answer as it should.",
      detail,
      damaged: false,
    };
  }
  if (code === "SOURCE_CHANGED") {
    return {
      title: "The dictionary has changed",
      text: "Its host has another one than when this page was opened. It can be opened again.",
      detail,
      damaged: false,
      lost: true,
    };
  }
  if (code === "WORKER_FAILED" || code === "CLOSED") {
    return {
      title: "The search stopped",
      text: "The browser ended it, perhaps to save memory. It can be started again.",
      detail,
      damaged: false,
      lost: true,
    };
  }
  return { title: "The search could not be started", text: "That isn’t your fault.", detail: code ? `${code}: ${detail}` : detail, damaged: false };
}
