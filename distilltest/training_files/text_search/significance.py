"""Decide whether a document shares more with a text than chance explains.

A shared rare word is strong evidence, a common one is weak: the information of a word is -log2 of the share of documents that
have it. Among N documents, about N / 2^k share k bits with a text by chance. So a match needs log2 N bits and a margin. This is
the reasoning of BLAST's E-values (Karlin and Altschul, 1990), applied to words.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from distilltest.training_files.text_search.alignment import Alignment
from distilltest.training_files.text_search.folding import tokens
from distilltest.training_files.text_search.text import Text

MARGIN, MARGIN_APART = 1.0, 6.0
"""Bits beyond log2 of the number of documents: for a text found whole or word by word, and for one whose words are spread over a
longer document. With these values, requests of GSM8K, git requests and tickets on a form are hardly ever near by chance: see
docs/how-to/training-data.md."""
SURE = 15.0
"""Bits beyond the margin from which a whole text of at least ``WORDS`` words inside a longer one is a leak."""
WORDS = 8
NEAR = 0.6
"""The least share of its words that another wording of a text has."""
FREE = 8
"""One word of a short text may change; of a longer text, ``1 - threshold`` of the words beyond this number."""
_PRIOR = 50
_TRUST = 3
"""The weight of a word's overall frequency against its frequency after the word before, in texts."""
_SENTENCE = re.compile(r"[.?!:;\n]+")
_ALL = 5000
"""The first documents that are all counted; of later ones, every tenth is."""


class Significance:
    """Counts how often words occur in texts and in documents."""

    def __init__(self, texts: Sequence[Text]) -> None:
        self._texts = len(texts)
        self._of_texts = Counter(token for text in texts for token in set(text.tokens))
        self._pairs = Counter(pair for text in texts for pair in {*pairwise(text.tokens)})
        self._of_documents: Counter[str] = Counter()
        self._sentences: set[int] = set()
        self._counted = 0
        self._documents = 0

    def add(self, parts: Iterable[str]) -> None:
        """Count the words of one document; a sentence that several documents have counts once.

        Otherwise a leak in a prompt that all documents share would count as common words.
        """
        self._documents += 1
        if self._documents > _ALL and self._documents % 10:
            return
        self._counted += 1
        for sentence in (sentence for part in parts for sentence in _SENTENCE.split(part)):
            mark = hash(sentence)
            if mark not in self._sentences:
                self._sentences.add(mark)
                self._of_documents.update({*tokens(sentence)})

    def bits(self, token: str, before: str | None = None) -> float:
        """The information of a word in a document, given the word before it if that was found; counts other documents only.

        >>> rare = Significance([])
        >>> rare.add(["a b"])
        >>> rare.add(["a c"])
        >>> round(rare.bits("a"), 1), round(rare.bits("c"), 1)
        (5.1, 6.7)
        """
        documents = (max(0, self._of_documents[token] - 1) + 0.5) / (self._counted + _PRIOR)
        texts = self._of_texts[token] / (self._texts + _PRIOR) if self._of_texts[token] >= _TRUST else 0.0
        if before is not None:
            texts = (self._pairs[before, token] - 1 + _TRUST * texts) / (self._of_texts[before] - 1 + _TRUST)
        return -math.log2(min(1.0, max(documents, texts)))

    def shared(self, text: Text, found: Sequence[bool]) -> float:
        """The bits of the words that were found; each word counts once, and words of frames do not count."""
        bits: dict[str, float] = {}
        before = None
        for token, framed, there in zip(text.tokens, text.framed, found, strict=True):
            if there and not framed:
                bits[token] = min(self.bits(token, before), bits.get(token, math.inf))
            before = token if there else None
        return sum(bits.values())

    def above(self, text: Text, alignment: Alignment) -> float:
        """The bits by which the match exceeds chance.

        In a changed leak, any word can replace the original. A common word there is more likely in an independent request, so
        its missing information counts against a leak.
        """
        needed = math.log2(max(1, self._documents))
        unseen = math.log2((self._counted + _PRIOR) / 0.5)
        common = sum(max(0.0, unseen - self.bits(other)) for other in alignment.instead)
        return self.shared(text, alignment.found) - common - needed - (MARGIN_APART if alignment.apart else MARGIN)


def similarity(text: Text, alignment: Alignment) -> float:
    """The share of a text's own words that were found."""
    own = [there for there, framed in zip(alignment.found, text.framed, strict=True) if not framed]
    return sum(own) / len(own) if own else 0.0


def close_enough(text: Text, alignment: Alignment, threshold: float) -> bool:
    """Whether few enough words are missing for another wording of the same text; a number counts as half a word."""
    missing = 0.0
    for token, there, framed in zip(text.tokens, alignment.found, text.framed, strict=True):
        if not there and not framed:
            missing += 0.5 if any(map(str.isdigit, token)) else 1.0
    allowed = max(1, int((1 - threshold) * (text.own - FREE)))
    return missing <= allowed and text.own - missing >= threshold * text.own
