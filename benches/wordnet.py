"""Embeds the glosses of WordNet with the full MiniLM; usage examples of other senses become the queries."""

import argparse
import pathlib
import random
import sys

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
# The distillation embeds the same texts with the same model.
sys.path.insert(0, str(HERE.parent / "tools" / "distill"))

from teacher import Teacher  # noqa: E402
from wordnet import read_senses  # noqa: E402

SEED = 42


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dict", type=pathlib.Path, required=True, help="WordNet's database files")
    parser.add_argument("--queries", type=int, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as there are cores")
    options = parser.parse_args()

    senses = read_senses(options.dict)
    examples = sorted({example for sense in senses for example in sense.examples if len(example.split()) >= 4})
    queries = random.Random(SEED).sample(examples, options.queries)
    teacher = Teacher(None, None, options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    teacher.embed_texts(queries, "queries").astype(np.float32).tofile(options.out / "queries.f32")
    teacher.embed_texts([sense.gloss for sense in senses], "glosses").astype(np.float32).tofile(options.out / "base.f32")


main()
