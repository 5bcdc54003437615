"""What guessing achieves on a dataset: how often the same answer is right for every case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from distilltest.gate.table import Constant
from distilltest.graders.text import as_text
from distilltest.records import Case

COMPARED = ("exact_match", "classification")
"""Graders that pass exactly the reference. Whether others pass a text is known only by calling them."""


def same_reference(cases: Sequence[Case]) -> float | None:
    """The share of cases with the commonest reference, ignoring case and spacing; None if a case has no reference.

    >>> same_reference([Case("a", {}, "yes"), Case("b", {}, "no"), Case("c", {}, "yes"), Case("d", {}, "yes")])
    0.75
    """
    if any(case.reference is None for case in cases):
        return None
    counts = Counter(_folded(as_text(case.reference)) for case in cases)
    return max(counts.values(), default=0) / len(cases) if cases else None


def are_labels(cases: Sequence[Case]) -> bool:
    """Whether the references look like labels: at least two different ones, each shared by two cases on average.

    >>> are_labels([Case("a", {}, "yes"), Case("b", {}, "no"), Case("c", {}, "yes"), Case("d", {}, "yes")])
    True
    >>> are_labels([Case("a", {}, "yes"), Case("b", {}, "no")]), are_labels([Case("a", {}, "yes"), Case("b", {}, "yes")])
    (False, False)
    """
    different = _different(cases)
    return 2 <= different <= len(cases) // 2


def commonest(cases: Sequence[Case]) -> str | None:
    """The answer that most cases accept; None if a case has no reference, or if all cases have the same one.

    Spellings that differ in case or spacing count together; the commonest of them is returned.
    """
    if _different(cases) < 2:
        return None
    counts = Counter(text for each in _accepted(cases) for text in each)
    together = Counter[str]()
    for text, count in counts.items():
        together[_folded(text)] += count
    return min(counts, key=lambda one: (-together[_folded(one)], -counts[one], one))


def _different(cases: Sequence[Case]) -> int:
    """The number of different references; 0 if a case has none."""
    if any(case.reference is None for case in cases):
        return 0
    return len({as_text(case.reference) for case in cases})


def _accepted(cases: Sequence[Case]) -> list[frozenset[str]]:
    return [frozenset(map(as_text, (case.reference, *case.alternatives))) for case in cases]


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def constant_answer(cases: Sequence[Case], graders: Iterable[str]) -> Constant | None:
    """The answer that is right most often.

    None if no grader compares with references, or if the references are not labels (:func:`are_labels`).

    Args:
        cases: With their references and alternatives.
        graders: The names of the graders that the test function called.

    >>> made = [Case(str(i), {}, "ham" if i % 3 else "spam", alternatives=("junk",)) for i in range(6)]
    >>> constant_answer(made, ["exact_match"])
    Constant(text='junk', passes=(1.0, 1.0, 1.0, 1.0, 1.0, 1.0))
    >>> constant_answer(made[1:3], ["exact_match"]) is None, constant_answer(made[:2], ["exact_match"]) is None
    (True, True)
    """
    if not set(COMPARED) & set(graders) or not are_labels(cases):
        return None
    text, accepted = commonest(cases), _accepted(cases)
    if text is None:
        return None
    return Constant(text, tuple(float(text in each) for each in accepted))
