"""Splits a text into tokens, and counts n-grams."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache

_JOINERS = "\u200c\u200d"
_CIRCLED = ((0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189))
"""Letters in circles and squares, which are alphabetic in Unicode."""
_SEPARATORS = "\x1c-\x1f"
"""White space in Python, but not in Unicode."""


def tokens(text: str) -> list[str]:
    """Split between letters or digits and punctuation or space, like nltk's ``wordpunct_tokenize``.

    Since 3.10, nltk uses the package ``regex``, which follows Unicode (UTS #18): combining marks, with which Hindi and Thai write
    most vowels, belong to the word. Python's ``re`` splits a word at each of them, and treats fractions and superscript digits as
    letters. This function classifies the characters on which the two differ as ``regex`` does.

    >>> tokens("Can't stop, 3.5!")
    ['Can', "'", 't', 'stop', ',', '3', '.', '5', '!']
    >>> tokens("\N{DEVANAGARI LETTER NA}\N{DEVANAGARI VOWEL SIGN I} \N{DEVANAGARI DANDA}") == ["\u0928\u093f", "\u0964"]
    True
    """
    return (_ascii if text.isascii() else _unicode)().findall(text)


def is_word(character: str) -> bool:
    r"""Whether ``\w`` in the package ``regex`` matches a character."""
    category = unicodedata.category(character)
    if category[0] in "LM" or category in ("Nd", "Nl", "Pc") or character in _JOINERS:
        return True
    return category == "So" and any(first <= ord(character) <= last for first, last in _CIRCLED)


@cache
def _ascii() -> re.Pattern[str]:
    return re.compile(rf"\w+|(?:[^\w\s]|[{_SEPARATORS}])+")


@cache
def _unicode() -> re.Pattern[str]:
    """The pattern for Unicode, with the characters on which ``re`` and ``regex`` differ: below U+20000, and some selectors."""
    more: list[str] = []
    less: list[str] = []
    for code in (*range(0x20000), *range(0xE0000, 0xE0200)):
        character = chr(code)
        alone = character.isalnum() or character == "_"
        if is_word(character) != alone:
            (less if alone else more).append(character)
    word = f"(?:[\\w{_ranges(more)}](?<![{_ranges(less)}]))"
    other = f"(?:[^\\w\\s{_ranges(more)}]|[{_ranges(less)}{_SEPARATORS}])"
    return re.compile(f"{word}+|{other}+")


def _ranges(characters: Sequence[str]) -> str:
    """Sorted characters as ranges of a character class."""
    spans: list[list[int]] = []
    for code in map(ord, characters):
        if spans and code == spans[-1][1] + 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in spans)


def ngrams(words: Sequence[str], length: int) -> Counter[tuple[str, ...]]:
    """Count the runs of ``length`` words.

    >>> ngrams(["a", "b", "a", "b"], 2)[("a", "b")]
    2
    """
    return Counter(zip(*(words[start:] for start in range(length)), strict=False))
