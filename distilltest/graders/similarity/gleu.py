"""GLEU, Google's alternative to BLEU for single sentences (Wu et al. 2016)."""

from __future__ import annotations

from distilltest.graders.similarity.tokens import ngrams, tokens


def gleu(answer: str, reference: str) -> float:
    """The common 1- to 4-grams divided by those of the longer text: the smaller of precision and recall.

    The results are those of nltk's ``sentence_gleu`` on ``wordpunct_tokenize``; case matters.

    >>> gleu("the cat sat", "the cat ran")
    0.5
    """
    answer_words, reference_words = tokens(answer), tokens(reference)
    common = answer_total = reference_total = 0
    for length in range(1, 5):
        one, other = ngrams(answer_words, length), ngrams(reference_words, length)
        common += (one & other).total()
        answer_total += one.total()
        reference_total += other.total()
    return common / max(answer_total, reference_total, 1)
