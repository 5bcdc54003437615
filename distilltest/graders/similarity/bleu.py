"""BLEU of one sentence (Papineni et al. 2002)."""

from __future__ import annotations

import math

from distilltest.graders.similarity.tokens import ngrams, tokens


def bleu(answer: str, reference: str) -> float:
    """Sentence BLEU: the geometric mean of the precisions of 1- to 4-grams, less a penalty for brevity.

    A precision of 0 would make the whole score 0, so the first one counts as 1/2 of a match, the next as 1/4, and so on:
    smoothing 3 of Chen and Cherry (2014), the same as in mteval-v13a and sacrebleu's ``exp``. For an answer of fewer than four
    words, the longest n-gram is the answer. The results are those of nltk's ``sentence_bleu`` with
    ``SmoothingFunction().method3`` and ``auto_reweigh=True`` on ``wordpunct_tokenize``; case matters.

    >>> bleu("the cat sat on the mat", "the cat sat on a mat")
    0.537284965911771
    >>> bleu("mat", "mat")
    1.0
    """
    answer_words, reference_words = tokens(answer), tokens(reference)
    orders = min(4, len(answer_words))
    logs, smoothed = [], 0
    for length in range(1, orders + 1):
        there = ngrams(answer_words, length)
        common = (there & ngrams(reference_words, length)).total()
        if not common:
            if length == 1:
                return 0.0
            smoothed += 1
        logs.append(math.log((common or 0.5**smoothed) / there.total()))
    if not orders:
        return 0.0
    brevity = (
        1.0 if len(answer_words) > len(reference_words) else math.exp(1 - len(reference_words) / len(answer_words))
    )
    return min(1.0, brevity * math.exp(math.fsum(logs) / orders))
