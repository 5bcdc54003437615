"""METEOR (Lavie and Agarwal 2007): common words by form or stem, and whether they are adjacent."""

from __future__ import annotations

from collections import defaultdict

from distilltest.graders.similarity.porter import stem
from distilltest.graders.similarity.tokens import tokens

_Words = dict[int, str]
"""Position → word."""


def meteor(answer: str, reference: str) -> float:
    """METEOR with the stages "same word" and "same stem", but without synonyms, which need WordNet's data.

    Recall weighs nine times as much as precision (alpha 0.9), and scattered words reduce the score by up to a half (gamma 0.5,
    beta 3). Two equal texts of n words score 1 - 0.5 / n³, so one word against itself scores 0.5, as METEOR defines it. The
    results are those of nltk's ``single_meteor_score`` with an empty ``wordnet``, on ``wordpunct_tokenize``; case does not
    matter. WordNet would change only scores of texts with synonyms.

    >>> meteor("the cats sat on the mat", "the cat sat on the mat")
    0.9976851851851852
    >>> meteor("on the mat sat the cat", "the cat sat on the mat")
    0.5
    """
    answer_words, reference_words = (dict(enumerate(tokens(text.lower()))) for text in (answer, reference))
    pairs = _match(answer_words, reference_words)
    answer_stems = {place: stem(word) for place, word in answer_words.items() if place not in pairs}
    taken = set(pairs.values())
    reference_stems = {place: stem(word) for place, word in reference_words.items() if place not in taken}
    pairs |= _match(answer_stems, reference_stems)
    if not pairs:
        return 0.0
    precision, recall = len(pairs) / len(answer_words), len(pairs) / len(reference_words)
    mean = precision * recall / (0.9 * precision + 0.1 * recall)
    return (1 - 0.5 * (_chunks(pairs) / len(pairs)) ** 3) * mean


def _match(answer_words: _Words, reference_words: _Words) -> dict[int, int]:
    """Pair equal words, from the last to the first."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, word in reference_words.items():
        places[word].append(place)
    return {place: places[word].pop() for place, word in reversed(answer_words.items()) if places[word]}


def _chunks(pairs: dict[int, int]) -> int:
    """The number of runs of common words that are adjacent and in the same order in both texts."""
    return sum(pairs.get(place - 1, -2) != other - 1 for place, other in pairs.items())
