// Fetches the model and the index, and says how far it is.

import { ElanusError, open, type Index } from "elanus";
import { loadStaticModel, type StaticEmbedder } from "elanus/embed";
import shipped, { type ShippedFile } from "virtual:shipped";
import { FIELDS } from "./sense.ts";

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
const TOTAL_BYTES = words.bytes + MODEL_BYTES;

const address = (file: ShippedFile) => new URL(file.url, document.baseURI);

export async function load(onProgress: (progress: Loading) => void): Promise<Loaded> {
  const loaded = { words: 0, model: 0 };
  let checking = false;
  const report = (part: Partial<typeof loaded>) => {
    Object.assign(loaded, part);
    const sum = Math.min(loaded.words + loaded.model, TOTAL_BYTES);
    onProgress({ phase: checking && sum === TOTAL_BYTES ? "checking" : "fetching", loaded: sum, total: TOTAL_BYTES });
  };
  report({});
  // When one part fails the other is stopped: a retry starts clean.
  const stop = new AbortController();
  const { signal } = stop;
  const opening = open(address(words), {
    signal,
    onProgress(progress) {
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
    // Refuses a model that the index wasn't made with, and warms the code up, before anybody waits for an answer.
    const [hit] = await index.search(embedder.embed("word"), { limit: 1, model: embedder.card });
    if (hit) await index.get(hit.id, { outputFields: FIELDS });
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

/** What went wrong and what helps, for the one who reads the page. */
export function explain(error: unknown): Explained {
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
      text: "The dictionary needs about 100 MB. Close some tabs and try again.",
      detail: undefined,
      damaged: false,
    };
  }
  if (!navigator.onLine) {
    return {
      title: "There is no network",
      text: "The dictionary has to be fetched once; after that it works offline. Try again when you are connected.",
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
