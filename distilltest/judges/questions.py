"""The questions of the judged graders. Texts of models are fenced; labels and scores are those of the platform."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distilltest.errors import SuiteError
from distilltest.judges.question import Question, fence, judge_prompt

SENTIMENTS = ("positive", "neutral", "negative", "unsure")
FACTS = ("A", "B", "C", "D", "E")
Override = str | Path | None


def criteria_question(answer: str, criteria: str, *, prompt: Override = None, root: Path) -> Question:
    """Does the answer meet the criterion? ``Y`` or ``N``."""
    values = {"criteria": criteria, "answer": fence(answer, "answer")}
    return _labelled("criteria_match", values, ("Y", "N"), ("Y",), prompt, root)


def similarity_question(
    answer: str, reference: str, pass_from: int = 4, *, prompt: Override = None, root: Path
) -> Question:
    """How close in meaning is the answer to the reference? ``1`` to ``5``."""
    if pass_from not in (1, 2, 3, 4, 5):
        raise SuiteError(f"semantic_similarity: pass_from={pass_from!r} must be one of 1, 2, 3, 4, 5.")
    values = {"reference": fence(str(reference), "reference"), "answer": fence(answer, "answer")}
    scores = {str(n): (n - 1) / 4 for n in range(1, 6)}
    passing = frozenset(str(n) for n in range(pass_from, 6))
    own = judge_prompt("semantic_similarity", prompt, root)
    return Question("semantic_similarity", own, values, scores, passing, pass_threshold=(pass_from - 1) / 4)


def factuality_question(
    answer: str,
    reference: str,
    question: str = "",
    passing: Sequence[str] = ("A", "B", "C", "E"),
    *,
    prompt: Override = None,
    root: Path,
) -> Question:
    """Is the answer consistent with the reference? ``A`` to ``E``."""
    values = {
        "question": fence(question, "question") if question else "",
        "reference": fence(str(reference), "reference"),
        "answer": fence(answer, "answer"),
    }
    return _labelled("factuality", values, FACTS, passing, prompt, root)


def sentiment_question(answer: str, expected: Sequence[str], *, prompt: Override = None, root: Path) -> Question:
    """What is the sentiment of the answer?"""
    return _labelled("sentiment", {"answer": fence(answer, "answer")}, SENTIMENTS, expected, prompt, root)


def label_question(
    question: str,
    answer: str,
    labels: Sequence[str],
    passing_labels: Sequence[str],
    *,
    prompt: Override = None,
    root: Path,
) -> Question:
    """Which label fits the answer?"""
    values = {"question": question, "answer": fence(answer, "answer")}
    return _labelled("label_model", values, labels, passing_labels, prompt, root)


def score_question(
    question: str, answer: str, span: tuple[float, float], pass_threshold: float, *, prompt: Override = None, root: Path
) -> Question:
    """Which number does the answer deserve?"""
    if len(span) != 2 or not span[0] < span[1] or not 0 <= pass_threshold <= 1:
        raise SuiteError(
            f"score_model: span={span!r}, pass_threshold={pass_threshold!r}: a span is two numbers, the lower one first; "
            "the threshold is a score in [0, 1]."
        )
    values = {"question": question, "answer": fence(answer, "answer")}
    own = judge_prompt("score_model", prompt, root)
    return Question("score_model", own, values, span=(float(span[0]), float(span[1])), pass_threshold=pass_threshold)


def rubric_question(
    answer: str,
    criteria: Mapping[str, float] | Sequence[str],
    pass_threshold: float = 1.0,
    *,
    prompt: Override = None,
    root: Path,
) -> Question:
    """Which of several criteria does the answer meet? ``Y`` or ``N`` for each, in one call."""
    equal = {} if isinstance(criteria, str) else dict.fromkeys(criteria, 1.0)
    weights = dict(criteria) if isinstance(criteria, Mapping) else equal
    wrong = [
        name
        for name, weight in weights.items()
        if isinstance(weight, bool) or not 0 < weight < math.inf or not name.strip()
    ]
    if not weights or wrong or not 0 <= pass_threshold <= 1:
        raise SuiteError(
            f"rubric: criteria={criteria!r}, pass_threshold={pass_threshold!r}: give criteria with weights above 0, "
            '{"It names a cause.": 2, "It is polite.": 1}; the threshold must be a share of the weight, in [0, 1].'
        )
    listed = "\n".join(f"{number}. {' '.join(text.split())}" for number, text in enumerate(weights, 1))
    values = {"criteria": listed, "answer": fence(answer, "answer")}
    own = judge_prompt("rubric", prompt, root)
    return Question("rubric", own, values, weights=tuple(map(float, weights.values())), pass_threshold=pass_threshold)


def custom_question(
    answer: str,
    labels: Sequence[str],
    passing_labels: Sequence[str],
    values: Mapping[str, Any],
    *,
    prompt: Override = None,
    root: Path,
) -> Question:
    """Your own question, in a prompt file of the project."""
    if prompt is None:
        raise SuiteError(
            'custom_prompt needs a prompt file: custom_prompt("judge.yaml", completion.text, labels=[...], ...).'
        )
    return _labelled(
        "custom_prompt", dict(values) | {"answer": fence(answer, "answer")}, labels, passing_labels, prompt, root
    )


def preference_question(
    question: str, request: str, first: str, second: str, *, prompt: Override = None, root: Path
) -> Question:
    """Which of two answers is better? ``1``, ``2`` or ``tie``."""
    values = {
        "question": question,
        "request": fence(request, "request"),
        "first": fence(first, "answer-1"),
        "second": fence(second, "answer-2"),
    }
    own = judge_prompt("preference", prompt, root)
    return Question("preference", own, values, {"1": 1.0, "2": 0.0, "tie": 0.5}, frozenset(("1", "tie")))


def _labelled(
    grader: str, values: Mapping[str, Any], labels: Sequence[str], passing: Sequence[str], prompt: Override, root: Path
) -> Question:
    names = list(labels)
    folded = {label.casefold() for label in names if isinstance(label, str)}
    if isinstance(labels, str) or len(names) < 2 or len(folded) != len(names):
        raise SuiteError(f"{grader}: labels={labels!r}: give at least two different strings.")
    unsayable = [label for label in names if label != " ".join(str(label).split()) or not label]
    if unsayable:
        raise SuiteError(f"{grader}: the label {unsayable[0]!r} is empty or has extra white space.")
    unknown = [label for label in passing if label not in names]
    if isinstance(passing, str) or unknown or not passing:
        raise SuiteError(f"{grader}: passing labels {list(passing)!r}: give one or more of {', '.join(names)}.")
    own = judge_prompt(grader, prompt, root)
    return Question(grader, own, values, {label: float(label in passing) for label in names}, frozenset(passing))
