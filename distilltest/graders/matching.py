"""Pairs expected items with actual ones, as many as possible."""

from __future__ import annotations

from collections.abc import Sequence

Fits = Sequence[Sequence[bool]]
"""``fits[i][j]``: whether the j-th actual item fits the i-th expected one."""


def in_order(fits: Fits) -> dict[int, int]:
    """Pair as many as possible without crossing: the longest common subsequence.

    >>> in_order([[False, True], [True, False]])
    {0: 1}
    """
    rows, columns = len(fits), len(fits[0]) if fits else 0
    best = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], best[i + 1][j + 1] + 1 if fits[i][j] else 0)
    pairs: dict[int, int] = {}
    i = j = 0
    while i < rows and j < columns:
        if fits[i][j] and best[i][j] == best[i + 1][j + 1] + 1:
            pairs[i] = j
            i, j = i + 1, j + 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            i += 1
    return pairs


def in_any_order(fits: Fits) -> dict[int, int]:
    """Pair as many as possible: maximum bipartite matching by augmenting paths (Kuhn 1955).

    An expected item does not take the only actual item that another one needs:

    >>> in_any_order([[True, True], [True, False]])
    {0: 1, 1: 0}
    """
    taken: dict[int, int] = {}

    def place(i: int, tried: set[int]) -> bool:
        for j, fit in enumerate(fits[i]):
            if fit and j not in tried:
                tried.add(j)
                if j not in taken or place(taken[j], tried):
                    taken[j] = i
                    return True
        return False

    for i in range(len(fits)):
        place(i, set())
    return {i: j for j, i in sorted(taken.items(), key=lambda pair: pair[1])}
