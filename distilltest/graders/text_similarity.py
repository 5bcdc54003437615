"""How similar is the answer to the reference? The platform's text similarity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

from distilltest.errors import SuiteError
from distilltest.graders.scored import scored
from distilltest.graders.text import normalise, operands, quote
from distilltest.records import Grade

Metric = Literal[
    "fuzzy_match", "bleu", "gleu", "meteor", "rouge_1", "rouge_2", "rouge_3", "rouge_4", "rouge_5", "rouge_l"
]


def text_similarity(
    answer: str,
    reference: str,
    metric: Metric = "fuzzy_match",
    *,
    pass_threshold: float = 0.5,
    alternatives: Sequence[str] = (),
    ignore_case: bool = False,
    ignore_space: bool = False,
    unicode: bool = False,
    code_fence: bool = False,
) -> Grade:
    """Score the similarity of two texts in [0, 1]; pass from the threshold on.

    The metrics are the platform's, but it never published which implementation, parameters and default thresholds it
    has; a score of its dashboard and ours need not agree. What is certain is only that ``fuzzy_match`` is rapidfuzz.

    * ``fuzzy_match``: ``rapidfuzz.fuzz.WRatio`` / 100, the best of several ways to compare, by letters and by words, some
      of them against a part of the longer text. Which of rapidfuzz's functions the platform uses is not documented; its
      documentation's own example of a Python grader uses this one (there after ``utils.default_process``, for which
      ``ignore_case`` is a substitute). Case counts.
    * ``bleu``, ``gleu``: 1- to 4-grams in common, as nltk has them; see :mod:`distilltest.graders.similarity.bleu` for the
      smoothing. Case counts.
    * ``meteor``: words in common by form or stem, as nltk has it, but without synonyms (WordNet). Case does not count.
    * ``rouge_1`` to ``rouge_5``, ``rouge_l``: the F-measure of n-grams, or of the longest common subsequence of words, as
      rouge-score has it without stemming. Only a to z and 0 to 9 are letters to it, so a reference in another script is refused.

    A text without words scores 0, even against itself.

    Args:
        answer: What the model said.
        reference: The text to compare with.
        metric: How.
        pass_threshold: The least score that passes; ours is 0.5. Choose your own: half a BLEU is much, half a
            ``fuzzy_match`` is little.
        alternatives: Further references; the best score counts.
        ignore_case: See :func:`distilltest.graders.text.normalise`, also for the other options.
        ignore_space: Strip the ends and fold white space.
        unicode: Compare in Unicode's NFKC.
        code_fence: Look inside a code fence that is the whole answer.

    Raises:
        SuiteError: There is no such metric (``cosine`` needs embeddings of a server), the threshold is not in [0, 1],
            an operand can never be compared as text, or ROUGE sees nothing of a reference.

    >>> text_similarity("the cat sat", "the cat ran", "rouge_1").score
    0.6666666666666666
    >>> text_similarity("git stauts", "git status").reason
    "fuzzy_match 0.900 of 'git stauts' against 'git status'"
    """
    measure = _measure(metric)
    answer, references = operands("text_similarity", answer, reference, alternatives)
    if metric.startswith("rouge"):
        from distilltest.graders.similarity.rouge import demand_letters

        for text in references:
            demand_letters(text)

    def fold(text: str) -> str:
        return normalise(
            text, ignore_case=ignore_case, ignore_space=ignore_space, unicode=unicode, code_fence=code_fence
        )

    said = fold(answer)
    scores = [(measure(said, fold(text)), text) for text in references]
    score, best = max(scores, key=lambda pair: pair[0])
    return scored(
        "text_similarity", score, pass_threshold, f"{metric} {score:.3f} of {quote(answer)} against {quote(best)}"
    )


def _measure(metric: str) -> Callable[[str, str], float]:
    from distilltest.graders.similarity.bleu import bleu
    from distilltest.graders.similarity.gleu import gleu
    from distilltest.graders.similarity.meteor import meteor
    from distilltest.graders.similarity.rouge import rouge_l, rouge_n

    found: Callable[[str, str], float] | None = {
        "fuzzy_match": _fuzzy_match,
        "bleu": bleu,
        "gleu": gleu,
        "meteor": meteor,
        "rouge_l": rouge_l,
    }.get(metric)
    if found is not None:
        return found
    if metric in get_args(Metric):
        return lambda answer, reference: rouge_n(answer, reference, int(metric[-1]))
    why = "cosine compares embeddings, which need a server" if metric == "cosine" else f"there is no metric {metric!r}"
    raise SuiteError(f"text_similarity: {why}; there are {', '.join(get_args(Metric))}.")


def _fuzzy_match(answer: str, reference: str) -> float:
    from rapidfuzz import fuzz

    return fuzz.WRatio(answer, reference) / 100
