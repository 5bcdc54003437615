"""Positions of sizes and labels, for text and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2


def places(sizes: Sequence[int]) -> list[float]:
    """Place sizes in [0, 1] on a logarithmic scale; a single size is in the middle.

    >>> places([50, 100, 200])
    [0.0, 0.5, 1.0]
    >>> places([50])
    [0.5]
    """
    if len(sizes) < 2:
        return [0.5] * len(sizes)
    low, high = log2(min(sizes)), log2(max(sizes))
    return [round((log2(size) - low) / (high - low), 6) for size in sizes]


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions so that they are at least ``gap`` apart and within the limits; their order stays.

    >>> apart([10, 12, 40], 10, 0, 100)
    [6.0, 16.0, 40.0]
    >>> apart([98, 99], 10, 0, 100)
    [90.0, 100.0]
    """
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    groups: list[tuple[float, list[int]]] = []
    for place in order:
        groups.append((float(wanted[place]), [place]))
        while len(groups) > 1 and _top(groups[-1], gap) < _bottom(groups[-2], gap) + gap:
            (_, below), (_, above) = groups[-2:]
            both = [*below, *above]
            middle = sum(wanted[each] for each in both) / len(both)
            groups[-2:] = [(middle, both)]
    found = [0.0] * len(wanted)
    for middle, members in groups:
        half = gap * (len(members) - 1) / 2
        middle = max(low + half, min(high - half, middle))
        for number, place in enumerate(members):
            found[place] = middle - half + gap * number
    return found


def _top(group: tuple[float, list[int]], gap: float) -> float:
    return group[0] - gap * (len(group[1]) - 1) / 2


def _bottom(group: tuple[float, list[int]], gap: float) -> float:
    return group[0] + gap * (len(group[1]) - 1) / 2
