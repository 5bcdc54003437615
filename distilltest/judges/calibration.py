"""Holding a judge against people: how often it says what they said, kept in the store, shown in every report that uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self

from distilltest.config import Judge
from distilltest.records import fingerprint
from distilltest.statistics.agreement import from_table
from distilltest.store import Store
from distilltest.stored import restore


@dataclass(frozen=True, slots=True)
class Calibration:
    """One judge with one prompt against human labels."""

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

    def save(self, store: Store, judge: Judge, prompt_fingerprint: str) -> None:
        """Keep it for this judge, its parameters and this prompt."""
        store.set_state(_place(self.grader, judge, prompt_fingerprint), asdict(self))

    @classmethod
    def load(cls, store: Store, grader: str, judge: Judge, prompt_fingerprint: str) -> Self | None:
        """What was measured of this judge with this prompt, None where nothing was."""
        content = store.get_state(_place(grader, judge, prompt_fingerprint))
        if content is None:
            return None
        return restore(cls, content, labels=tuple, counts=lambda rows: tuple(tuple(row) for row in rows))


def agreement_of(calibration: Calibration | None) -> str:
    """What is known of a judge, in words."""
    if calibration is None:
        return "not measured"
    low, high = calibration.ac1_low, calibration.ac1_high
    return f"AC1 {calibration.ac1:.2f} ({low:.2f} to {high:.2f}) on {calibration.n} labels"


def _place(grader: str, judge: Judge, prompt_fingerprint: str) -> str:
    model = judge.model
    shape = fingerprint(model.base_url, model.model, dict(model.parameters), judge.structured, prompt_fingerprint)
    return f"calibration:{grader}:{shape[:32]}"
