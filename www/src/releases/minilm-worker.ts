// Runs all-MiniLM-L6-v2 out of the way of the page: opening it takes seconds, a text some tens of milliseconds.

import { openMiniLm, type MiniLm } from "./minilm.mjs";

export interface Files {
  model: string;
  tokenizer: string;
}

export type Ask = { open: Files } | { id: number; texts: string[] };
export type Answer = { fetched: number } | { opened: true } | { id: number; vectors: Float32Array[] } | { id?: number; error: string };

const say = (answer: Answer) => postMessage(answer);
let model: Promise<MiniLm> | undefined;

async function get(url: string, onBytes: (count: number) => void): Promise<Uint8Array> {
  const response = await fetch(url);
  if (!response.ok || !response.body) throw new Error(`a file of the model answered with HTTP ${response.status}`);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    bytes += value.length;
    onBytes(bytes);
  }
  return new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}

async function open(files: Files): Promise<MiniLm> {
  let told = 0;
  const tell = (fetched: number) => {
    if (fetched - told < 250_000) return;
    told = fetched;
    say({ fetched });
  };
  const [bytes, tokenizer] = await Promise.all([get(files.model, tell), get(files.tokenizer, () => undefined)]);
  return openMiniLm(bytes, JSON.parse(new TextDecoder().decode(tokenizer)) as object);
}

addEventListener("message", ({ data }: MessageEvent<Ask>) => {
  const fail = (id: number | undefined) => (error: unknown) => say({ ...(id === undefined ? {} : { id }), error: error instanceof Error ? error.message : String(error) });
  if ("open" in data) {
    model = open(data.open);
    model.then(() => say({ opened: true }), fail(undefined));
  } else {
    const { id, texts } = data;
    (async () => say({ id, vectors: (await (await model)?.embed(texts)) ?? [] }))().catch(fail(id));
  }
});
