"""The anchored mean test: the mean of bounded differences, without any assumption about their shape.

References:
    Gaffke, N. (2005). Three test statistics for a nonparametric one-sided hypothesis on the mean of a nonnegative
    variable. Mathematical Methods of Statistics 14, 451-467.
    Learned-Miller, E. and Thomas, P. S. (2019). A new confidence interval for the mean of a bounded random variable.
    arXiv:1905.06208.

The p-value is P(sum of g_i x_i <= 0) with independent g_i ~ Exp(1), over x = {d_i + delta} and one more value at the
worst that could happen, -1 + delta. Assumption: the cases are independent and differences lie in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi


def p_value(differences: Sequence[float], delta: float) -> float:
    """How surprising the differences are if their true mean is at most -delta, in [0, 1].

    Args:
        differences: Candidate minus other, one a case, each in [-1, 1].
        delta: The margin, in (-1, 1).

    Raises:
        ValueError: There are no differences, or one is not in [-1, 1].

    With one difference of 1 and margin 0 it is P(g1 <= g2):

    >>> round(p_value([1.0], 0.0), 6)
    0.5
    >>> p_value([0.0] * 500, 0.0)
    1.0
    """
    import numpy as np

    d = np.asarray(differences, dtype=float)
    if d.size == 0 or not np.all(np.abs(d) <= 1.0):  # NaN is not <= 1
        raise ValueError("differences must be numbers in [-1, 1], at least one")
    x = np.append(d + delta, -1.0 + delta)
    x = x[np.abs(x) > 1e-15]
    if not np.any(x > 0):
        return 1.0
    if not np.any(x < 0):
        return 0.0
    # Gil-Pelaez: P(S <= 0) = 1/2 - 1/pi * integral of Im(phi(t))/t over t > 0, phi(t) = prod 1/(1 - i t x).
    # With t = exp(u) the integrand is smooth, and the trapezoidal rule converges fast.
    scale = 1.0 / float(np.sqrt(np.sum(x * x)))
    u = np.linspace(np.log(scale) - 18.0, np.log(scale) + 18.0, 6001)
    t = np.exp(u)
    values, counts = np.unique(np.round(x, 12), return_counts=True)
    log_modulus = np.zeros_like(t)
    phase = np.zeros_like(t)
    for value, count in zip(values, counts, strict=True):
        log_modulus -= 0.5 * count * np.log1p((t * value) ** 2)
        phase += count * np.arctan(t * value)
    integrand = np.exp(log_modulus) * np.sin(phase)
    tail = float(integrand[0])  # below the grid the integrand falls like t
    total = float(np.trapezoid(integrand, u)) + tail
    return min(1.0, max(0.0, 0.5 - total / pi))


def interval(differences: Sequence[float], alpha: float = 0.05) -> tuple[float, float]:
    """The two-sided 1 - 2·alpha interval of the mean difference, by inverting the test.

    >>> low, high = interval([0.1, 0.2, 0.15] * 40, 0.05)
    >>> low < 0.15 < high
    True
    """
    return -_margin(differences, alpha), _margin([-d for d in differences], alpha)


def _margin(differences: Sequence[float], alpha: float) -> float:
    low, high = -1.0, 1.0
    for _ in range(24):
        middle = (low + high) / 2.0
        if p_value(differences, middle) <= alpha:
            high = middle
        else:
            low = middle
    return high
