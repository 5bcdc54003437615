"""Find texts in documents, whole or nearly: rare runs of five letters give candidates, an alignment decides.

Each text of the index is cut into up to ``_KEYS`` pieces, and the rarest run of letters of each piece is a key. So the keys
cover all parts of the text, and shared parts, such as an instruction or a template, have few keys. A few NumPy calls look up
the runs of thousands of documents in one table.

If a document has enough keys of a text, the two are aligned letter by letter (Levenshtein), and each word of the text is
found or not. The module ``significance`` decides whether a match is more than chance.

Broder, "On the resemblance and containment of documents", 1997; Schleimer, Wilkerson and Aiken, "Winnowing: local algorithms
for document fingerprinting", 2003.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distilltest.training_files.text_search.alignment import Alignment, align
from distilltest.training_files.text_search.text import DocumentPart, Text

_RUN = 5
"""The letters of a run."""
_KEYS = 32
_COMMON = 0.02
"""A run that more than this share of the texts has (and more than ``_FEW`` texts) is not a key."""
_FEW = 100
_POSTINGS = 400
"""The most texts that the runs of a document may point to, the rarest runs first; more for documents over ``_LONG`` letters."""
_LONG = 2000
_SHARE, _SHORT_SHARE, _SHORT = 0.35, 0.2, 80
"""The weighted share of a text's keys that a document needs to be aligned with it; smaller for short texts."""
_MOST = 4
"""The most candidates that a document is aligned with, the likeliest first; one more for each ``_LONG`` / 8 letters, while all
candidates together have at most twice the letters of the document."""
_BATCH, _BATCH_LETTERS = 1000, 500_000
"""The most texts, and letters, whose runs are in memory at the same time."""
_FACTOR = np.uint32(0x9E3779B1)


@dataclass(frozen=True, slots=True)
class NearMatch:
    """A text that a document contains, whole or nearly."""

    row: int
    """The number of the document."""
    part: int
    """The number of the document's part."""
    number: int
    """The number of the text in the index."""
    alignment: Alignment


