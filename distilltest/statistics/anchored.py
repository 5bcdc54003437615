"""The anchored mean test: a test of the mean of bounded differences that assumes nothing about their shape.

References:
    Gaffke, N. (2005). Three test statistics for a nonparametric one-sided hypothesis on the mean of a nonnegative
    variable. Mathematical Methods of Statistics 14, 451-467.
    Learned-Miller, E. and Thomas, P. S. (2019). A new confidence interval for the mean of a bounded random variable.
    arXiv:1905.06208.

The p-value is P(sum of g_i x_i <= 0) with independent g_i ~ Exp(1), over x = {d_i + delta} and one more value,
the worst possible one, -1 + delta. Assumptions: the cases are independent, and differences lie in [-1, 1].
"""

from __future__ import annotations

from math import exp, log, pi, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Complex = NDArray[np.complex128]

# The integral: its step, the range and number of terms of the power series (0.3^30 vanishes in a float), and the block size.
_STEP = 0.05
_NEAR = 0.3
_TERMS = 30
_BLOCK = 64
_STEPS = 2**23
"""The search for a bound has this many steps per unit."""


def p_value(differences: ArrayLike, delta: float) -> float:
    """The p-value of the claim that the true mean is above -delta, in [0, 1].

    Args:
        differences: Candidate minus other, one for each case, in [-1, 1].
        delta: The margin, in (-1, 1).

    Raises:
        ValueError: There are no differences, or one is not in [-1, 1].

    For one difference of 1 and a margin of 0, it is P(g1 <= g2):

    >>> round(p_value([1.0], 0.0), 6)
    0.5
    >>> p_value([0.0] * 500, 0.0)
    1.0
    """
    import numpy as np

    d = np.asarray(differences, dtype=float)
    if d.size == 0 or not np.all(np.abs(d) <= 1.0):  # NaN is not <= 1
        raise ValueError("differences must be numbers in [-1, 1], at least one")
    x = np.sort(np.append(d + delta, -1.0 + delta))  # the order of cases changes no digit
    x = x[np.abs(x) > 1e-15]
    if not np.any(x > 0):
        return 1.0
    if not np.any(x < 0):
        return 0.0
    # Gil-Pelaez: P(S <= 0) = 1/2 - 1/pi * integral of Im(phi(t))/t over t > 0, 1/phi(t) = prod(1 - i t x).
    # With t = exp(u) the integrand is smooth on the whole line, and the trapezoidal rule converges exponentially.
    start = -0.5 * log(float(np.sum(x * x))) - 18.0
    u = np.arange(start, _end(x, start), _STEP)
    product = _product(np.exp(u), x)
    integrand = product.imag / (product.real**2 + product.imag**2)
    tail = float(integrand[0])  # below the grid the integrand falls like t
    total = _STEP * (float(np.sum(integrand)) - 0.5 * float(integrand[0])) + tail
    return min(1.0, max(0.0, 0.5 + total / pi))


def interval(differences: ArrayLike, alpha: float = 0.05, above: float | None = None) -> tuple[float, float]:
    """The two-sided interval of the mean difference, by inverting the test.

    The error rate of the lower end is ``alpha``, that of the upper end ``above`` (or ``alpha``).

    >>> low, high = interval([0.1, 0.2, 0.15] * 40, 0.05)
    >>> low < 0.15 < high
    True
    """
    import numpy as np

    return -_margin(differences, alpha), _margin(-np.asarray(differences, dtype=float), above or alpha)


def _end(x: Floats, start: float) -> float:
    """The u from which the modulus of the integrand is below exp(-42)."""
    import numpy as np

    low, high = start, start + 64.0
    while high - low > 0.5:
        middle = 0.5 * (low + high)
        faded = 0.5 * float(np.sum(np.log1p((exp(middle) * x) ** 2))) > 42.0
        low, high = (low, middle) if faded else (middle, high)
    return high


def _product(t: Floats, x: Floats) -> Complex:
    """prod(1 - i t x) for each of the rising values t."""
    import numpy as np

    near = int(np.searchsorted(t, _NEAR / np.max(np.abs(x))))
    # For small |t x|, log(1 - i t x) is a short power series whose sums of powers are the same for each t.
    factors = np.zeros(_TERMS + 1, dtype=complex)
    power = np.ones_like(x)
    for k in range(1, _TERMS + 1):
        power = power * x
        factors[k] = -(1j**k) * float(np.sum(power)) / k
    series = np.vander(t[:near], _TERMS + 1, increasing=True) @ factors
    far = t[near:]
    product = np.ones(far.size, dtype=complex)
    values, counts = np.unique(x, return_counts=True)
    many = counts > 4
    for value, count in zip(values[many], counts[many], strict=True):
        product *= (1.0 - 1j * far * value) ** int(count)
    rest = np.repeat(values[~many], counts[~many])
    for first in range(0, rest.size, _BLOCK):
        product *= np.prod(1.0 - 1j * np.outer(rest[first : first + _BLOCK], far), axis=0)
    return np.concatenate([np.exp(series), product])


def _margin(differences: ArrayLike, alpha: float) -> float:
    """The smallest margin, in steps of 2^-23, at which the claim is proven. The p-value falls with the margin."""
    import numpy as np

    def excess(step: int) -> float:
        return log(max(p_value(d, step / _STEPS - 1.0), 1e-300) / alpha)

    d = np.asarray(differences, dtype=float)
    # The bracket begins at the bound of a normal mean with one more case, the worst possible one.
    x = np.append(d, -1.0)
    guess = int(_STEPS * (1.0 - x.mean() + 1.645 * x.std() / sqrt(x.size)))
    width = max(2, int(_STEPS * 0.2 * x.std() / sqrt(x.size)))
    low, high = 0, 2 * _STEPS  # margins of -1 and 1 are not evaluated
    at_low, at_high = log(1.0 / alpha), log(1e-300 / alpha)
    while high - low > 1:
        guess = min(max(guess, low + 1), high - 1)
        value = excess(guess)
        if value <= 0.0:
            high, at_high = guess, value
        else:
            low, at_low = guess, value
        if low == 0 or high == 2 * _STEPS:  # one end is still open
            guess, width = guess + (width if value > 0.0 else -width), 2 * width
            continue
        # The straight line between the ends, moved past its root so that the ends close in from both sides.
        share = at_low / (at_low - at_high)
        guess = low + round(share * (high - low)) + (1 if share < 0.5 else -1)
        least = (high - low) // 20
        guess = min(max(guess, low + least), high - least)
    return high / _STEPS - 1.0
