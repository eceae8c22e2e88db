// The models that the releases have: the dictionary's, the one of its first numbers, and the one that the dictionary's was made from.

import { fromFunction, loadStaticModel, type Embedder } from "elanus/embed";
import shipped from "virtual:shipped";
import { miniLm, type Fetching } from "./minilm.ts";
import { FEWER, shorten } from "./shorter.mjs";

export async function embedders(onFetching: (state: Fetching | undefined) => void): Promise<Embedder[]> {
  const at = (name: "model" | "tokenizer" | "config") => new URL(shipped[name].url, document.baseURI);
  const [whole, full] = await Promise.all([
    loadStaticModel({ model: at("model"), tokenizer: at("tokenizer"), config: at("config") }),
    miniLm(onFetching),
  ]);
  const { card } = whole;
  const shorter = fromFunction(async (texts) => whole.embed(texts).map(shorten), {
    name: `${card.name}, its first ${FEWER} numbers`,
    revision: card.revision,
    fingerprint: `${card.fingerprint}/${FEWER}`,
    dimension: FEWER,
    normalised: true,
  });
  return full ? [whole, shorter, full] : [whole, shorter];
}
