"""Cutting a text into words, and counting their sequences."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache

_JOINERS = "\u200c\u200d"
_CIRCLED = ((0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189))
"""Letters in circles and squares, which Unicode counts as alphabetic."""
_SEPARATORS = "\x1c-\x1f"
"""White space to Python, not to Unicode."""


def tokens(text: str) -> list[str]:
    """Cut where letters and digits meet punctuation or space: nltk's ``wordpunct_tokenize``.

    Since 3.10 nltk reads patterns with the package ``regex``, which goes by Unicode's rules (UTS #18): marks that combine with a
    letter, as Hindi and Thai write most vowels, belong to the word. Python's own ``re`` cuts a word at each of them, and takes
    fractions and raised digits for letters. So the characters on which the two differ are put where ``regex`` has them.

    >>> tokens("Can't stop, 3.5!")
    ['Can', "'", 't', 'stop', ',', '3', '.', '5', '!']
    >>> tokens("\N{DEVANAGARI LETTER NA}\N{DEVANAGARI VOWEL SIGN I} \N{DEVANAGARI DANDA}") == ["\u0928\u093f", "\u0964"]
    True
    """
    return (_ascii if text.isascii() else _unicode)().findall(text)


def is_word(character: str) -> bool:
    r"""Whether ``\w`` of the package ``regex`` matches a character."""
    category = unicodedata.category(character)
    if category[0] in "LM" or category in ("Nd", "Nl", "Pc") or character in _JOINERS:
        return True
    return category == "So" and any(first <= ord(character) <= last for first, last in _CIRCLED)


@cache
def _ascii() -> re.Pattern[str]:
    return re.compile(rf"\w+|(?:[^\w\s]|[{_SEPARATORS}])+")


@cache
def _unicode() -> re.Pattern[str]:
    """With the characters on which ``re`` and ``regex`` differ, found once: all are below U+20000 but for some selectors."""
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
    """Characters in their order, as ranges of a character class."""
    spans: list[list[int]] = []
    for code in map(ord, characters):
        if spans and code == spans[-1][1] + 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in spans)


def ngrams(words: Sequence[str], length: int) -> Counter[tuple[str, ...]]:
    """Count the runs of so many words.

    >>> ngrams(["a", "b", "a", "b"], 2)[("a", "b")]
    2
    """
    return Counter(zip(*(words[start:] for start in range(length)), strict=False))
