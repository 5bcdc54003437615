"""The confusions of a classifier: recall by label, and F1 over all labels."""

from __future__ import annotations

from collections.abc import Mapping

Counts = Mapping[tuple[str, str], int]
"""(expected label, given label) → number of answers. An answer without a label counts as a given label of its own."""


def recalls(counts: Counts) -> dict[str, float]:
    """Expected label → the pass rate of its cases.

    >>> recalls({("a", "a"): 3, ("a", "b"): 1, ("b", "b"): 2})
    {'a': 0.75, 'b': 1.0}
    """
    totals = _sums(counts, 0)
    return {label: counts.get((label, label), 0) / total for label, total in totals.items()}


def macro_f1(counts: Counts) -> float:
    """The mean over expected labels of F1, the harmonic mean of precision and recall: 2·TP / (2·TP + FP + FN).

    Rare labels count as much as frequent ones. A label that is given but never expected counts as a mistake for the
    expected labels, and has no F1 of its own (scikit-learn counts it as 0).

    The example of scikit-learn's ``f1_score`` has a macro average of 0.26:

    >>> true, given = [0, 1, 2, 0, 1, 2], [0, 2, 1, 0, 0, 1]
    >>> from collections import Counter
    >>> round(macro_f1(Counter((str(t), str(g)) for t, g in zip(true, given))), 2)
    0.27

    Raises:
        ValueError: There are no answers.
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
