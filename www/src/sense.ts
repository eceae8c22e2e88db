// A row of the index, read into what the page prints.

import type { Hit } from "elanus";
import { PARTS } from "./query.ts";

export interface Sense {
  id: string;
  lemma: string;
  /** The other words of the same sense. */
  others: string[];
  gloss: string;
  part: { name: string; short: string };
  /** Cosine similarity with the query, as the index reports it. */
  similarity: number;
}

export const FIELDS = ["pos", "lemmas", "gloss"];

const text = (value: unknown) => (typeof value === "string" ? value : "");
const list = (value: unknown) => (Array.isArray(value) ? value.map(text) : []);

export function toSense({ id, distance, fields = {} }: Hit): Sense {
  const [lemma = "", ...others] = list(fields.lemmas);
  const part = PARTS.find((known) => known.part === fields.pos) ?? { name: text(fields.pos), short: text(fields.pos) };
  return {
    id: String(id),
    lemma,
    others,
    gloss: text(fields.gloss),
    part,
    similarity: distance,
  };
}
