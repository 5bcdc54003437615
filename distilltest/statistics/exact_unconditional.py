"""The exact unconditional test for the difference of two paired proportions.

References:
    Tango, T. (1998). Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design. Statistics in Medicine 17, 891-908. (The order of the outcomes.)
    Berger, R. L. and Boos, D. D. (1994). P values maximized over a confidence set for the nuisance parameter. Journal of
    the American Statistical Association 89, 1012-1016.
    Sidik, K. (2003). Exact unconditional tests for testing non-inferiority in matched-pairs design. Statistics in
    Medicine 22, 265-278.

Assumption: the pairs are independent. Nothing is asymptotic. The nuisance parameter is the chance that only the other passes. Its
Clopper-Pearson interval comes from the losses alone, which has two consequences. One more win never raises p, because the
interval stays and the tail shrinks. The level holds at every point of the null hypothesis, not only at its boundary, because
given the losses fewer wins are less extreme, and the boundary has a point with the same chance of a loss. Both hold for a fixed
number of pairs. Another pair changes the possible outcomes, and p can move either way. Enumerated up to 20 wins and 20 losses:
one more pair that is won raises no p below 0.5 (for margins from 0 to 0.2), and pairs that agree raise a p up to 0.05 by at most
0.010 (for a margin of 0.1).
"""

from __future__ import annotations

from functools import lru_cache
from math import log, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

from distilltest.statistics import beta, tango, values

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

GAMMA = 0.0005
"""The chance that the nuisance parameter lies outside its interval, which is added to p. Levels below 0.05 use a hundredth."""
# The maximum is found on a grid that is refined around its peaks: to 0.1 % in 1,500 random cases.
_GRID = 36
_PEAKS = 3
_CLOSER = 9
_TIE = 1e-9
_RESOLUTION = 2e-6


def p_value(wins: int, losses: int, n: int, delta: float, gamma: float = GAMMA) -> float:
    """The p-value of the claim that the candidate is less than ``delta`` worse, in [gamma, 1].

    Args:
        wins: Pairs in which only the candidate passes.
        losses: Pairs in which only the other passes.
        n: All pairs.
        delta: The margin in (-1, 1); negative to claim an advantage.
        gamma: Like ``GAMMA``, in (0, 1); smaller for a smaller level.

    Raises:
        ValueError: The counts are not possible for n pairs, or delta or gamma is out of range.

    If no pair differs, and n is near the smallest number that can prove the claim, p is (1 - delta)^n + GAMMA:

    >>> round(p_value(0, 0, 59, 0.05) - GAMMA, 9) == round(0.95**59, 9)
    True

    At a margin of 0, each of five wins in five pairs has a probability of at most 1/2:

    >>> round(p_value(5, 0, 5, 0.0) - GAMMA, 6)
    0.03125
    """
    import numpy as np

    tango.z_score(wins, losses, n, delta)  # checks its arguments
    if not 0.0 < gamma < 1.0:
        raise ValueError(f"gamma = {gamma} is not in (0, 1)")
    least_wins = _least_wins(wins, losses, n, delta)
    low, high = _nuisance(losses, n, gamma)
    start = max(0.0, delta)
    if high <= start:  # so few losses that the interval excludes even the smallest chance of a loss at the boundary
        candidates = np.array([start])
    else:
        # Steps of equal length in the square root are equal fractions of a standard deviation.
        candidates = start + np.linspace(sqrt(max(0.0, low - start)), sqrt(high - start), _GRID) ** 2
    chances = _tail(candidates, n, delta, least_wins)
    if candidates.size > 1:
        # Refine around the highest peaks, and add the corner, beyond which every pair differs.
        around = np.concatenate([[-1.0], chances, [-1.0]])
        peaks = np.flatnonzero((chances >= around[:-2]) & (chances >= around[2:]))
        peaks = peaks[np.argsort(-chances[peaks], kind="stable")[:_PEAKS]]
        left, right = candidates[np.maximum(0, peaks - 1)], candidates[np.minimum(candidates.size - 1, peaks + 1)]
        closer = (left + np.linspace(0.0, 1.0, _CLOSER)[:, None] * (right - left)).ravel()
        corner = min(max((1.0 + delta) / 2.0, low, start), high)
        chances = np.append(chances, _tail(np.append(closer, corner), n, delta, least_wins))
    return float(min(1.0, np.max(chances) + gamma))


def interval(wins: int, losses: int, n: int, alpha: float = 0.05, above: float | None = None) -> tuple[float, float]:
    """The two-sided interval of p(candidate) - p(other), by inverting the test.

    The error rate of the lower end is ``alpha``, that of the upper end ``above`` (or ``alpha``).

    The lower end is minus the smallest margin at which the claim holds, rounded outwards by at most two millionths: "at most
    so much worse". Gamma is alpha/100, at most ``GAMMA``. Because the outcomes are discrete, p does not fall everywhere with
    the margin. If it crosses alpha more than once, the crossing next to Tango's bound counts. So decide by p, and show the
    interval.

    >>> low, high = interval(10, 12, 386)
    >>> round(low, 4), round(p_value(10, 12, 386, -low), 3)
    (-0.0271, 0.05)
    """
    values.checked_level(alpha)
    return -_smallest_margin(wins, losses, n, alpha), _smallest_margin(losses, wins, n, above or alpha)


