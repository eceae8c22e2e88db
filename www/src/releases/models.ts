// The two models that the releases have: the dictionary's, and the one of its first numbers.

import { fromFunction, loadStaticModel, type Embedder } from "elanus/embed";
import shipped from "virtual:shipped";
import { FEWER, shorten } from "./shorter.mjs";

export async function embedders(): Promise<Embedder[]> {
  const at = (name: "model" | "tokenizer" | "config") => new URL(shipped[name].url, document.baseURI);
  const whole = await loadStaticModel({ model: at("model"), tokenizer: at("tokenizer"), config: at("config") });
  const { card } = whole;
  const shorter = fromFunction(async (texts) => whole.embed(texts).map(shorten), {
    name: `${card.name}, its first ${FEWER} numbers`,
    revision: card.revision,
    fingerprint: `${card.fingerprint}/${FEWER}`,
    dimension: FEWER,
    normalised: true,
  });
  return [whole, shorter];
}
