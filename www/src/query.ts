// What is asked, and how an address says it: #q=words&pos=n&sense=id.

export type Part = "n" | "v" | "a" | "r";

export const PARTS: readonly { part: Part | undefined; name: string; plural: string; short: string }[] = [
  { part: undefined, name: "any", plural: "All", short: "" },
  { part: "n", name: "noun", plural: "Nouns", short: "n." },
  { part: "v", name: "verb", plural: "Verbs", short: "v." },
  { part: "a", name: "adjective", plural: "Adjectives", short: "adj." },
  { part: "r", name: "adverb", plural: "Adverbs", short: "adv." },
];

export interface Query {
  text: string;
  part: Part | undefined;
  /** The sense whose gloss the text is, when its neighbours are asked for. */
  sense: string | undefined;
}

export function toHash({ text, part, sense }: Query): string {
  const entries = new URLSearchParams();
  if (text.trim()) entries.set("q", text.trim());
  if (part) entries.set("pos", part);
  if (sense && text.trim()) entries.set("sense", sense);
  return `#${entries}`;
}

export function fromHash(hash: string): Query {
  const entries = new URLSearchParams(hash.replace(/^#/, ""));
  const part = PARTS.find((known) => known.part === entries.get("pos"))?.part;
  return { text: (entries.get("q") ?? "").slice(0, 600), part, sense: entries.get("sense") ?? undefined };
}

/** The filter that the index evaluates, exact at every selectivity. */
export const toFilter = (part: Part | undefined) => (part ? `pos == "${part}"` : undefined);