@lru_cache(maxsize=1024)
def _nuisance(losses: int, n: int, gamma: float) -> tuple[float, float]:
    """The Clopper-Pearson interval of the chance of a loss, with confidence 1 - gamma."""

    def solve(a: float, b: float, share: float) -> float:
        low, high = 0.0, 1.0
        for _ in range(40):
            middle = (low + high) / 2.0
            low, high = (low, middle) if beta.incomplete_at(a, b, middle) > share else (middle, high)
        return (low + high) / 2.0

    low = 0.0 if losses == 0 else solve(losses, n - losses + 1.0, gamma / 2.0)
    high = 1.0 if losses == n else solve(losses + 1.0, n - losses, 1.0 - gamma / 2.0)
    return low, high


def _least_wins(wins: int, losses: int, n: int, delta: float) -> Ints:
    """For each number of losses, the fewest wins that are as extreme as the data; one more than possible if none are."""
    import numpy as np

    observed = _z_scores(np.array([wins]), np.array([losses]), n, delta)[0]
    every = np.arange(n + 1)
    low, high = np.full(n + 1, -1), n - every + 1  # the statistic rises with the wins
    while np.any(high - low > 1):
        middle = np.maximum((low + high) // 2, 0)
        enough = _z_scores(middle, every, n, delta) >= observed - _TIE
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def _z_scores(wins: Ints, losses: Ints, n: int, delta: float) -> Floats:
    """``tango.z_score`` for arrays."""
    import numpy as np

    numerator = wins - losses + n * delta
    b = -wins - losses - (2 * n - wins + losses) * delta
    root = np.sqrt(np.maximum(0.0, b * b - 8.0 * n * losses * delta * (1.0 + delta)))
    variance = n * ((root - b) / (2.0 * n) - delta * (1.0 + delta))
    none = variance <= 1e-12 * n
    z = numerator / np.sqrt(np.where(none, 1.0, variance))
    extreme = np.where(np.abs(numerator) < 1e-9 * n, 0.0, np.copysign(np.inf, numerator))
    return np.where(none, extreme, z)


def _tail(loss: Floats, n: int, delta: float, least_wins: Ints) -> Floats:
    """The tail probability for each chance of a loss: a sum over losses of a binomial tail of wins."""
    import numpy as np

    loss = np.clip(loss, 0.0, 1.0)[:, None]
    win = np.clip(np.minimum(loss - delta, 1.0 - loss), 0.0, 1.0)
    # Losses beyond 7.5 standard deviations have a total probability below 1e-11.
    reach = int(7.5 * sqrt(n * float(np.max(loss * (1.0 - loss))))) + 12
    losses = np.rint(n * loss).astype(int) + np.arange(-reach, reach + 1)
    possible = (losses >= 0) & (losses <= n)
    losses = np.clip(losses, 0, n)
    wanted, left = least_wins[losses], n - losses
    possible &= wanted <= left
    log_factorial = _log_factorials(n)
    safe = np.clip(loss, 1e-300, 1.0 - 1e-16)
    log_mass = log_factorial[n] - log_factorial[losses] - log_factorial[left]
    log_mass = log_mass + losses * np.log(safe) + left * np.log1p(-safe)
    possible &= log_mass > -32.0
    mass = np.exp(log_mass[possible])
    given = np.broadcast_to(np.clip(win / (1.0 - safe), 0.0, 1.0), losses.shape)[possible]
    wanted, left = wanted[possible], left[possible]
    some = wanted > 0
    chance = np.ones_like(mass)
    chance[some] = beta.binomial_tail(wanted[some], left[some], given[some], log_factorial)
    total = np.zeros(losses.shape)
    total[possible] = mass * chance
    return np.asarray(total.sum(axis=1))


@lru_cache(maxsize=8)
def _log_factorials(n: int) -> Floats:
    import numpy as np

    return np.append(0.0, np.cumsum(np.log(np.arange(1, n + 1))))


def _smallest_margin(wins: int, losses: int, n: int, alpha: float) -> float:
    """The smallest delta at which H0 is rejected: the end of a bracket that starts at Tango's score bound."""

    def excess(delta: float) -> float:
        return log(p_value(wins, losses, n, delta, min(GAMMA, alpha / 100.0)) / alpha)

    bound = -tango.interval(wins, losses, n, alpha)[0]
    step = 0.1 * max(1.0 / n, sqrt((wins + losses + 1.0) / (n + 2.0) / n)) * NormalDist().inv_cdf(1.0 - alpha)
    top = 1.0 - 1e-6
    high = min(top, bound + step / 2.0)
    at_high = excess(high)
    while at_high > 0.0:
        if high >= top:
            return 1.0
        step *= 2.0
        high = min(top, high + step)
        at_high = excess(high)
    low = max(-top, high - step)
    at_low = excess(low)
    while at_low <= 0.0 and low > -top:
        step *= 2.0
        high, at_high = low, at_low
        low = max(-top, low - step)
        at_low = excess(low)
    while high - low > _RESOLUTION:
        # The straight line between the ends, moved past its root so that the ends close in from both sides.
        share = at_low / (at_low - at_high) if at_low > at_high else 0.5
        guess = low + share * (high - low)
        guess += 0.4 * _RESOLUTION if share < 0.5 else -0.4 * _RESOLUTION
        guess = min(max(guess, low + 0.05 * (high - low)), high - 0.05 * (high - low))
        value = excess(guess)
        if value <= 0.0:
            high, at_high = guess, value
        else:
            low, at_low = guess, value
    return high
