"""What a classifier confuses: recall by label, and F1 over all labels."""

from __future__ import annotations

from collections.abc import Mapping

Counts = Mapping[tuple[str, str], int]
"""(expected label, given label) → how many answers. What stands for no label at all is a given label like any other."""


def recalls(counts: Counts) -> dict[str, float]:
    """The share of right answers by expected label: those of an ordinary pass rate, within each label.

    >>> recalls({("a", "a"): 3, ("a", "b"): 1, ("b", "b"): 2})
    {'a': 0.75, 'b': 1.0}
    """
    totals = _sums(counts, 0)
    return {label: counts.get((label, label), 0) / total for label, total in totals.items()}


def macro_f1(counts: Counts) -> float:
    """The mean over expected labels of F1, the harmonic mean of precision and recall: 2·TP / (2·TP + FP + FN).

    Rare labels count as much as frequent ones. A label that is given and never expected is a mistake of those that were
    expected, and has no F1 of its own (scikit-learn counts it as 0).

    With the example of scikit-learn's ``f1_score``, whose macro average is 0.26:

    >>> true, given = [0, 1, 2, 0, 1, 2], [0, 2, 1, 0, 0, 1]
    >>> from collections import Counter
    >>> round(macro_f1(Counter((str(t), str(g)) for t, g in zip(true, given))), 2)
    0.27

    Raises:
        ValueError: There is no answer.
    """
    expected, given = _sums(counts, 0), _sums(counts, 1)
    if not expected:
        raise ValueError("no answers")
    f1 = [2 * counts.get((label, label), 0) / (total + given.get(label, 0)) for label, total in expected.items()]
    return sum(f1) / len(f1)


def _sums(counts: Counts, side: int) -> dict[str, int]:
    sums: dict[str, int] = {}
    for pair, count in sorted(counts.items()):
        sums[pair[side]] = sums.get(pair[side], 0) + count
    return sums
