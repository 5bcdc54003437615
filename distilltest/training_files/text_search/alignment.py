"""Compare a text with the most similar part of a document, letter by letter."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from distilltest.training_files.text_search.folding import tokens
from distilltest.training_files.text_search.text import DocumentPart, Text

_SEED = 5
_SEEDS = 40
"""The number of letter runs that locate a text in a long document."""
_PLACES = 4
_PROBED = 0.5
"""The share of a text's probes that a document must contain before they are aligned."""
_BLOCK = 3
"""The fewest equal letters in a row that count; fewer are chance."""
_WORD = 0.65
"""The share of a word's letters that must match: one typing error in three letters is allowed."""
_SLIPS = 0.9
"""The share of a short text's letters that must match if the numbers of words differ."""
_SHORT_WORD, _LONG_WORD = 4, 8
"""The letters of a word from which one typing error is allowed, and two."""
_DIGIT = re.compile(r"\d")
_LONG = 4000
"""Longer texts are compared by runs of three words, because time and memory for letters grow quadratically."""
SHORT = 12
"""Texts of up to this many own words are compared word by word."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """Which tokens of a text are in a document."""

    whole: bool
    """Whether the whole text is there, in one piece."""
    found: tuple[bool, ...]
    """For each token, whether it was found."""
    instead: tuple[str, ...] = ()
    """The words in place of the missing ones, if the two were compared word by word."""
    apart: bool = False
    """Whether other words may be between the tokens: in a longer document, or in a form."""


def align(text: Text, part: DocumentPart) -> Alignment | None:
    """Find the most similar place in a document, and which tokens of the text are there.

    A short text that is not there in one piece is compared with the whole document, because many longer documents contain a
    few of its words.
    """
    if text.letters in part.letters:
        return Alignment(True, (True,) * len(text.tokens))
    if text.own <= SHORT:
        others = text.without_frames(tokens(part.text))
        if others is not None:
            return _word_by_word(text, others)
    if sum(probe in part.letters for probe in text.probes) < _PROBED * len(text.probes):
        return None
    if len(text.letters) > _LONG:
        return _by_runs(text, part)
    window = _window(text, part.letters)
    return _by_letters(text, window) if window else None


def _word_by_word(text: Text, others: list[str]) -> Alignment | None:
    """Compare the words at the same places, with typing errors allowed; None if neither words nor letters match."""
    from rapidfuzz.distance import Levenshtein

    own = [token for token, framed in zip(text.tokens, text.framed, strict=True) if not framed]
    if len(own) == len(others):
        same = list(map(_same, own, others))
        instead = tuple(other for other, there in zip(others, same, strict=True) if not there)
        each = iter(same)
        return Alignment(False, tuple(framed or next(each) for framed in text.framed), instead, any(text.framed))
    one, other = "".join(own), "".join(others)
    if _digits(one) != _digits(other):
        return None
    alike = Levenshtein.normalized_similarity(one, other, score_cutoff=_SLIPS) >= _SLIPS
    return Alignment(False, (True,) * len(text.tokens), apart=any(text.framed)) if alike else None


def _same(one: str, other: str) -> bool:
    from rapidfuzz.distance import OSA

    if one == other or _digits(one) != _digits(other):
        return one == other
    slips = 2 if len(one) >= _LONG_WORD else 1 if len(one) >= _SHORT_WORD else 0
    return OSA.distance(one, other, score_cutoff=slips) <= slips


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def _window(text: Text, part: str) -> str:
    """The part of a document with most of the text's letter runs, and a margin around it."""
    length = len(text.letters)
    slack = length // 4 + 12
    if len(part) <= length + 2 * slack:
        return part
    votes: Counter[int] = Counter()
    ends = list(accumulate(map(len, text.tokens)))
    starts = [0, *ends[:-1]]
    step = max(1, length // _SEEDS)
    for start, token, framed in zip(starts, text.tokens, text.framed, strict=True):
        if framed:
            continue
        for place in range(start, min(start + len(token), length - _SEED + 1), step):
            seed = text.letters[place : place + _SEED]
            places: list[int] = []
            at = part.find(seed)
            while at >= 0 and len(places) < _PLACES:
                places.append(at)
                at = part.find(seed, at + 1)
            for at in places:
                votes[(at - place) // slack] += 12 // len(places)
    if not votes:
        return ""
    best = max(votes, key=lambda bucket: (votes[bucket] + votes[bucket + 1], votes[bucket]))
    return part[max(0, best * slack - slack // 2) : (best + 2) * slack + length + slack // 2]


def _by_runs(text: Text, part: DocumentPart) -> Alignment:
    """Find the words of a long text that occur in the document in runs of three."""
    there = _runs_of(part.text)
    found = [False] * len(text.tokens)
    for place, run in enumerate(_hashed_runs(text.tokens)):
        if run in there:
            found[place : place + 3] = [True] * 3
    return Alignment(False, tuple(found), apart=True)


def _hashed_runs(words: Sequence[str]) -> list[int]:
    return [hash(run) for run in zip(words, words[1:], words[2:], strict=False)]


@lru_cache(maxsize=8)
def _runs_of(part: str) -> frozenset[int]:
    """The runs of three words in a document; cached, because many texts are compared with it in a row."""
    return frozenset(_hashed_runs(tokens(part)))


def _by_letters(text: Text, window: str) -> Alignment:
    from rapidfuzz.distance import Levenshtein

    equal = bytearray(len(text.letters))
    for start, _, size in Levenshtein.opcodes(text.letters, window).as_matching_blocks():
        if size >= _BLOCK:
            equal[start : start + size] = b"\x01" * size
    found = []
    start = 0
    for token in text.tokens:
        there = equal.count(1, start, start + len(token))
        found.append(there >= len(token) * (1 if _DIGIT.search(token) else _WORD))
        start += len(token)
    return Alignment(False, tuple(found), apart=True)
