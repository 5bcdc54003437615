"""Calibrating a judge: its agreement with people, kept in the store and shown in every report that uses the judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Self

from distilltest.config import Judge
from distilltest.data.stored import restore
from distilltest.judges.question import Question
from distilltest.records import fingerprint
from distilltest.statistics.agreement import from_table
from distilltest.store import Store
from distilltest.store.state_keys import CALIBRATION, StateKey

VARIED = ""
"""The criterion of rows whose own criterion has too few rows, because it varies from case to case."""
_ASKED: dict[str, tuple[str, ...]] = {
    "criteria_match": ("criteria",),
    "label_model": ("question",),
    "score_model": ("question",),
    "preference": ("question",),
}
"""Grader → the values of a question that state the criterion; others are data. For ``custom_prompt``, all but the answer."""


def criterion_of(question: Question) -> str:
    """The fingerprint of a criterion. Agreement measured with one criterion says nothing about another.

    It covers the labels, or the range and the pass threshold of the number.
    """
    names = _ASKED.get(question.grader, ())
    if question.grader == "custom_prompt":
        names = tuple(sorted(name for name in question.values if name != "answer"))
    asked = {name: str(question.values.get(name, "")) for name in names}
    answers = sorted(question.scores) or [*map(str, question.span), str(question.pass_threshold)]
    return fingerprint(asked, answers)[:32]


@dataclass(frozen=True, slots=True)
class Calibration:
    """The agreement of a judge, with one prompt and one criterion, with human labels."""

    grader: str
    judge: str
    model: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """``counts[i][j]``: answers with label i from people and label j from the judge."""
    n: int
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None
    ac1: float
    ac1_low: float
    ac1_high: float
    """95 % intervals."""
    labels_file: str
    measured: str
    """ISO date."""

    @classmethod
    def of(
        cls,
        grader: str,
        judge: Judge,
        pairs: Sequence[tuple[str, str]],
        labels: Sequence[str],
        labels_file: str,
        measured: str,
    ) -> Self:
        """Measure the agreement from pairs of people's and judge's labels."""
        names = tuple(labels)
        counts = [[0] * len(names) for _ in names]
        for people, judged in pairs:
            counts[names.index(people)][names.index(judged)] += 1
        found = from_table(counts, names, alpha=0.025)
        kappa, ac1 = found.kappa, found.ac1
        return cls(
            grader=grader,
            judge=judge.name,
            model=judge.model.model,
            labels=names,
            counts=tuple(map(tuple, counts)),
            n=found.n,
            kappa=kappa.value if kappa else None,
            kappa_low=kappa.low if kappa else None,
            kappa_high=kappa.high if kappa else None,
            ac1=ac1.value,
            ac1_low=ac1.low,
            ac1_high=ac1.high,
            labels_file=labels_file,
            measured=measured,
        )

    def save(self, store: Store, judge: Judge, prompt_fingerprint: str, criterion: str) -> None:
        """Save it for this judge with its parameters, this prompt and this criterion, or ``VARIED``."""
        store.set_state(_place(self.grader, judge, prompt_fingerprint, criterion), asdict(self))

    @classmethod
    def load(cls, store: Store, grader: str, judge: Judge, prompt_fingerprint: str, criterion: str) -> Self | None:
        """The calibration of this judge with this prompt and criterion, else with varied criteria, else None."""
        content = store.get_state(_place(grader, judge, prompt_fingerprint, criterion))
        if content is None:
            content = store.get_state(_place(grader, judge, prompt_fingerprint, VARIED))
        if content is None:
            return None
        return restore(cls, content, labels=tuple, counts=lambda rows: tuple(tuple(row) for row in rows))


def agreement_of(calibration: Calibration | None) -> str:
    """A judge's agreement, in words."""
    if calibration is None:
        return "not measured with this criterion"
    low, high = calibration.ac1_low, calibration.ac1_high
    return f"AC1 {calibration.ac1:.2f} ({low:.2f} to {high:.2f}) on {calibration.n} labels"


def agreement_over(known: Mapping[str, Calibration | None]) -> str:
    """A judge's agreement over all its criteria, in words: the lowest if they differ."""
    found = {each.ac1_low: each for each in known.values() if each is not None}
    missing = sum(each is None for each in known.values())
    if not found:
        return agreement_of(None)
    text = agreement_of(found[min(found)])
    text += f", the lowest of {len(known)} criteria" if len(found) > 1 else ""
    return text + (f"; not measured with {missing} of {len(known)} criteria" if missing else "")


def _place(grader: str, judge: Judge, prompt_fingerprint: str, criterion: str) -> StateKey:
    model = judge.model
    shape = fingerprint(
        model.base_url, model.model, dict(model.parameters), judge.structured, prompt_fingerprint, criterion
    )
    return CALIBRATION.of(grader, shape[:32])
