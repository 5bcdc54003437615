"""Shares as text: in points, with bounds rounded so that they never claim more than was proven."""

from __future__ import annotations

_UNITS = 10**7
"""Units in a point. Digits beyond a share's ninth decimal are rounding errors."""
_STEPS = [_UNITS // 10**decimals for decimals in range(1, 8)]
"""The possible rounding steps in units, the coarsest (one decimal) first."""


def points(share: float) -> str:
    """A share as points, with at most one decimal, or the first significant digit of a smaller share.

    >>> points(0.05), points(0.0273), points(0.0004), points(-0.0), points(1e-12)
    ('5', '2.7', '0.04', '0', '0')
    """
    exact = _units(share)
    step = next((step for step in _STEPS if not exact or round(exact / step)), 1)
    return _text(round(exact / step) * step)


def declared(share: float) -> str:
    """A declared limit as points, with all its digits.

    >>> declared(0.05), declared(0.0125), declared(1 / 3)
    ('5', '1.25', '33.3333333')
    """
    return _text(_units(share))


def signed(share: float) -> str:
    """A declared limit with its sign."""
    return f"{'+' if share > 0 else ''}{declared(share)}"


def difference(share: float) -> str:
    """An observed difference as points, with its sign; rounded as by :func:`points`.

    >>> difference(0.027272727), difference(-0.05), difference(0.0)
    ('+2.7', '-5', '0')
    """
    return f"{'+' if share > 0 and points(share) != '0' else ''}{points(share)}"


def lower(share: float, *landmarks: float) -> str:
    """A lower bound as points, rounded down, with as many digits as keep it on its side of 0 and of other landmarks.

    Args:
        share: The bound.
        landmarks: Shares that the bound is compared with, such as a limit.

    >>> lower(0.0273), lower(0.00034), lower(-0.00034), lower(0.0), lower(-0.0496, -0.05)
    ('2.7', '0.03', '-0.1', '0', '-4.96')
    """
    exact, marks = _units(share), [0, *map(_units, landmarks)]
    for step in _STEPS:
        shown = exact // step * step
        if all(_side(shown, mark) == _side(exact, mark) for mark in marks):
            break
    return _text(shown)


def upper(share: float, *landmarks: float) -> str:
    """An upper bound as points, rounded up; otherwise like :func:`lower`.

    >>> upper(0.0273), upper(0.00034), upper(-0.00034), upper(0.8999, 0.9)
    ('2.8', '0.1', '-0.03', '89.99')
    """
    shown = lower(-share, *(-mark for mark in landmarks))
    return shown if shown == "0" else shown[1:] if shown.startswith("-") else f"-{shown}"


def interval(low: float, high: float, *landmarks: float) -> str:
    """An interval as points, rounded outwards.

    >>> interval(0.4512, 0.5228), interval(-0.0007, 0.0312)
    ('45.1 to 52.3', '-0.1 to 3.2')
    """
    return f"{lower(low, *landmarks)} to {upper(high, *landmarks)}"


def between(low: float, high: float, *landmarks: float) -> str:
    """The interval of a difference, in words.

    >>> between(-0.12, -0.0703), between(-0.0203, 0.1), between(0.01, 0.023)
    ('7 to 12 points worse', 'between 2.1 points worse and 10 points better', '1 to 2.3 points better')
    """
    mirrored = [-each for each in landmarks]
    if high <= 0:
        return f"{interval(-high, -low, *mirrored)} points worse"
    if low >= 0:
        return f"{interval(low, high, *landmarks)} points better"
    return f"between {upper(-low, *mirrored)} points worse and {upper(high, *landmarks)} points better"


def _units(share: float) -> int:
    return round(share * 100 * _UNITS)


def _side(one: int, other: int) -> int:
    return (one > other) - (one < other)


def _text(units: int) -> str:
    whole, rest = divmod(abs(units), _UNITS)
    shown = f"{whole}.{rest:07d}".rstrip("0").rstrip(".")
    return f"-{shown}" if units < 0 else shown
