"""How similar is the answer to the reference? OpenAI's text similarity."""

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
    """Score the similarity of two texts in [0, 1]; pass at the threshold or above.

    The metrics are OpenAI's, but OpenAI never published their implementation, parameters or default thresholds, except that
    ``fuzzy_match`` is rapidfuzz. Scores of its dashboard may differ from these.

    * ``fuzzy_match``: ``rapidfuzz.fuzz.WRatio`` / 100, the best of several comparisons by letters and by words, some against
      a part of the longer text. OpenAI does not say which function of rapidfuzz it uses; its example of a Python grader uses this
      one (after ``utils.default_process``; ``ignore_case`` comes close to it). Case matters.
    * ``bleu``, ``gleu``: common 1- to 4-grams, as in nltk; see :mod:`distilltest.graders.similarity.bleu` for the smoothing.
      Case matters.
    * ``meteor``: common words by form or stem, as in nltk, but without synonyms (WordNet). Case does not matter.
    * ``rouge_1`` to ``rouge_5``, ``rouge_l``: the F-measure of n-grams, or of the longest common subsequence of words, as in
      rouge-score without stemming. It knows only the letters a to z and digits, so a reference in another script is an error.

    A text without words scores 0, even against itself.

    Args:
        answer: The model's answer.
        reference: The text to compare with.
        metric: One of the metrics above.
        pass_threshold: The lowest score that passes. Choose it for the metric: 0.5 is high for BLEU and low for
            ``fuzzy_match``.
        alternatives: Other references; the best score counts.
        ignore_case: See :func:`distilltest.graders.text.normalise`, also for the other options.
        ignore_space: Strip the ends and collapse white space.
        unicode: Normalise to NFKC.
        code_fence: If the answer is one Markdown code fence, take its content.

    Raises:
        SuiteError: The metric is unknown (``cosine`` needs a server for embeddings), the threshold is not in [0, 1], an operand
            cannot be compared as text, or ROUGE does not know the script of a reference.

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

    folded = fold(answer)
    scores = [(measure(folded, fold(text)), text) for text in references]
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
    raise SuiteError(f"text_similarity: {why}; use one of {', '.join(get_args(Metric))}.")


def _fuzzy_match(answer: str, reference: str) -> float:
    from rapidfuzz import fuzz

    return fuzz.WRatio(answer, reference) / 100
