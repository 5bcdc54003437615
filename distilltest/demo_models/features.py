"""The features of a request as a vector: words, pairs of words, and the lexicon's concepts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING

from distilltest.demo_models.lexicon import concepts, plain
from distilltest.demo_models.tokens import Token

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONCEPT, PAIR = 5.0, 0.4
"""The weights of a concept and of a word pair; a word has 1. Chosen by five-fold cross-validation on the training split."""


class Space:
    """A vector space with one dimension per feature of some examples. Rare features weigh more."""

    def __init__(self, examples: Sequence[frozenset[str]]) -> None:
        counts = Counter(feature for example in examples for feature in example)
        total = len(examples) + 1
        self._columns = {feature: column for column, feature in enumerate(sorted(counts))}
        self._weights = [_weight(f) * (log(total / counts[f]) + 0.1) for f in self._columns]

    def vector(self, of: frozenset[str]) -> NDArray[np.float64]:
        """The features' vector, of length 1, or 0 if no feature is known."""
        import numpy as np

        vector = np.zeros(len(self._columns))
        for feature in of:
            column = self._columns.get(feature)
            if column is not None:
                vector[column] = self._weights[column]
        length = float(np.linalg.norm(vector))
        return vector / length if length else vector

    def matrix(self, of: Sequence[frozenset[str]]) -> NDArray[np.float64]:
        """One row per set of features."""
        import numpy as np

        return np.array([self.vector(each) for each in of]).reshape(len(of), len(self._columns))


def features(said: Iterable[Token]) -> frozenset[str]:
    """The features of a request: word stems, pairs of neighbours, and ``#CONCEPT`` for each concept."""
    kept = list(said)
    words = [_stem(t.value.casefold()) if t.kind == "word" else f"<{t.kind}>" for t in kept]
    shown = ('""' if t.kind == "quoted" else t.value if t.kind == "word" else f"<{t.kind}>" for t in kept)
    spoken = concepts(plain(" ".join(shown)))
    return frozenset([*words, *(f"{a} {b}" for a, b in pairwise(words)), *(f"#{concept}" for concept in spoken)])


def _weight(feature: str) -> float:
    return CONCEPT if feature.startswith("#") else PAIR if " " in feature else 1.0


def _stem(word: str) -> str:
    """Strip the most common endings; short words stay as they are."""
    for ending in ("ing", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word
