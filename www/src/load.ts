// Fetches the model and the index, and says how far it is.

import { ElanusError, open, type Index } from "elanus";
import { loadStaticModel, type Embedder } from "elanus/embed";
import shipped, { type ShippedFile } from "virtual:shipped";
import { hasModuleWorkers } from "./support.ts";

export interface Loaded {
  index: Index;
  embedder: Embedder;
  modelBytes: number;
  thread: "worker" | "main";
}

export interface Loading {
  phase: "fetching" | "checking";
  loaded: number;
  total: number;
}

export const TOTAL_BYTES = Object.values(shipped).reduce((sum, file) => sum + file.bytes, 0);

const address = (file: { url: string }) => new URL(file.url, document.baseURI);

/** A file of the page's own that didn't come, or came in another length than it was built with. */
class Unfetched extends Error {
  constructor(
    message: string,
    readonly damaged: boolean,
  ) {
    super(message);
  }
}

async function bytes(file: ShippedFile, onLoaded: (loaded: number) => void, signal: AbortSignal) {
  const response = await fetch(address(file), { signal });
  if (!response.ok || !response.body) throw new Unfetched(`expected ${file.url}, got HTTP ${response.status}`, false);
  const all = new Uint8Array(file.bytes);
  let loaded = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (loaded + value.length > all.length) throw new Unfetched(`${file.url} is longer than ${all.length} bytes`, true);
    all.set(value, loaded);
    loaded += value.length;
    onLoaded(loaded);
  }
  if (loaded !== all.length) throw new Unfetched(`${file.url} has ${loaded} of ${all.length} bytes`, true);
  // On a host without TLS browsers offer no digest; the index's model card then still tells another model.
  if (crypto.subtle && (await hex(all)) !== file.sha256) throw new Unfetched(`${file.url} has other bytes than its name says`, true);
  return all;
}

async function hex(content: BufferSource): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export async function load(onProgress: (progress: Loading) => void): Promise<Loaded> {
  const loaded = { index: 0, model: 0, tokenizer: 0, config: 0 };
  let checking = false;
  const report = () => {
    const sum = Object.values(loaded).reduce((a, b) => a + b, 0);
    onProgress({ phase: checking ? "checking" : "fetching", loaded: Math.min(sum, TOTAL_BYTES), total: TOTAL_BYTES });
  };
  report();
  // When one part fails the others are stopped: a retry starts clean.
  const abort = new AbortController();
  const part = (name: "model" | "tokenizer" | "config") =>
    bytes(shipped[name], (n) => ((loaded[name] = n), report()), abort.signal);
  const thread = hasModuleWorkers() ? "worker" : "main";
  try {
    const [index, embedder] = await Promise.all([
      open(address(shipped.index), {
        thread,
        signal: abort.signal,
        onProgress: (progress) => {
          // Of a compressed response only the sent size is announced; the build knows the real one.
          loaded.index = Math.min(progress.loaded, shipped.index.bytes);
          checking = progress.phase !== "download";
          report();
        },
      }),
      Promise.all([part("model"), part("tokenizer"), part("config")]).then(([model, tokenizer, config]) =>
        loadStaticModel({ model, tokenizer, config }),
      ),
    ]);
    return { index, embedder, modelBytes: shipped.model.bytes + shipped.tokenizer.bytes + shipped.config.bytes, thread };
  } catch (error) {
    abort.abort();
    throw error;
  }
}

const DAMAGE = new Set(["CORRUPT_FILE", "UNSUPPORTED_FORMAT", "UNSUPPORTED_VERSION", "MODEL_MISMATCH"]);

/** What went wrong and what helps, for the one who reads the page. */
export interface Explained {
  title: string;
  text: string;
  /** The message that the failure came with; undefined where it adds nothing. */
  detail: string | undefined;
  /** What was fetched is worthless and must not be used again. */
  damaged: boolean;
}

export function explain(error: unknown): Explained {
  const code = error instanceof ElanusError ? error.code : undefined;
  const detail = error instanceof Error ? error.message : String(error);
  const damaged = error instanceof Unfetched && error.damaged;
  if (damaged || (code && DAMAGE.has(code))) {
    return {
      title: "The dictionary arrived damaged",
      text: "What came is not what was sent. Fetching it again usually helps.",
      detail,
      damaged: true,
    };
  }
  if (code === "OUT_OF_MEMORY") {
    return {
      title: "There isn't enough memory",
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
  if (code === undefined || code === "FETCH_FAILED") {
    return {
      title: "The dictionary could not be fetched",
      text: "The connection was lost, or the server didn’t answer as it should.",
      detail,
      damaged: false,
    };
  }
  return { title: "The search could not be started", text: "That isn’t your fault.", detail: `${code}: ${detail}`, damaged: false };
}
