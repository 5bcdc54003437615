"""Draw losses as text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 20) -> str:
    """Draw one character per value, or per mean of several values if they do not fit.

    >>> sparkline([4, 3, 2, 1])
    '█▆▃▁'
    >>> sparkline([1.0, 1.0])
    '▁▁'
    >>> sparkline(range(100, 0, -1), width=5)
    '█▆▅▃▁'
    >>> sparkline([])
    ''
    """
    shown = _means(values, width)
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[int((value - low) * scale + 0.5)] for value in shown)


def _means(values: Sequence[float], width: int) -> list[float]:
    """At most ``width`` means of consecutive values; NaN and infinity are left out."""
    finite = [float(value) for value in values if value == value and abs(value) != float("inf")]
    if len(finite) <= width:
        return finite
    ends = [len(finite) * part // width for part in range(width + 1)]
    return [sum(finite[a:b]) / (b - a) for a, b in pairwise(ends)]


def course(values: Sequence[float]) -> str:
    """First and last value, and a sparkline.

    >>> course([0.5, 0.25, 0.125])
    '0.5 → 0.125  █▃▁'
    """
    return f"{values[0]:.4g} → {values[-1]:.4g}  {sparkline(values)}" if values else ""
