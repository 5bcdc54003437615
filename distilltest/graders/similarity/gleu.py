"""GLEU, Google's alternative to BLEU for single sentences (Wu et al. 2016)."""

from __future__ import annotations

from distilltest.graders.similarity.tokens import ngrams, tokens


def gleu(answer: str, reference: str) -> float:
    """The common 1- to 4-grams divided by those of the longer text: the smaller of precision and recall.

    The results are those of nltk's ``sentence_gleu`` on ``wordpunct_tokenize``; case matters.

    >>> gleu("the cat sat", "the cat ran")
    0.5
    """
    said, wanted = tokens(answer), tokens(reference)
    common = all_said = all_wanted = 0
    for length in range(1, 5):
        one, other = ngrams(said, length), ngrams(wanted, length)
        common += (one & other).total()
        all_said += one.total()
        all_wanted += other.total()
    return common / max(all_said, all_wanted, 1)
