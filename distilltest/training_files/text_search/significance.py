"""Whether what a document shares with a text is more than chance.

A word that the documents rarely have says much where it is shared, a common one little: its information is log2 of one over the
share of the documents that have it. Of N documents one shares k bits with a text by chance about N / 2^k times, so what is
shared has to be worth log2 N bits and a margin: the reasoning of BLAST's E-values (Karlin and Altschul, 1990), for words.
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
"""Bits beyond log2 of the number of documents: for a text that is there as a whole, or word by word with few of them changed, and
for one of which the words lie somewhere in a longer document. Set so that of the requests of GSM8K, of the git requests and of
tickets on a form hardly one is near by chance: docs/how-to/training-data.md."""
SURE = 15.0
"""Bits beyond that, from which a whole text of ``WORDS`` words inside a longer one was put there."""
WORDS = 8
NEAR = 0.6
"""The share of its words that another wording of a text has at least."""
FREE = 8
"""Of a text of few words one may be changed; of a longer one ``1 - threshold`` of those beyond so many."""
_PRIOR = 50
_TRUST = 3
"""So many other texts must have the word before, for what follows it there to count as much as how often it is used."""
_SENTENCE = re.compile(r"[.?!:;\n]+")
_ALL = 5000
"""The words of so many documents are counted, and of every tenth that comes later."""


class Significance:
    """How often words are used, in texts and in documents."""

    def __init__(self, texts: Sequence[Text]) -> None:
        self._texts = len(texts)
        self._of_texts = Counter(token for text in texts for token in set(text.tokens))
        self._pairs = Counter(pair for text in texts for pair in {*pairwise(text.tokens)})
        self._of_documents: Counter[str] = Counter()
        self._said: set[int] = set()
        self._counted = 0
        self._documents = 0

    def add(self, parts: Iterable[str]) -> None:
        """Count the words of one document; a sentence that many documents have, once.

        Otherwise a leak in a prompt that all documents begin with would count as what everybody says.
        """
        self._documents += 1
        if self._documents > _ALL and self._documents % 10:
            return
        self._counted += 1
        for sentence in (sentence for part in parts for sentence in _SENTENCE.split(part)):
            mark = hash(sentence)
            if mark not in self._said:
                self._said.add(mark)
                self._of_documents.update({*tokens(sentence)})

    def bits(self, token: str, before: str | None = None) -> float:
        """What it says that a document has this word, after the one before it, where that is there; other documents count.

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
        """The bits of the words that were found; each word counts once, and those of frames do not."""
        bits: dict[str, float] = {}
        before = None
        for token, framed, there in zip(text.tokens, text.framed, found, strict=True):
            if there and not framed:
                bits[token] = min(self.bits(token, before), bits.get(token, math.inf))
            before = token if there else None
        return sum(bits.values())

    def above(self, text: Text, alignment: Alignment) -> float:
        """By how many bits what is shared is more than chance.

        Where a leak was changed, any word may stand there. A word that many documents have stands there as well in a request that
        was written by itself, so what it lacks in information counts against a leak.
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
    """Whether no more is changed than another wording of the same text has; a number counts as half a word."""
    missing = 0.0
    for token, there, framed in zip(text.tokens, alignment.found, text.framed, strict=True):
        if not there and not framed:
            missing += 0.5 if any(map(str.isdigit, token)) else 1.0
    allowed = max(1, int((1 - threshold) * (text.own - FREE)))
    return missing <= allowed and text.own - missing >= threshold * text.own
