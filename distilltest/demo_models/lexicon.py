"""The lexicon of the demo's models: concepts, each with the words that express it (``lexicon.txt``).

The teacher's rules refer to concepts, and the student uses them as features. Neither knows any other English.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib import resources


def _pattern(ways: str) -> re.Pattern[str]:
    # A star after a plain letter stands for any ending.
    alternatives = (re.sub(r"(?<=[a-z])(?<!\\w)\*(?=\s|\Z)", r"\\w*", way.strip()) for way in ways.split(" | "))
    return re.compile(r"(?<![\w-])(?:" + "|".join(alternatives) + r")(?![\w-])")


_CONTRACTIONS = [
    (re.compile(r"\b(do|does|did|is|are|was|were|has|have|had|ca|wo|should|would|could)n['’]?t\b"), r"\1 not"),
    (re.compile(r"\b(\w+)['’]s\b"), r"\1 is"),
    (re.compile(r"[,;:!?()]|\.(?=\s|\Z)"), " "),
    (re.compile(r"\s+"), " "),
]


def plain(text: str) -> str:
    """The text in lower case, without contractions and punctuation.

    >>> plain("Branches that aren't merged, please!")
    'branches that are not merged please'
    """
    text = text.casefold()
    for pattern, by in _CONTRACTIONS:
        text = pattern.sub(by, text)
    return text.strip()


@cache
def lexicon() -> dict[str, re.Pattern[str]]:
    """Each concept's pattern, for plain text in which quoted texts are ``""`` and other values ``<kind>``."""
    lines = [line.split(None, 1) for line in data_lines("lexicon.txt")]
    return {concept: _pattern(ways) for concept, ways in lines}


def data_lines(name: str) -> list[str]:
    """The lines of a text file of this package, without comments."""
    text = resources.files("distilltest.demo_models").joinpath(name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@lru_cache(maxsize=8192)
def concepts(text: str) -> frozenset[str]:
    """The concepts that a text expresses.

    >>> sorted(concepts("stash it") & {"STASH", "TAG"})
    ['STASH']
    """
    return frozenset(name for name, pattern in lexicon().items() if pattern.search(text))
