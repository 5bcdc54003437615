"""What the dataset says of guessing: how often one answer is right, whatever the case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from distilltest.graders.text import as_text
from distilltest.records import Case
from distilltest.table import Constant

COMPARED = ("exact_match", "classification")
"""Graders that pass the reference and nothing else. What others would make of it, nobody knows without asking them."""


def same_reference(cases: Sequence[Case]) -> float | None:
    """The share of cases that have the commonest reference, None where some case has none.

    >>> same_reference([Case("a", {}, "yes"), Case("b", {}, "no"), Case("c", {}, "yes"), Case("d", {}, "yes")])
    0.75
    """
    if any(case.reference is None for case in cases):
        return None
    counts = Counter(as_text(case.reference) for case in cases)
    return max(counts.values(), default=0) / len(cases) if cases else None


def constant_answer(cases: Sequence[Case], graders: Iterable[str]) -> Constant | None:
    """The answer that is right most often, None where it is not known what is right, where all cases have the same
    reference, or where references hardly ever come twice.

    Args:
        cases: With their references and alternatives.
        graders: The names of the graders that the test function called.

    >>> made = [Case(str(i), {}, "ham" if i % 3 else "spam", alternatives=("junk",)) for i in range(6)]
    >>> constant_answer(made, ["exact_match"])
    Constant(text='junk', passes=(1.0, 1.0, 1.0, 1.0, 1.0, 1.0))
    >>> constant_answer(made[1:3], ["exact_match"]) is None, constant_answer(made[:2], ["exact_match"]) is None
    (True, True)
    """
    if not set(COMPARED) & set(graders) or any(case.reference is None for case in cases):
        return None
    accepted = [frozenset(map(as_text, (case.reference, *case.alternatives))) for case in cases]
    different = len({as_text(case.reference) for case in cases})
    if different < 2:
        return None  # nothing tells knowing from guessing, and the team wants just this answer
    if 2 * different > len(cases):
        return None  # these are no labels: to know one answer helps with hardly any other case
    counts = Counter(text for each in accepted for text in each)
    text = min(counts, key=lambda one: (-counts[one], one))
    return Constant(text, tuple(float(text in each) for each in accepted))
