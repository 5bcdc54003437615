"""Texts that are nearly the same: MinHash over three-word shingles finds candidates, their exact Jaccard index decides.

Our own hundred lines rather than `datasketch`: its index needs scipy at run time (140 MB on disk, half a second to import) and
returns candidates without comparing them, so the comparison would be ours anyway; here a thousand texts are hashed by
a few hundred NumPy calls. 180,000 lines (100 MB) against 2,000 cases take 13 s and 30 MB.

Broder, "On the resemblance and containment of documents", 1997; bands after Leskovec, Rajaraman and Ullman, "Mining of
Massive Datasets", section 3.4.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAR = 0.6
"""From which similarity texts count as nearly the same. One word changed in the middle of fifteen leaves 0.63."""
_SHINGLE = 3
_KEPT = 200
"""Shingles of one text that are kept: those with the least hashes. A longer text's similarity is estimated from them, with a
standard error of at most 0.036 (Broder's sketches), and takes no more memory."""
_BANDS, _ROWS = 42, 3
"""A pair of similarity s becomes a candidate with probability 1 - (1 - s³)⁴²: 0.99996 at 0.6, 0.996 at 0.5."""
_SLACK = 0.2
"""Candidates whose estimate is so far below what is asked for are not compared: more than four standard errors."""
_MOST = 20
"""Candidates, the likeliest first, that one text is compared with."""
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]+"
)
"""A word; where a script has no spaces, a sign."""

Match = tuple[int, int, float]
"""Number of the text that was looked up, number of the text in the index, similarity."""


def words(text: str) -> list[str]:
    """The words of a text, without case and punctuation.

    >>> words("  Show ME the—status!"), words("状態を")
    (['show', 'me', 'the', 'status'], ['状', '態', 'を'])
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def folded(text: str) -> str:
    """A text but for case, space and punctuation; empty where it has nothing else.

    >>> folded("Show me, the  STATUS!") == folded("show me the status")
    True
    """
    return " ".join(words(text))


def shingles(text: str) -> frozenset[str]:
    """All runs of three words, or of a long text ``_KEPT`` of them; a shorter text is one shingle."""
    found = words(text)
    if not found:
        return frozenset()
    runs = frozenset(map(" ".join, zip(*(found[i:] for i in range(_SHINGLE)), strict=False)))
    runs = runs or frozenset((" ".join(found),))
    return runs if len(runs) <= _KEPT else frozenset(_least(runs))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Shared shingles by all shingles; of long texts by those with the least hashes.

    >>> jaccard(shingles("a b c d"), shingles("a b c e"))
    0.3333333333333333
    """
    both = one & other
    if not both:
        return 0.0
    either = one | other
    if max(len(one), len(other)) < _KEPT:
        return len(both) / len(either)
    least = _least(either)
    return sum(shingle in both for shingle in least) / len(least)


def _least(runs: frozenset[str]) -> list[str]:
    """The ``_KEPT`` shingles with the least hashes; of equal ones, the first by alphabet."""
    every = list(runs)
    hashes = np.array([zlib.crc32(run.encode()) for run in every], dtype=np.uint32)
    most = np.partition(hashes, _KEPT - 1)[_KEPT - 1] if len(every) > _KEPT else hashes.max()
    low = np.flatnonzero(hashes <= most).tolist()
    return [every[i] for i in sorted(low, key=lambda i: (hashes[i], every[i]))[:_KEPT]]


class NearIndex:
    """Texts in which similar ones can be looked up."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._shingles = [shingles(text) for text in texts]
        self._signatures = _signatures(self._shingles)
        keys = _keys(self._signatures)
        self._order = np.argsort(keys, axis=0, kind="stable")
        self._keys = np.take_along_axis(keys, self._order, axis=0)

    def matches(self, texts: Sequence[str], threshold: float = NEAR) -> Iterator[Match]:
        """Texts of the index that are similar to the given ones, for each the most similar first.

        Args:
            texts: A few thousand at most: their signatures are in memory at once.
            threshold: The least similarity, from 0.5; below that many pairs would be missed.
        """
        if not texts or not self._shingles:
            return
        given = [shingles(text) for text in texts]
        signatures = _signatures(given)
        for row, candidates in self._candidates(_keys(signatures)):
            estimates = (self._signatures[candidates] == signatures[row]).mean(axis=1)
            likely = np.argsort(-estimates, kind="stable")[:_MOST]
            likely = likely[estimates[likely] >= threshold - _SLACK]
            compared = [(jaccard(given[row], self._shingles[c]), int(c)) for c in candidates[likely]]
            for similarity, number in sorted(compared, key=lambda pair: (-pair[0], pair[1])):
                if similarity >= threshold:
                    yield row, number, similarity

    def _candidates(self, keys: NDArray[np.uint64]) -> Iterator[tuple[int, NDArray[np.intp]]]:
        """For each row that shares a band with texts of the index: those texts."""
        found: dict[int, list[NDArray[np.intp]]] = {}
        for band in range(_BANDS):
            low = np.searchsorted(self._keys[:, band], keys[:, band], side="left")
            high = np.searchsorted(self._keys[:, band], keys[:, band], side="right")
            for row in np.flatnonzero(high > low).tolist():
                found.setdefault(row, []).append(self._order[low[row] : high[row], band])
        for row in sorted(found):
            yield row, np.unique(np.concatenate(found[row]))


def _multipliers() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    random = np.random.default_rng(20261121)  # fixed: the same file gives the same answer everywhere
    size = _BANDS * _ROWS
    return random.integers(1, 2**63, size, dtype=np.uint64) * np.uint64(2) + np.uint64(1), random.integers(
        0, 2**63, size, dtype=np.uint64
    )


def _signatures(sets: Sequence[frozenset[str]]) -> NDArray[np.uint32]:
    """MinHash signatures, one row a text; texts without words become candidates of each other, but are never similar."""
    hashed = [zlib.crc32(shingle.encode()) for one in sets for shingle in (one or ("",))]
    values = np.array(hashed, dtype=np.uint64)
    starts = np.cumsum([0, *(max(1, len(one)) for one in sets)])[:-1]
    result = np.empty((len(sets), _BANDS * _ROWS), dtype=np.uint32)
    for number, (factor, summand) in enumerate(zip(*_multipliers(), strict=True)):
        permuted: Any = (values * factor + summand) >> np.uint64(32)
        result[:, number] = np.minimum.reduceat(permuted, starts) if len(starts) else 0
    return result


def _keys(signatures: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """One number for each band of each signature."""
    bands = signatures.reshape(len(signatures), _BANDS, _ROWS).astype(np.uint64)
    keys = np.zeros(bands.shape[:2], dtype=np.uint64)
    for row in range(_ROWS):
        keys = (keys ^ bands[:, :, row]) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    return keys
