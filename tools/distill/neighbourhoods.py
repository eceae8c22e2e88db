"""Moves the token vectors on until texts have the same neighbours as under the full model.

Ridge regression brings each text near its target, but a search compares texts with each other. So in each batch the
similarities of all pairs, as a distribution over each text's neighbours, are matched to the full model's, by gradient
descent. Neighbouring rows go into a batch together: WordNet's files keep related senses side by side, and only hard
neighbours teach anything.
"""

import dataclasses

import numpy as np
import scipy.sparse
import tqdm


@dataclasses.dataclass(frozen=True)
class Settings:
    epochs: int
    rate: float
    """Step of the optimiser, relative to the mean size of the numbers."""
    temperature: float
    """How sharply the distribution singles out the nearest; about the spread of cosines among neighbours."""
    seed: int
    block: int = 32
    """Neighbouring rows that enter a batch together."""
    blocks: int = 32
    """Blocks in a batch."""
    warm_up: int = 50


def align(bags: scipy.sparse.csr_matrix, full: np.ndarray, targets: np.ndarray, vectors: np.ndarray, settings: Settings) -> np.ndarray:
    """`full` holds the full model's vectors and `targets` their projections; all rows of unit length."""
    optimiser = Adam(vectors, settings.rate * np.abs(vectors).mean())
    rng = np.random.default_rng(settings.seed)
    count = bags.shape[0] // settings.block
    batches = count // settings.blocks
    total = settings.epochs * batches
    with tqdm.tqdm(total=total, desc="align", unit=" steps", mininterval=1) as progress:
        for _ in range(settings.epochs):
            order = rng.permutation(count)
            for batch in range(batches):
                blocks = order[batch * settings.blocks : (batch + 1) * settings.blocks]
                # Blocks start elsewhere each time, or rows on two sides of a border would never meet.
                first = blocks * settings.block + rng.integers(settings.block)
                rows = (first[:, None] + np.arange(settings.block)).ravel() % bags.shape[0]
                tokens, gradient = batch_gradient(bags[rows], full[rows], targets[rows], optimiser.values, settings.temperature)
                done = progress.n / total
                optimiser.step(tokens, gradient, (1 - done) * min(1.0, (progress.n + 1) / settings.warm_up))
                progress.update()
    return optimiser.values


def batch_gradient(bags, full, targets, vectors, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """The tokens of a batch, and the gradient of the loss for their vectors.

    loss = mean(1 - cos(text, target)) + temperature · mean(KL(neighbours under the full model ‖ under this one))
    """
    tokens, columns = np.unique(bags.indices, return_inverse=True)
    own = scipy.sparse.csr_matrix((bags.data, columns.astype(np.int32), bags.indptr), (bags.shape[0], len(tokens)))
    means = own @ vectors[tokens]
    lengths = np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    texts = means / lengths
    excess = neighbours(texts, temperature) - neighbours(full, temperature)
    for_texts = ((excess + excess.T) @ texts - targets) / len(texts)
    for_means = (for_texts - (for_texts * texts).sum(axis=1, keepdims=True) * texts) / lengths
    return tokens, own.T @ for_means


def neighbours(texts: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax over the similarities with every other text."""
    scores = texts @ texts.T / np.float32(temperature)
    np.fill_diagonal(scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


class Adam:
    """Adam (Kingma and Ba, 2015) over the rows that a batch touches; each row counts its own steps."""

    MEAN_DECAY = np.float32(0.9)
    SQUARE_DECAY = np.float32(0.99)

    def __init__(self, values: np.ndarray, rate: float):
        self.values = values.copy()
        self.rate = np.float32(rate)
        self.means = np.zeros_like(values)
        self.squares = np.zeros_like(values)
        self.steps = np.zeros((len(values), 1), np.float32)

    def step(self, rows: np.ndarray, gradient: np.ndarray, share: float) -> None:
        self.steps[rows] += 1
        steps = self.steps[rows]
        means = self.means[rows] * self.MEAN_DECAY + gradient * (1 - self.MEAN_DECAY)
        squares = self.squares[rows] * self.SQUARE_DECAY + gradient**2 * (1 - self.SQUARE_DECAY)
        self.means[rows], self.squares[rows] = means, squares
        mean = means / (1 - self.MEAN_DECAY**steps)
        size = np.sqrt(squares / (1 - self.SQUARE_DECAY**steps)) + np.float32(1e-12)
        self.values[rows] -= np.float32(share) * self.rate * mean / size
