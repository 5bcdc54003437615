"""The regularised incomplete beta function, binomial tails and Student's t distribution.

References:
    Press, W. H. et al. (2007). Numerical Recipes, 3rd edition, 6.1 (log-gamma by Lanczos) and 6.4 (continued fraction).
    Student (1908). The probable error of a mean. Biometrika 6, 1-25.

Vectorised over NumPy arrays; the relative error is below 1e-10 for parameters up to 10,000.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, log, log1p, pi
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_LANCZOS = (
    676.5203681218851,
    -1259.1392167224028,
    771.32342877765313,
    -176.61502916214059,
    12.507343278686905,
    -0.13857109526572012,
    9.9843695780195716e-6,
    1.5056327351493116e-7,
)
_TINY = 1e-300
_AT_ONCE = 4
"""Terms of the continued fraction between two checks of its convergence."""


def log_gamma(x: ArrayLike) -> Floats:
    """The logarithm of the gamma function of positive numbers.

    >>> round(float(log_gamma(5.0)), 9)  # ln 24
    3.17805383
    """
    import numpy as np

    y = np.asarray(x, dtype=float) - 1.0
    series = np.full_like(y, 0.99999999999980993)
    for i, coefficient in enumerate(_LANCZOS):
        series += coefficient / (y + i + 1.0)
    t = y + 7.5
    return np.asarray(0.5 * np.log(2.0 * np.pi) + (y + 0.5) * np.log(t) - t + np.log(series))


def incomplete(a: ArrayLike, b: ArrayLike, x: ArrayLike) -> Floats:
    """I_x(a, b): the share of a Beta(a, b) distribution below x, for a, b > 0 and x in [0, 1].

    >>> round(float(incomplete(2.0, 3.0, 0.5)), 9)
    0.6875
    """
    import numpy as np

    a, b, x = np.asarray(a, float), np.asarray(b, float), np.asarray(x, float)
    return _incomplete(a, b, x, 1.0 - x, log_gamma(a + b) - log_gamma(a) - log_gamma(b))


def incomplete_at(a: float, b: float, x: float) -> float:
    """I_x(a, b) for three numbers; ten times as fast as with arrays.

    >>> round(incomplete_at(2.0, 3.0, 0.5), 9)
    0.6875
    """
    return _incomplete_at(a, b, x, 1.0 - x)


def binomial_tail(passed: Ints, n: Ints, share: Floats, log_factorials: Floats) -> Floats:
    """P(X >= passed) for each X ~ Bin(n, share).

    Args:
        passed: The numbers of passes, from 1 to n.
        n: The numbers of cases.
        share: The chance that a case passes.
        log_factorials: The logarithms of 0!, 1!, 2! and so on up to the largest n.

    >>> import numpy as np
    >>> logs = np.log([1.0, 1.0, 2.0, 6.0])
    >>> binomial_tail(np.array([1, 3]), np.array([3, 3]), np.array([0.5, 0.5]), logs).round(9).tolist()
    [0.875, 0.125]
    """
    import numpy as np

    failed = n - passed
    log_beta = log_factorials[n] - log_factorials[passed - 1] - log_factorials[failed]
    return _incomplete(np.asarray(passed, float), np.asarray(failed + 1, float), share, 1.0 - share, log_beta)


def _incomplete(a: Floats, b: Floats, x: Floats, rest: Floats, log_beta: Floats) -> Floats:
    """The incomplete beta function, given 1 - x and the logarithm of 1 / B(a, b)."""
    import numpy as np

    a, b, x, rest = np.broadcast_arrays(a, b, x, rest)
    inside = (x > 0.0) & (rest > 0.0)
    at, rest = np.where(inside, x, 0.5), np.where(inside, rest, 0.5)
    swap = at * (a + b + 2.0) > a + 1.0  # on the other side the fraction converges fast
    a, b = np.where(swap, b, a), np.where(swap, a, b)
    at, rest = np.where(swap, rest, at), np.where(swap, at, rest)
    value = np.exp(log_beta + a * np.log(at) + b * np.log(rest)) * _fraction(a, b, at) / a
    return np.where(inside, np.clip(np.where(swap, 1.0 - value, value), 0.0, 1.0), np.where(x > 0.0, 1.0, 0.0))


def _fraction(a: Floats, b: Floats, x: Floats) -> Floats:
    """The continued fraction of the incomplete beta function by Lentz's method."""
    import numpy as np

    # Adding _TINY only changes a denominator of exactly 0.
    c = np.ones_like(x)
    d = np.asarray(1.0 / (1.0 - (a + b) * x / (a + 1.0) + _TINY))
    h = d.copy()
    for first in range(1, 1000, _AT_ONCE):
        m = np.arange(float(first), first + _AT_ONCE).reshape(-1, *(1,) * x.ndim)
        even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        for pair in zip(even, odd, strict=True):
            for step in pair:
                d *= step
                d += 1.0
                d += _TINY
                np.reciprocal(d, out=d)
                np.divide(step, c, out=c)
                c += 1.0
                c += _TINY
                h *= d
                h *= c
        if float(np.max(np.abs(d * c - 1.0), initial=0.0)) < 1e-12:
            break
    return h


