"""Writes tests/js/fixtures: what Python's model2vec answers, for the TypeScript embedder to be compared with.

Three tiny models stand for the forms that model2vec writes and our own model doesn't use: half precision with a shared
table (`mapping`, `weights`), Unigram and byte-level BPE. Run it again after the model in models/ has changed.
"""

import argparse
import base64
import json
import pathlib
import tempfile

import model2vec
import numpy as np
import safetensors.numpy
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXTS = [
    "a small bird of prey that hovers",
    "Naïve CAFÉ résumés",
    "don't stop: 3.14 (approximately)",
    "東京タワー is a tower",
    "emoji 🦅 flies",
    "tabs\tand\nline\r\nbreaks\u00a0here\u200b",
    "antidisestablishmentarianism",
    "x" * 150,
    "the the the the",
    "",
    "   ",
    "\U0001d54f\U0001d550",
    "long " * 700,
]
DIMENSION = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "tests" / "js" / "fixtures")
    out = parser.parse_args().out
    fixtures = {"wordnet-static": answers(ROOT / "models" / "wordnet-static")}
    for name, (tokenizer, tensors, config) in synthetic().items():
        with tempfile.TemporaryDirectory() as folder:
            files = {
                "model.safetensors": safetensors.numpy.save(tensors),
                "tokenizer.json": tokenizer.to_str().encode(),
                "config.json": json.dumps(config).encode(),
            }
            for file, content in files.items():
                (pathlib.Path(folder) / file).write_bytes(content)
            fixtures[name] = answers(pathlib.Path(folder)) | {
                "files": {file: base64.b64encode(content).decode() for file, content in files.items()}
            }
    content = {"texts": TEXTS, "models": fixtures}
    (out / "model2vec.json").write_text(json.dumps(content, indent=1) + "\n")


def answers(folder: pathlib.Path) -> dict:
    vectors = model2vec.StaticModel.from_pretrained(folder).encode(TEXTS).astype("<f4")
    return {"dimension": vectors.shape[1], "vectors": base64.b64encode(vectors.tobytes()).decode()}


def synthetic() -> dict:
    rng = np.random.default_rng(3)

    def table(rows: int, dtype) -> np.ndarray:
        return rng.normal(size=(rows, DIMENSION)).astype(dtype)

    words = ["[PAD]", "[UNK]", *"abcdefghijklmnopqrstuvwxyz", *("##" + c for c in "abcdefghijklmnopqrstuvwxyz"),
             "the", "bird", "prey", "##s", "cafe", "long", "stop", "tower", "fl", "##ies"]
    words = list(dict.fromkeys(words))
    wordpiece = tokenizers.Tokenizer(
        models.WordPiece({word: row for row, word in enumerate(words)}, unk_token="[UNK]", max_input_chars_per_word=100)
    )
    wordpiece.normalizer = normalizers.BertNormalizer()
    wordpiece.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    wordpiece.decoder = decoders.WordPiece()
    shared = {
        "embeddings": table(20, np.float16),
        "weights": rng.uniform(0.1, 1, len(words)),
        "mapping": rng.integers(0, 20, len(words)),
    }

    pieces = [("<unk>", 0.0), ("▁", -3.0), *((c, -6.0) for c in "abcdefghijklmnopqrstuvwxyz'.:"),
              ("▁the", -2.0), ("▁bird", -4.0), ("▁prey", -4.5), ("▁long", -3.5), ("er", -4.0), ("ing", -4.0), ("▁st", -4.2)]
    unigram = tokenizers.Tokenizer(models.Unigram(pieces, unk_id=0))
    unigram.normalizer = normalizers.NFKC()
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    unigram.decoder = decoders.Metaspace()

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("l", "o"), ("n", "g"), ("lo", "ng"), ("Ġ", "long")]
    vocabulary = {token: row for row, token in enumerate([*letters, *("".join(pair) for pair in merges)])}
    bpe = tokenizers.Tokenizer(models.BPE(vocabulary, merges))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    bpe.decoder = decoders.ByteLevel()

    return {
        "f16-shared-rows": (wordpiece, shared, {"normalize": True, "max_length": 64}),
        "f32-unigram": (unigram, {"embeddings": table(len(pieces), np.float32)}, {"normalize": False}),
        "f64-bpe": (bpe, {"embeddings": table(len(vocabulary), np.float64)}, {"normalize": True, "max_length": None}),
    }


if __name__ == "__main__":
    main()
