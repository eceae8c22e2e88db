// The embedder of all-MiniLM-L6-v2: fetches the model when the first text is to be embedded, and remembers what it embedded.

import { fromFunction, type Embedder, type ModelCard } from "elanus/embed";
import minilm from "virtual:minilm";
import type { Answer, Ask } from "./minilm-worker.ts";

/** What the visitors of an experiment ask again and again is embedded once. */
const REMEMBERED = 2000;

export interface Fetching {
  fetched: number;
  bytes: number;
}

/**
 * The embedder, if the model was installed where this page was built.
 *
 * @param onFetching hears how much of the model is here, and `undefined` when it is ready or has failed
 */
export async function miniLm(onFetching: (state: Fetching | undefined) => void): Promise<Embedder | undefined> {
  if (!minilm) return undefined;
  const at = (name: "model" | "tokenizer" | "card") => new URL(minilm![name].url, document.baseURI).href;
  const response = await fetch(at("card"));
  if (!response.ok) throw new Error(`the card of the model answered with HTTP ${response.status}`);
  const card = (await response.json()) as ModelCard;
  const { bytes } = minilm.model;
  let running: Promise<Running> | undefined;
  const known = new Map<string, Float32Array>();

  const start = () => {
    onFetching({ fetched: 0, bytes });
    const opened = open(at("model"), at("tokenizer"), (fetched) => onFetching({ fetched, bytes }));
    opened.then(
      () => onFetching(undefined),
      () => {
        // The next text tries again.
        running = undefined;
        onFetching(undefined);
      },
    );
    return opened;
  };
  return fromFunction(async (texts) => {
    const vectors = new Map(texts.map((text) => [text, known.get(text)]));
    const fresh = [...vectors.keys()].filter((text) => !vectors.get(text));
    if (fresh.length > 0) {
      const embedded = await (await (running ??= start()))(fresh);
      fresh.forEach((text, i) => {
        vectors.set(text, embedded[i]!);
        known.set(text, embedded[i]!);
      });
      for (const oldest of [...known.keys()].slice(0, Math.max(0, known.size - REMEMBERED))) known.delete(oldest);
    }
    return texts.map((text) => vectors.get(text)!);
  }, card);
}

type Running = (texts: string[]) => Promise<Float32Array[]>;

function open(model: string, tokenizer: string, onFetched: (bytes: number) => void): Promise<Running> {
  const worker = new Worker(new URL("./minilm-worker.ts", import.meta.url), { type: "module", name: "minilm" });
  const say = (ask: Ask) => worker.postMessage(ask);
  const waiting = new Map<number, { resolve: (vectors: Float32Array[]) => void; reject: (error: Error) => void }>();
  let last = 0;
  const ask: Running = (texts) =>
    new Promise((resolve, reject) => {
      waiting.set(++last, { resolve, reject });
      say({ id: last, texts });
    });
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      worker.terminate();
      for (const one of waiting.values()) one.reject(error);
      waiting.clear();
      reject(error);
    };
    worker.onerror = ({ message }) => fail(new Error(message || "the worker of the model could not be started"));
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      if ("fetched" in data) return onFetched(data.fetched);
      if ("opened" in data) return resolve(ask);
      if (data.id === undefined) return "error" in data && fail(new Error(data.error));
      const one = waiting.get(data.id);
      waiting.delete(data.id);
      if ("error" in data) one?.reject(new Error(data.error));
      else one?.resolve(data.vectors);
    };
    say({ open: { model, tokenizer } });
  });
}
