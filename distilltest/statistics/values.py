"""Checks of arguments, and the evidence of equal values, for all tests of a mean.

The tests assume differences of scores in [0, 1], so the worst value of a case is -1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def checked(values: ArrayLike, least: int, what: str = "differences") -> Floats:
    """The values as an array.

    Raises:
        ValueError: There are fewer than ``least``, or one is not a number in [-1, 1].
    """
    import numpy as np

    array = np.asarray(values, dtype=float)
    if array.ndim != 1 or array.size < least:
        raise ValueError(f"{what}: at least {least} are needed, one for each case")
    if not np.all(np.abs(array) <= 1.0):  # NaN is not <= 1
        raise ValueError(f"{what} must be numbers in [-1, 1]")
    return array


def checked_margin(delta: float) -> float:
    """The margin.

    Raises:
        ValueError: It is not in (-1, 1).
    """
    if not -1.0 < delta < 1.0:
        raise ValueError(f"delta = {delta} is not in (-1, 1)")
    return delta


def checked_level(alpha: float) -> float:
    """The level of a one-sided test.

    Raises:
        ValueError: It is not in (0, 0.5).
    """
    if not 0.0 < alpha < 0.5:
        raise ValueError(f"alpha = {alpha} is not in (0, 0.5)")
    return alpha


def all_equal(value: float, n: int, delta: float) -> float:
    """The p-value of n equal differences: the chance of a sample without any case in which the candidate collapses.

    If a share e = (value + delta)/(value + 1) of the cases collapses to -1 and the rest is at ``value``, the mean is -delta, and
    n cases contain no collapse with probability (1 - e)^n. For a value of 0 that is (1 - delta)^n, as for pass and fail.

    >>> round(all_equal(0.0, 59, 0.05), 4)
    0.0485
    >>> all_equal(0.0, 1000, 0.0)
    1.0
    """
    if value + delta <= 0.0:
        return 1.0
    return float(((1.0 - delta) / (1.0 + value)) ** n)


def all_equal_margin(value: float, n: int, alpha: float) -> float:
    """The smallest margin at which n equal differences prove the claim, so that ``all_equal`` is alpha.

    >>> round(all_equal_margin(0.0, 59, 0.05), 4)
    0.0495
    """
    return float(1.0 - (1.0 + value) * alpha ** (1.0 / n))
