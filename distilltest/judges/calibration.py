"""Holding a judge against people: how often it says what they said, kept in the store, shown in every report that uses it."""

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
"""The criterion of rows that have too few alike: what is asked varies from case to case."""
_ASKED: dict[str, tuple[str, ...]] = {
    "criteria_match": ("criteria",),
    "label_model": ("question",),
    "score_model": ("question",),
    "preference": ("question",),
}
"""Grader → the values of a question that say what is asked; others are data. Of a ``custom_prompt``, all but the answer."""


def criterion_of(question: Question) -> str:
    """What is asked of every answer alike: an agreement measured with one criterion says nothing of another.

    The labels to choose from, or the range of the number and what passes, are part of it.
    """
    names = _ASKED.get(question.grader, ())
    if question.grader == "custom_prompt":
        names = tuple(sorted(name for name in question.values if name != "answer"))
    asked = {name: str(question.values.get(name, "")) for name in names}
    answers = sorted(question.scores) or [*map(str, question.span), str(question.pass_threshold)]
    return fingerprint(asked, answers)[:32]


@dataclass(frozen=True, slots=True)
class Calibration:
    """One judge with one prompt and one criterion against human labels."""

    grader: str
    judge: str
    model: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """``counts[i][j]``: people said label i, the judge label j."""
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
        """Measure the agreement of (people's label, judge's label) pairs."""
        names = tuple(labels)
        counts = [[0] * len(names) for _ in names]
        for people, said in pairs:
            counts[names.index(people)][names.index(said)] += 1
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
        """Keep it for this judge, its parameters, this prompt and this criterion (``VARIED`` for those that vary)."""
        store.set_state(_place(self.grader, judge, prompt_fingerprint, criterion), asdict(self))

    @classmethod
    def load(cls, store: Store, grader: str, judge: Judge, prompt_fingerprint: str, criterion: str) -> Self | None:
        """What was measured of this judge with this prompt and criterion, or with varied ones; None where nothing was."""
        content = store.get_state(_place(grader, judge, prompt_fingerprint, criterion))
        if content is None:
            content = store.get_state(_place(grader, judge, prompt_fingerprint, VARIED))
        if content is None:
            return None
        return restore(cls, content, labels=tuple, counts=lambda rows: tuple(tuple(row) for row in rows))


def agreement_of(calibration: Calibration | None) -> str:
    """What is known of a judge, in words."""
    if calibration is None:
        return "not measured with this criterion"
    low, high = calibration.ac1_low, calibration.ac1_high
    return f"AC1 {calibration.ac1:.2f} ({low:.2f} to {high:.2f}) on {calibration.n} labels"


def agreement_over(known: Mapping[str, Calibration | None]) -> str:
    """What is known of a judge, in words, over all criteria that it was asked; the lowest where they differ."""
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
