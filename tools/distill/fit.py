"""Fits the token vectors so that the mean over a text's tokens comes near the full model's vector of that text."""

import numpy as np
import scipy.sparse
import tokenizers
import tqdm


def bag_of_tokens(tokenizer: tokenizers.Tokenizer, texts: list[str]) -> scipy.sparse.csr_matrix:
    """One row per text: the share of each token in it. Times the token vectors it gives the mean vector."""
    unknown = tokenizer.token_to_id("[UNK]")
    columns, values, bounds = [], [], [0]
    for encoding in tokenizer.encode_batch(texts, add_special_tokens=False):
        known = [token for token in encoding.ids if token != unknown]
        columns.extend(known)
        values.extend([1 / len(known)] * len(known) if known else [])
        bounds.append(len(columns))
    shape = (len(texts), tokenizer.get_vocab_size())
    bags = scipy.sparse.csr_matrix((np.array(values, np.float32), np.array(columns, np.int32), bounds), shape)
    bags.sum_duplicates()
    return bags


def principal_axes(vectors: np.ndarray, dimension: int) -> np.ndarray:
    """The directions of most energy, without centring: dot products, and so cosines, survive the projection."""
    gram = vectors.astype(np.float64).T @ vectors.astype(np.float64)
    axes = np.linalg.eigh(gram)[1][:, ::-1][:, :dimension]
    # The sign of an eigenvector is arbitrary: fix it, or a rebuilt model is a mirror image.
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(dimension)])
    return (axes * signs).astype(np.float32)


def frequency_weights(bags: scipy.sparse.csr_matrix, smooth: float) -> np.ndarray:
    """SIF: a / (a + p), with p the token's share of all tokens (Arora, Liang and Ma, 2017)."""
    lengths = 1 / np.maximum(bags.max(axis=1).toarray().ravel(), 1e-9)
    counts = np.asarray(scipy.sparse.diags(lengths).dot(bags).sum(axis=0)).ravel()
    return (smooth / (smooth + counts / counts.sum())).astype(np.float32)


def ridge(bags, targets: np.ndarray, start: np.ndarray, penalty: float, steps: int) -> np.ndarray:
    """min |bags @ W - targets|² + penalty |W - start|², by conjugate gradients on every dimension at once.

    `start` decides for the tokens that the texts say little about, so a rare token keeps the vector it was given.
    """
    transposed = bags.T.tocsr()
    diagonal = np.asarray(bags.multiply(bags).sum(axis=0)).reshape(-1, 1) + penalty
    change = np.zeros_like(start)
    residual = transposed @ (targets - bags @ start)
    scaled = residual / diagonal
    direction = scaled.copy()
    energy = (residual * scaled).sum(axis=0)
    for _ in tqdm.trange(steps, desc="fit", unit=" steps", mininterval=1):
        image = transposed @ (bags @ direction) + penalty * direction
        step = energy / np.maximum((direction * image).sum(axis=0), 1e-30)
        change += step * direction
        residual -= step * image
        scaled = residual / diagonal
        previous, energy = energy, (residual * scaled).sum(axis=0)
        direction = scaled + energy / np.maximum(previous, 1e-30) * direction
    return start + change
