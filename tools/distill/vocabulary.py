"""Chooses the tokens of the small model and writes its tokenizer.

The full model's WordPiece vocabulary holds many tokens that no English definition needs and splits many words that
definitions use often. Each row costs the same, so the rows go to what occurs most in WordNet: words and pieces alike.
"""

import collections
import json
import string

import tokenizers

UNKNOWN = "[UNK]"
PREFIX = "##"


def choose_vocabulary(full: tokenizers.Tokenizer, texts: list[str], size: int) -> list[str]:
    """The unknown token, every ASCII character so that any word can be spelled, then the most frequent tokens."""
    words = count_words(full, texts)
    vocabulary = full.get_vocab()
    counts = collections.Counter()
    for word, count in words.items():
        counts[word] += count
        if word not in vocabulary:
            # A word that doesn't make it into the vocabulary is spelled with the full model's pieces.
            counts.update({piece: count for piece in full.encode(word, add_special_tokens=False).tokens})
    counts.pop(UNKNOWN, None)
    # A word that the full model splits pays for its row only if it occurs more than once.
    frequent = [token for token, count in counts.items() if count > 1 or token in vocabulary]
    frequent.sort(key=lambda token: (-counts[token], token))
    spelling = [c for c in string.printable if c.strip() and not c.isupper()]
    kept = dict.fromkeys([UNKNOWN, *spelling, *(PREFIX + c for c in spelling if c.isalnum()), *frequent])
    return list(kept)[:size]


def count_words(full: tokenizers.Tokenizer, texts: list[str]) -> collections.Counter:
    words = collections.Counter()
    for text in texts:
        pieces = full.pre_tokenizer.pre_tokenize_str(full.normalizer.normalize_str(text))
        words.update(word for word, _ in pieces)
    return words


def write_tokenizer(full: tokenizers.Tokenizer, vocabulary: list[str]) -> bytes:
    """The full model's tokenizer with another vocabulary and without what only a transformer needs."""
    description = json.loads(full.to_str())
    description.update(truncation=None, padding=None, added_tokens=[], post_processor=None)
    description["model"]["vocab"] = {token: row for row, token in enumerate(vocabulary)}
    return json.dumps(description, ensure_ascii=False, separators=(",", ":")).encode()
