"""Measures the static model against the full one on WordNet's 117,791 glosses.

Agreement: the share of the full model's exact top 10 that is in the static model's exact top 10, averaged
  - over held-out glosses as queries (the sense itself is left out of both answers), and
  - over WordNet's usage examples as queries.
Retrieval: how often the right answer is among the first ten (and the first)
  - when a held-out gloss is said in synonyms: the content words that have a synonym in WordNet are replaced by one; the
    right answer is the gloss's own sense;
  - when a word is described by another dictionary (GCIDE, see definitions.py): any sense of that word is right.

Example:
  python tools/distill/evaluate.py --teacher-dir ../shared/data/wordnet-minilm --gcide-dir …/dictionary/data/en
"""

import argparse
import json
import pathlib
import random

import model2vec
import numpy as np
import tqdm

import definitions
import distill
import held_out
import teacher
import wordnet

TOP = 10


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    distill.add_teacher_arguments(parser)
    add = parser.add_argument
    add("--model", type=pathlib.Path, default=distill.ROOT / "models" / distill.NAME, help="(%(default)s)")
    add("--gcide-dir", type=pathlib.Path, help="directory with words_A.json …; that measure is left out if missing")
    add("--queries", type=int, default=2000, help="queries for each measure, at most (%(default)s)")
    add("--text", choices=["gloss", "lemma: gloss", "lemmas: gloss"], default="gloss",
        help="what of a sense the static model embeds (%(default)s)")
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    senses = wordnet.read_senses(options.wordnet_dir)
    full = teacher.Teacher(options.teacher_model, options.teacher_tokenizer, options.threads)
    small = model2vec.StaticModel.from_pretrained(options.model)
    glosses = [sense.gloss for sense in senses]
    base = {"full": distill.gloss_vectors(full, glosses, options)}
    base["static"] = small.encode([sense_text(sense, options.text) for sense in senses])
    held = held_out.held_out_rows(senses, options.seed)

    def both(name: str, texts: list[str]) -> dict[str, np.ndarray]:
        vectors = distill.cached(options.cache_dir, name, texts, lambda: full.embed_texts(texts, name))
        return {"full": vectors, "static": small.encode(texts)}

    def nearest(queries: dict[str, np.ndarray], own: list[int] | None = None) -> dict[str, np.ndarray]:
        return {which: top_rows(queries[which], base[which], own) for which in base}

    report: dict[str, dict] = {}
    own = held[: options.queries]
    tops = nearest({which: base[which][own] for which in base}, own)
    report["agreement, held-out glosses"] = agreement(tops)
    examples = [sense.examples[0] for sense in senses if sense.examples]
    random.Random(options.seed).shuffle(examples)
    report["agreement, usage examples"] = agreement(nearest(both("examples", examples[: options.queries])))

    pairs = held_out.rewordings(options.wordnet_dir, senses, held, options.queries, options.seed)
    tops = nearest(both("rewordings", [text for _, text in pairs]))
    report["gloss in synonyms"] = {"queries": len(pairs)} | retrieval(tops, [{row} for row, _ in pairs])
    if options.gcide_dir:
        pairs = definitions.foreign_definitions(options.gcide_dir, senses, options.queries, options.seed)
        rows: dict[str, set[int]] = {}
        for row, sense in enumerate(senses):
            for lemma in sense.lemmas:
                rows.setdefault(lemma.lower(), set()).add(row)
        tops = nearest(both("definitions", [text for _, text in pairs]))
        report["another dictionary's definition"] = {"queries": len(pairs)} | retrieval(tops, [rows[word] for word, _ in pairs])
    print(json.dumps(report, indent=2))


def sense_text(sense: wordnet.Sense, form: str) -> str:
    if form == "gloss":
        return sense.gloss
    return f"{sense.lemmas[0] if form == 'lemma: gloss' else ', '.join(sense.lemmas)}: {sense.gloss}"


def top_rows(queries: np.ndarray, base: np.ndarray, own: list[int] | None) -> np.ndarray:
    """The exact nearest rows by dot product, nearest first; ties by row."""
    tops = np.empty((len(queries), TOP), np.int64)
    for start in tqdm.trange(0, len(queries), 128, desc="search", mininterval=1):
        scores = queries[start : start + 128] @ base.T
        if own is not None:
            scores[np.arange(len(scores)), own[start : start + 128]] = -np.inf
        best = np.sort(np.argpartition(-scores, TOP, axis=1)[:, :TOP], axis=1)
        order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1, kind="stable")
        tops[start : start + 128] = np.take_along_axis(best, order, 1)
    return tops


def agreement(tops: dict[str, np.ndarray]) -> dict:
    shared = [len(set(a) & set(b)) for a, b in zip(tops["full"], tops["static"], strict=True)]
    return {"queries": len(shared), "top 10": round(float(np.mean(shared)) / TOP, 3)}


def retrieval(tops: dict[str, np.ndarray], right: list[set[int]]) -> dict:
    def share(rows: np.ndarray) -> float:
        return round(float(np.mean([not wanted.isdisjoint(row.tolist()) for row, wanted in zip(rows, right, strict=True)])), 3)

    return {which: {"first": share(rows[:, :1]), "top 10": share(rows)} for which, rows in tops.items()}


if __name__ == "__main__":
    main()
