// Recall@10 of the current setting against exact search, computed here and now.

import type { Index, SearchOptions } from "elanus";
import type { StaticEmbedder } from "elanus/embed";
import type { Setting } from "./ask.ts";
import { toFilter, type Part } from "./query.ts";

export interface Recall {
  value: number;
  queries: number;
  /** Of those, how many the visitor wrote. */
  own: number;
}

const K = 10;
// What two summations of the same products may differ by.
const TIE = 1e-5;

export async function measureRecall(
  { index, embedder }: { index: Index; embedder: StaticEmbedder },
  { clues, own }: { clues: readonly string[]; own: readonly string[] },
  setting: Setting,
  part: Part | undefined,
  onProgress: (done: number, of: number) => void,
  signal: AbortSignal,
): Promise<Recall> {
  const texts = [...clues, ...own];
  const common: SearchOptions = { limit: K, outputFields: [], model: embedder.card, signal };
  const filter = toFilter(part);
  if (filter) common.filter = filter;
  let found = 0;
  let wanted = 0;
  let done = 0;
  // One by one: a key stroke in between waits for a single search, not for all of them.
  for (const text of texts) {
    const vector = embedder.embed(text);
    const hits = await index.search(vector, { ...common, ...setting });
    const exact = await index.search(vector, { ...common, exact: true });
    const last = exact.at(-1);
    if (last) {
      // Ties count by distance: any row as near as the tenth is a right answer.
      found += hits.filter((hit) => hit.distance >= last.distance - TIE).length;
      wanted += exact.length;
    }
    onProgress(++done, texts.length);
  }
  return { value: wanted ? Math.min(1, found / wanted) : 1, queries: texts.length, own: own.length };
}
