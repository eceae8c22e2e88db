"""What the model is measured on: senses that the fit never sees, and their glosses said in other words."""

import pathlib
import random
import re

from wordnet import Sense

SHARE = 0.05
# Words that carry grammar; replacing them would change nothing that is measured.
STOP_WORDS = frozenset(
    "a an the of or and to in for by with on at as is are be that which it its from any one not used having being who"
    " such into this their his her was were has have been some other".split()
)
INDEX_FILES = (("index.noun", "n"), ("index.verb", "v"), ("index.adj", "a"), ("index.adv", "r"))
WORD_OR_REST = re.compile(r"[A-Za-z]+|[^A-Za-z]+")


def held_out_rows(senses: list[Sense], seed: int) -> list[int]:
    """Rows of the held-out senses, in random order. A gloss that stands twice goes to one side as a whole."""
    glosses = sorted({sense.gloss for sense in senses})
    held = set(random.Random(seed).sample(glosses, round(SHARE * len(glosses))))
    rows = [row for row, sense in enumerate(senses) if sense.gloss in held]
    random.Random(seed).shuffle(rows)
    return rows


def first_sense_synonyms(directory: pathlib.Path, senses: list[Sense]) -> dict[str, list[str]]:
    """For each word the other single words of its most used sense, by the counts in WordNet's index files."""
    by_offset = {(sense.key[:8], sense.key[-1].replace("s", "a")): sense for sense in senses}
    best: dict[str, tuple[int, list[str]]] = {}
    for name, part_of_speech in INDEX_FILES:
        for line in (directory / name).read_text(encoding="utf-8").splitlines():
            if line.startswith("  "):
                continue
            fields = line.split()
            word, count = fields[0], int(fields[2])
            tagged, first = int(fields[-count - 1]), fields[-count]
            synonyms = [
                lemma
                for lemma in by_offset[first, part_of_speech].lemmas
                if lemma.islower() and lemma.isalpha() and lemma != word
            ]
            if word not in best or tagged > best[word][0]:
                best[word] = (tagged, synonyms)
    return {word: synonyms for word, (_, synonyms) in best.items() if synonyms}


def reword(gloss: str, synonyms: dict[str, list[str]], rng: random.Random) -> str | None:
    """The gloss with every content word that has a synonym replaced by one; None if that changes too little."""
    content = changed = 0
    parts = []
    for part in WORD_OR_REST.findall(gloss):
        word = part.lower()
        if word.isalpha() and word not in STOP_WORDS:
            content += 1
            if word in synonyms:
                part = rng.choice(synonyms[word])
                changed += 1
        parts.append(part)
    return "".join(parts) if changed >= 2 and changed >= 0.4 * content else None


def rewordings(
    directory: pathlib.Path, senses: list[Sense], rows: list[int], limit: int, seed: int
) -> list[tuple[int, str]]:
    """Up to `limit` pairs of a row and its gloss in other words."""
    synonyms = first_sense_synonyms(directory, senses)
    rng = random.Random(seed)
    pairs = ((row, reword(senses[row].gloss, synonyms, rng)) for row in rows)
    return [(row, text) for row, text in pairs if text is not None][:limit]
