"""Macro F1 and recall of classifications, counted while answers are graded, for the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from distilltest.records import Grade
from distilltest.statistics.confusion import macro_f1, recalls

_SHOWN = 6
"""Labels whose recall a note lists, lowest first."""


class Confusion:
    """Confusion counts of one evaluation, by role."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[tuple[str, str]]] = {}

    def add(self, role: str, grades: Sequence[Grade]) -> None:
        """Count the labels of one answer."""
        for grade in grades:
            if grade.label is not None:
                self._counts.setdefault(role, Counter())[grade.label] += 1

    def notes(self) -> list[str]:
        """Macro F1 and recall by label: one sentence per role, none without classifications."""
        return [_note(role, counts) for role, counts in self._counts.items()]


def _note(role: str, counts: Counter[tuple[str, str]]) -> str:
    sizes: Counter[str] = Counter()
    for (expected, _), count in counts.items():
        sizes[expected] += count
    weakest = sorted(recalls(counts).items(), key=lambda pair: (pair[1], pair[0]))
    named = ", ".join(f"{label} {100 * recall:.0f} % of {sizes[label]}" for label, recall in weakest[:_SHOWN])
    more = f" and {len(weakest) - _SHOWN} more labels" if len(weakest) > _SHOWN else ""
    return f"{role}: macro F1 {macro_f1(counts):.3f}; recall by label, the weakest first: {named}{more}."
