"""Whether two datasets hold the same data, so that evaluations on both count as attempts on one.

Reordered rows, other ids, a new column or a few more cases change the fingerprint, but not the data. Each dataset is stored as
the smallest hashes of its texts (Broder, "On the resemblance and containment of documents", 1997). With 256 hashes, the estimated
share of common texts is within 0.03 of the true share two times out of three.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from heapq import nsmallest

from distilltest.graders.text import as_text
from distilltest.records import Case, Dataset

KEPT = 256
SAME = 0.5
"""Two datasets are the same data from this share of common texts on."""
_APART = ("id", "tags", "cluster")
"""Fields that are not part of the question."""
_SHORT = 8
"""Shorter texts, such as labels and small numbers, occur in unrelated data too."""


def sketch(dataset: Dataset) -> list[int]:
    """The smallest hashes of a dataset's texts.

    >>> made = [Case(str(i), {"id": i, "question": f"What is {i} + 1?"}) for i in range(20)]
    >>> sketch(Dataset("a", tuple(made), "a")) == sketch(Dataset("b", tuple(made[::-1]), "b"))
    True
    """
    return nsmallest(KEPT, {_mark(text) for case in dataset.cases for text in _texts(case)})


def resemblance(one: Sequence[int], other: Sequence[int]) -> float:
    """The share of texts that two datasets have in common, estimated from their sketches.

    >>> resemblance([1, 2, 3], [1, 2, 3]), resemblance([1, 2], [3, 4]), resemblance([], [])
    (1.0, 0.0, 0.0)
    """
    both, smallest = {*one} & {*other}, nsmallest(KEPT, {*one, *other})
    return sum(mark in both for mark in smallest) / len(smallest) if smallest else 0.0


def _texts(case: Case) -> Iterator[str]:
    values = [as_text(value) for name, value in case.item.items() if name not in _APART]
    long = [value for value in values if len(value) >= _SHORT]
    yield from long or ["\n".join(values)]


def _mark(text: str) -> int:
    folded = " ".join(text.casefold().split())
    return int.from_bytes(blake2b(folded.encode("utf-8", "surrogatepass"), digest_size=6).digest())
