"""Rows of a calibration file: an answer with its human label, and the question to the judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from distilltest.config import Judge
from distilltest.errors import DatasetError
from distilltest.judges import questions
from distilltest.judges.ask import Complete, ask
from distilltest.judges.calibration import VARIED, criterion_of
from distilltest.judges.preference import compare
from distilltest.judges.question import Question
from distilltest.records import Case

GRADERS = (
    "criteria_match",
    "semantic_similarity",
    "factuality",
    "sentiment",
    "label_model",
    "score_model",
    "custom_prompt",
    "preference",
)
PASS, FAIL = "pass", "fail"
"""The labels for graders whose verdict is a number."""
FEWEST = 10
"""Criteria with fewer rows are measured together."""


@dataclass(frozen=True, slots=True)
class CalibrationSetup:
    """The grader to calibrate, and its options."""

    grader: str
    prompt: str | None
    root: Path
    choices: tuple[str, ...] = ()
    """The labels that the judge chooses from; by default those in the file."""
    span: tuple[float, float] = (0.0, 1.0)
    pass_threshold: float = 0.5


@dataclass(frozen=True, slots=True)
class Labelled:
    """One row of a calibration file."""

    case: Case
    people: str
    asked: Question
    back: Question | None = None
    """For a preference: the same answers in the other order."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The possible labels."""
        return tuple(self.asked.scores) or (PASS, FAIL)

    async def said(self, judge: Judge, complete: Complete) -> tuple[str, str]:
        """The judge's label and reasons.

        Raises:
            JudgeFailed: The judge gave no verdict.
        """
        if self.back is not None:
            asked = {True: self.asked, False: self.back}
            first = str(self.asked.values["first"])
            both = await compare(lambda one, _: ask(asked[one == first], judge, complete), first, "")
            return both.winner, both.reasons
        found = await ask(self.asked, judge, complete)
        verdict = found.verdict if self.asked.scores else PASS if found.passed else FAIL
        return verdict, found.votes[0].reasons


def read(cases: Sequence[Case], setup: CalibrationSetup) -> list[Labelled]:
    """Read the rows of a file.

    Raises:
        DatasetError: A row lacks a field, or its label is unknown.
        SuiteError: The labels, the span or the prompt are wrong.
    """
    found = [_row(case, cases, setup) for case in cases]
    return [Labelled(case, _label(case, row, setup), *row) for case, row in zip(cases, found, strict=True)]


def by_criterion(rows: Sequence[Labelled]) -> dict[str, list[int]]:
    """Criterion → the indices of its rows; criteria with few rows are merged as ``VARIED``."""
    criteria = [criterion_of(row.asked) for row in rows]
    counts = Counter(criteria)
    found: dict[str, list[int]] = {}
    for number, criterion in enumerate(criteria):
        alone = counts[criterion] >= FEWEST or len(counts) == 1
        found.setdefault(criterion if alone else VARIED, []).append(number)
    return found


def _row(case: Case, cases: Iterable[Case], setup: CalibrationSetup) -> tuple[Question, Question | None]:
    grader, prompt, root = setup.grader, setup.prompt, setup.root
    if grader == "preference":
        question = str(case.item.get("question") or "Which answer is better?")
        request = str(case.item.get("request") or "")
        first, second = _field(case, "first", grader), _field(case, "second", grader)
        forth, back = (
            questions.preference_question(question, request, one, other, prompt=prompt, root=root)
            for one, other in ((first, second), (second, first))
        )
        return forth, back
    answer = _field(case, "answer", grader)
    if grader == "criteria_match":
        return questions.criteria_question(answer, _field(case, "criteria", grader), prompt=prompt, root=root), None
    if grader == "semantic_similarity":
        return questions.similarity_question(answer, _field(case, "reference", grader), prompt=prompt, root=root), None
    if grader == "factuality":
        reference, question = _field(case, "reference", grader), str(case.item.get("question") or "")
        return questions.factuality_question(answer, reference, question, prompt=prompt, root=root), None
    if grader == "sentiment":
        return questions.sentiment_question(answer, ["positive"], prompt=prompt, root=root), None
    if grader == "score_model":
        question = _field(case, "question", grader)
        return (
            questions.score_question(question, answer, setup.span, setup.pass_threshold, prompt=prompt, root=root),
            None,
        )
    labels = list(setup.choices) or sorted({_field(one, "label", grader) for one in cases})
    if grader == "custom_prompt":
        values = {name: value for name, value in case.item.items() if name not in ("id", "answer", "label")}
        return questions.custom_question(answer, labels, labels[:1], values, prompt=prompt, root=root), None
    question = _field(case, "question", grader)
    return questions.label_question(question, answer, labels, labels[:1], prompt=prompt, root=root), None


def _field(case: Case, name: str, grader: str) -> str:
    if case.item.get(name) in (None, ""):
        raise DatasetError(f'{case.place}: row {case.id!r} has no "{name}", which calibrating {grader} needs.')
    return str(case.item[name])


def _label(case: Case, row: tuple[Question, Question | None], setup: CalibrationSetup) -> str:
    label, question = _field(case, "label", setup.grader), row[0]
    if not question.scores:
        return _passes(case, label, question)
    found = next((name for name in question.scores if name.casefold() == label.casefold()), None)
    if found is None:
        raise DatasetError(
            f"{case.place}: the label {label!r} of row {case.id!r} is not one of {', '.join(question.scores)}."
        )
    return found


def _passes(case: Case, label: str, question: Question) -> str:
    """Pass or fail, from a label in words or from a number in the span."""
    words = {"pass": PASS, "true": PASS, "fail": FAIL, "false": FAIL}
    if label.casefold() in words:
        return words[label.casefold()]
    low, high = question.span
    try:
        number = float(label)
    except ValueError:
        number = high + 1.0
    if not low <= number <= high:
        raise DatasetError(
            f"{case.place}: the label {label!r} of row {case.id!r} is neither pass nor fail, nor a number from {low:g} "
            f"to {high:g}."
        )
    return PASS if (number - low) / (high - low) >= question.pass_threshold else FAIL