def _incomplete_at(a: float, b: float, x: float, rest: float) -> float:
    """The incomplete beta function of numbers, given 1 - x."""
    if x <= 0.0 or rest <= 0.0:
        return 0.0 if x <= 0.0 else 1.0
    log_beta = lgamma(a + b) - lgamma(a) - lgamma(b)
    swap = x * (a + b + 2.0) > a + 1.0
    if swap:
        a, b, x, rest = b, a, rest, x
    value = exp(log_beta + a * log(x) + b * log(rest)) * _fraction_at(a, b, x) / a
    return min(1.0, max(0.0, 1.0 - value if swap else value))


def _fraction_at(a: float, b: float, x: float) -> float:
    c = 1.0
    h = d = 1.0 / (1.0 - (a + b) * x / (a + 1.0) + _TINY)
    for m in range(1, 1000):
        twice = a + 2 * m
        step = m * (b - m) * x / ((twice - 1.0) * twice)
        d = 1.0 / (1.0 + step * d + _TINY)
        c = 1.0 + step / c + _TINY
        h *= d * c
        step = -(a + m) * (a + b + m) * x / (twice * (twice + 1.0))
        d = 1.0 / (1.0 + step * d + _TINY)
        c = 1.0 + step / c + _TINY
        h *= d * c
        if abs(d * c - 1.0) < 1e-12:
            break
    return h


def student_tail(t: float, freedom: float) -> float:
    """P(T >= t) for Student's t with the given degrees of freedom.

    >>> round(student_tail(1.812461, 10), 6)  # the 5 % point in any table
    0.05
    """
    if freedom <= 0:
        raise ValueError(f"{freedom} degrees of freedom: at least two values are needed")
    square = t * t
    half = 0.5 * _incomplete_at(freedom / 2.0, 0.5, freedom / (freedom + square), square / (freedom + square))
    return half if t >= 0 else 1.0 - half


def student_tails(t: ArrayLike, freedom: float) -> Floats:
    """:func:`student_tail` for each t.

    >>> student_tails([1.812461, -1.812461], 10).round(6).tolist()
    [0.05, 0.95]
    """
    import numpy as np

    if freedom <= 0:
        raise ValueError(f"{freedom} degrees of freedom: at least two values are needed")
    values = np.asarray(t, dtype=float)
    square = values * values
    a, b = np.asarray(freedom / 2.0), np.asarray(0.5)
    log_beta = np.asarray(lgamma(freedom / 2.0 + 0.5) - lgamma(freedom / 2.0) - lgamma(0.5))
    half = 0.5 * _incomplete(a, b, freedom / (freedom + square), square / (freedom + square), log_beta)
    return np.where(values >= 0, half, 1.0 - half)


@lru_cache(maxsize=256)
def student_quantile(tail: float, freedom: float) -> float:
    """The t with P(T >= t) = tail, for a tail in (0, 1).

    >>> round(student_quantile(0.025, 4), 4)
    2.7764
    """
    if not 0.0 < tail < 1.0:
        raise ValueError(f"tail = {tail} is not in (0, 1)")
    if tail > 0.5:
        return -student_quantile(1.0 - tail, freedom)
    # Newton's method from below: the tail is convex, and the normal quantile is never above Student's.
    t = NormalDist().inv_cdf(1.0 - tail)
    log_front = lgamma((freedom + 1.0) / 2.0) - lgamma(freedom / 2.0) - 0.5 * log(freedom * pi)
    for _ in range(100):
        density = exp(log_front - 0.5 * (freedom + 1.0) * log1p(t * t / freedom))
        step = (student_tail(t, freedom) - tail) / density
        t += step
        if abs(step) <= 1e-10 * (1.0 + abs(t)):
            break
    return t
