"""ROUGE (Lin 2004): the share of common word sequences."""

from __future__ import annotations

import re

from distilltest.errors import SuiteError
from distilltest.graders.similarity.tokens import ngrams
from distilltest.graders.text import quote

_OTHER = re.compile(r"[^a-z0-9]+")


def rouge_words(text: str) -> list[str]:
    """The words of a text for ROUGE: runs of a to z and 0 to 9 in lower case.

    >>> rouge_words("Don't panic, Zoë!")
    ['don', 't', 'panic', 'zo']
    """
    return _OTHER.sub(" ", text.lower()).split()


def demand_letters(reference: str) -> None:
    """Raise unless ROUGE knows most letters of a reference. Against Chinese or Russian, every answer would score 0.

    Raises:
        SuiteError: Most of its letters and digits are not a to z and 0 to 9.
    """
    characters = [character for character in reference.lower() if character.isalnum()]
    seen = len(characters) - sum(len(run) for run in _OTHER.findall("".join(characters)))
    if 2 * seen < len(characters):
        raise SuiteError(
            f"text_similarity: ROUGE knows the letters a to z and digits only, which are {seen} of {len(characters)} in "
            f"{quote(reference, 60)}: its score would mean nothing. Use gleu, bleu, fuzzy_match or cosine."
        )


def rouge_n(answer: str, reference: str, length: int) -> float:
    """ROUGE-N: the F-measure of common n-grams, as in rouge-score 0.1.2 without stemming.

    >>> rouge_n("the cat sat", "the cat ran", 1)
    0.6666666666666666
    """
    answer_words, reference_words = ngrams(rouge_words(answer), length), ngrams(rouge_words(reference), length)
    return _f_measure((answer_words & reference_words).total(), answer_words.total(), reference_words.total())


def rouge_l(answer: str, reference: str) -> float:
    """ROUGE-L: the F-measure of the longest common subsequence of words, as in rouge-score 0.1.2 without stemming.

    >>> rouge_l("the cat sat", "the dog sat")
    0.6666666666666666
    """
    from rapidfuzz.distance import LCSseq

    answer_words, reference_words = rouge_words(answer), rouge_words(reference)
    return _f_measure(LCSseq.similarity(answer_words, reference_words), len(answer_words), len(reference_words))


def _f_measure(common: int, answer_words: int, reference_words: int) -> float:
    if not common:
        return 0.0
    precision, recall = common / answer_words, common / reference_words
    return 2 * precision * recall / (precision + recall)
