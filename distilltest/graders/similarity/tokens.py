"""Cutting a text into words, and counting their sequences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_TOKEN = re.compile(r"\w+|[^\w\s]+")


def tokens(text: str) -> list[str]:
    """Cut where letters and digits meet punctuation or space: nltk's ``wordpunct_tokenize``.

    >>> tokens("Can't stop, 3.5!")
    ['Can', "'", 't', 'stop', ',', '3', '.', '5', '!']
    """
    return _TOKEN.findall(text)


def ngrams(words: Sequence[str], length: int) -> Counter[tuple[str, ...]]:
    """Count the runs of so many words.

    >>> ngrams(["a", "b", "a", "b"], 2)[("a", "b")]
    2
    """
    return Counter(zip(*(words[start:] for start in range(length)), strict=False))