class NearIndex:
    """An index of texts, to find them in documents."""

    def __init__(self, texts: Sequence[Text]) -> None:
        self.texts = texts
        lengths = np.array([len(text.letters) for text in texts], dtype=np.int64)
        bits = max(16, min(22, int(lengths.sum() * 8).bit_length()))
        self._shift = np.uint32(32 - bits)
        self._numbers = np.full(1 << bits, -1, dtype=np.int32)
        self._lengths = lengths
        batches = list(_batches(lengths))
        having = np.zeros(1 << bits, dtype=np.int64)
        """The number of texts with each run."""
        for batch in batches:
            runs, owners = self._runs([texts[number].letters for number in batch])
            having += np.bincount(_distinct(owners << np.int64(32) | runs) & 0xFFFFFFFF, minlength=1 << bits).astype(
                np.int32
            )
        keys, of = np.zeros(0, np.uint32), np.zeros(0, np.int64)
        for batch in batches:
            runs, owners = self._runs([texts[number].letters for number in batch])
            chosen, whose = self._keys_of(runs, owners, having[runs], lengths[batch.start : batch.stop])
            keys, of = np.append(keys, chosen), np.append(of, whose + batch.start)
        self._load(keys, of, len(texts))
        self._least = np.where(lengths < _SHORT, _SHORT_SHARE, _SHARE)

    def _keys_of(
        self, runs: NDArray[np.uint32], owners: NDArray[np.int64], counts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """The rarest run of each piece of each text; a hash decides between equally rare ones."""
        if not len(runs):
            return runs, owners
        starts = np.searchsorted(owners, np.arange(len(lengths)))
        place = np.arange(len(owners)) - starts[owners]
        total = np.maximum(lengths - _RUN + 1, 1)[owners]
        piece = np.where(total <= _KEYS, place, place * _KEYS // total)
        mixed = runs * np.uint32(0x85EBCA6B)
        order = np.lexsort((mixed, counts, piece, owners))
        first = np.ones(len(order), dtype=bool)
        first[1:] = (np.diff(piece[order]) != 0) | (np.diff(owners[order]) != 0)
        chosen = order[first]
        chosen = chosen[counts[chosen] <= max(_FEW, _COMMON * len(self.texts))]
        both = _distinct(owners[chosen] << np.int64(32) | runs[chosen])
        return (both & 0xFFFFFFFF).astype(np.uint32), both >> np.int64(32)

    def _load(self, keys: NDArray[np.uint32], of: NDArray[np.int64], texts: int) -> None:
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        starts = np.flatnonzero(_first(keys))
        distinct, counts = keys[starts], np.diff(starts, append=len(keys))
        self._numbers[distinct] = np.arange(len(distinct), dtype=np.int32)
        self._starts, self._counts, self._owners = starts, counts, of[order].astype(np.int32)
        self._weights = np.log2(1 + texts / np.maximum(counts, 1)).astype(np.float32)
        each = np.repeat(self._weights, counts)
        self._totals = np.bincount(self._owners, weights=each, minlength=texts) if texts else np.zeros(0)

    def _runs(self, some: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Hashed runs within each text, and the number of the text that each is from."""
        lengths = np.array([len(text) for text in some], dtype=np.int64)
        codes = np.frombuffer("".join(some).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        if len(codes) < _RUN:
            return np.zeros(0, np.uint32), np.zeros(0, np.int64)
        size = len(codes) - _RUN + 1
        hashed = np.zeros(size, dtype=np.uint32)
        for step in range(_RUN):
            hashed = (hashed + codes[step : step + size]) * _FACTOR
            hashed ^= hashed >> np.uint32(15)
        hashed >>= self._shift
        sources = np.repeat(np.arange(len(some)), lengths)[:size]
        ends = np.cumsum(lengths)
        within = np.arange(_RUN, size + _RUN) <= ends[sources]
        return hashed[within], sources[within]

    def matches(self, documents: Sequence[Sequence[DocumentPart]]) -> Iterator[NearMatch]:
        """Texts of the index that documents have, whole or nearly.

        Args:
            documents: The parts of each: a conversation's turns, say. A few thousand at most.
        """
        if not len(self._totals):
            return
        parts = [part for parts in documents for part in parts]
        row_of = np.repeat(np.arange(len(documents)), [len(parts) for parts in documents])
        first_part = np.searchsorted(row_of, np.arange(len(documents)))
        for part, number in self._candidates([part.letters for part in parts]):
            alignment = align(self.texts[number], parts[part])
            if alignment is not None:
                row = int(row_of[part])
                yield NearMatch(row, part - int(first_part[row]), number, alignment)

    def _candidates(self, parts: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Pairs of a part and a text that are worth an alignment."""
        runs, sources = self._runs(parts)
        found = self._numbers[runs]
        hit = found >= 0
        pairs = _distinct(sources[hit] << np.int64(32) | found[hit])  # a run counts once in a part
        sources, numbers = pairs >> np.int64(32), pairs & 0xFFFFFFFF
        lengths = np.array([len(part) for part in parts], dtype=np.int64)
        sources, numbers = self._within_budget(sources, numbers, lengths)
        counts = self._counts[numbers]
        if not len(counts):
            return
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        owners = self._owners[np.repeat(self._starts[numbers], counts) + offsets]
        pairs = np.repeat(sources, counts) * np.int64(len(self.texts)) + owners
        order = np.argsort(pairs)
        pairs = pairs[order]
        starts = np.flatnonzero(_first(pairs))
        distinct = pairs[starts]
        share = np.add.reduceat(np.repeat(self._weights[numbers], counts)[order], starts)
        part_of, text_of = distinct // len(self.texts), distinct % len(self.texts)
        share = share / self._totals[text_of]
        good = share >= self._least[text_of]
        part_of, text_of, share = part_of[good], text_of[good], share[good]
        order = np.lexsort((-share, part_of))
        part_of, text_of = part_of[order], text_of[order]
        first = np.searchsorted(part_of, part_of)
        rank = np.arange(len(part_of)) - first
        letters = np.cumsum(self._lengths[text_of])
        before = letters - letters[first] + self._lengths[text_of[first]] - self._lengths[text_of]
        room = before <= 2 * lengths[part_of]
        kept = (rank < _MOST) | (rank < _MOST + lengths[part_of] * 8 // _LONG) & room
        yield from zip(part_of[kept].tolist(), text_of[kept].tolist(), strict=True)

    def _within_budget(
        self, sources: NDArray[np.int64], numbers: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rarest keys of each part, within its budget of postings."""
        if not len(sources):
            return sources, numbers
        order = np.lexsort((self._counts[numbers], sources))
        sources, numbers = sources[order], numbers[order]
        spent = np.cumsum(self._counts[numbers])
        first = np.searchsorted(sources, sources)
        before = spent[first] - self._counts[numbers[first]]
        budget = _POSTINGS * np.maximum(1, lengths[sources] / _LONG)
        kept = spent - before <= budget
        return sources[kept], numbers[kept]


def _batches(lengths: NDArray[np.int64]) -> Iterator[range]:
    """Ranges of consecutive texts."""
    start, letters = 0, 0
    for number, length in enumerate(lengths.tolist()):
        letters += length
        if number + 1 - start == _BATCH or letters >= _BATCH_LETTERS:
            yield range(start, number + 1)
            start, letters = number + 1, 0
    if start < len(lengths):
        yield range(start, len(lengths))


def _first(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Marks the first of equal values in a sorted array."""
    found = np.ones(len(values), dtype=bool)
    np.not_equal(values[1:], values[:-1], out=found[1:])
    return found


def _distinct(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The distinct values, sorted. ``np.unique`` hashes since NumPy 2.3 and takes ten times as long."""
    values = np.sort(values)
    return values[_first(values)]
