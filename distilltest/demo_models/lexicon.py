"""What words mean to the embedded models: concepts, each with the ways in which people say it (``lexicon.txt``).

The teacher's rules speak of concepts, and the student sees them beside the words: this is all that the two know of English.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib import resources


def _pattern(ways: str) -> re.Pattern[str]:
    # A star after a letter that is not part of a regular expression stands for any ending.
    alternatives = (re.sub(r"(?<=[a-z])(?<!\\w)\*(?=\s|\Z)", r"\\w*", way.strip()) for way in ways.split(" | "))
    return re.compile(r"(?<![\w-])(?:" + "|".join(alternatives) + r")(?![\w-])")


_CONTRACTIONS = [
    (re.compile(r"\b(do|does|did|is|are|was|were|has|have|had|ca|wo|should|would|could)n['’]?t\b"), r"\1 not"),
    (re.compile(r"\b(\w+)['’]s\b"), r"\1 is"),
    (re.compile(r"[,;:!?()]|\.(?=\s|\Z)"), " "),
    (re.compile(r"\s+"), " "),
]


def plain(text: str) -> str:
    """Lower case, without contractions and punctuation.

    >>> plain("Branches that aren't merged, please!")
    'branches that are not merged please'
    """
    text = text.casefold()
    for pattern, by in _CONTRACTIONS:
        text = pattern.sub(by, text)
    return text.strip()


@cache
def lexicon() -> dict[str, re.Pattern[str]]:
    """Concept → what says it, in plain text in which quoted texts are ``""`` and other values ``<kind>``."""
    lines = [line.split(None, 1) for line in data_lines("lexicon.txt")]
    return {concept: _pattern(ways) for concept, ways in lines}


def data_lines(name: str) -> list[str]:
    """The lines of a text file of this package, without comments."""
    text = resources.files("distilltest.demo_models").joinpath(name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@lru_cache(maxsize=8192)
def concepts(text: str) -> frozenset[str]:
    """The concepts that a text speaks of.

    >>> sorted(concepts("stash it") & {"STASH", "TAG"})
    ['STASH']
    """
    return frozenset(name for name, pattern in lexicon().items() if pattern.search(text))
