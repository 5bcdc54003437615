"""The cosine of two embeddings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from distilltest.errors import SuiteError
from distilltest.graders.scored import scored
from distilltest.records import Grade


def cosine(answer: Sequence[float], reference: Sequence[float], pass_threshold: float = 0.5) -> Grade:
    """Score the cosine of two vectors, at least 0; pass at the threshold or above.

    Choose the threshold for the embedding model: cosines of different models do not compare.

    Raises:
        SuiteError: The vectors differ in length.

    >>> cosine([1.0, 1.0], [1.0, 0.0]).reason
    'cosine 0.707'
    """
    if len(answer) != len(reference):
        raise SuiteError(f"cosine: vectors of {len(answer)} and {len(reference)} numbers cannot be compared.")
    lengths = math.hypot(*answer) * math.hypot(*reference)
    value = sum(a * b for a, b in zip(answer, reference, strict=True)) / lengths if lengths else 0.0
    return scored("text_similarity", min(1.0, max(0.0, value)), pass_threshold, f"cosine {value:.3f}")
