"""Interim analyses: stop a run as soon as it is decided, without a larger error rate.

References:
    Lan, K. K. G. and DeMets, D. L. (1983). Discrete sequential boundaries for clinical trials. Biometrika 70, 659-663.
    O'Brien, P. C. and Fleming, T. R. (1979). A multiple testing procedure for clinical trials. Biometrics 35, 549-556.
    Lan, K. K. G., Simon, R. and Halperin, M. (1982). Stochastically curtailed tests in long-term clinical trials.
    Communications in Statistics C 1, 207-219. (Conditional power.)

Assumptions: the analyses are planned before the run, the cases come in random order, and z is close to normal. A claim holds when
z reaches the bound of its analysis. It is futile when the conditional power is under 10 %. The futility bound is not binding:
continuing in spite of it does not raise the error rate. The conditional power depends on an assumption about the remaining cases.
For four analyses, measured with 200,000 runs, by the true drift (0 is at the limit; 2.49 has 80 % power):

    the rest is assumed    promoted at 0    promoted at 2.49    used at 0    used at 2.49
    (no futility)          0.050            0.79                0.99         0.80
    as planned             0.049            0.79                0.75         0.79
    like the trend         0.038            0.68                0.42         0.65
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, sqrt
from statistics import NormalDist
from typing import Literal

MOST_ANALYSES = 4
"""The most analyses of a run."""
FUTILE = 0.10
"""A run stops below this conditional power."""
POWER = 0.80
_NORMAL = NormalDist()
_POINTS = 600

Decision = Literal["holds", "futile", "continue", "undecided"]


@dataclass(frozen=True)
class InterimDecision:
    """The result of an analysis: the claim holds, the rest is futile, continue, or (in the last one) undecided."""

    decision: Decision
    z: float
    bound: float
    conditional_power: float
    """The chance that the last analysis will reach its bound; 0 or 1 in the last one."""


def schedule(n: int, analyses: int = MOST_ANALYSES) -> tuple[int, ...]:
    """The numbers of cases before each analysis, equally spaced; few cases have fewer analyses.

    >>> schedule(386)
    (97, 193, 290, 386)
    >>> schedule(2)
    (1, 2)
    """
    if n < 1 or not 1 <= analyses <= MOST_ANALYSES:
        raise ValueError(
            f"{analyses} analyses of {n} cases: at least one case and 1 to {MOST_ANALYSES} analyses are needed"
        )
    return tuple(sorted({ceil(n * k / analyses) for k in range(1, analyses + 1)}))


def spent(fraction: float, alpha: float = 0.05) -> float:
    """The error that may be spent by this fraction of the cases: 2 - 2·Phi(z_(alpha/2)/sqrt(fraction)).

    >>> round(spent(0.5), 6), round(spent(1.0), 6)
    (0.005575, 0.05)
    """
    if not 0.0 < fraction <= 1.0 or not 0.0 < alpha < 0.5:
        raise ValueError(f"fraction = {fraction} is not in (0, 1], or alpha = {alpha} not in (0, 0.5)")
    return 2.0 * _NORMAL.cdf(-_NORMAL.inv_cdf(1.0 - alpha / 2.0) / sqrt(fraction))


@lru_cache(maxsize=64)
def bounds(fractions: tuple[float, ...], alpha: float = 0.05) -> tuple[float, ...]:
    """The bound of z in each analysis, for analyses at these fractions of the cases.

    The probability of crossing a bound for the first time is integrated, analysis by analysis (Simpson), over the Brownian motion
    that has not crossed one before.

    >>> [f"{bound:.3f}" for bound in bounds((0.25, 0.5, 0.75, 1.0))]
    ['3.750', '2.540', '2.016', '1.720']
    """
    import numpy as np

    if not fractions or list(fractions) != sorted(set(fractions)) or fractions[0] <= 0.0 or fractions[-1] > 1.0:
        raise ValueError(f"fractions {fractions} do not rise in (0, 1]")
    found: list[float] = []
    grid, density = np.zeros(1), np.ones(1)  # at fraction 0 the motion is at 0; the density includes the weights
    before, error = 0.0, 0.0
    for fraction in fractions:
        step = sqrt(fraction - before)
        wanted = spent(fraction, alpha) - error
        low, high = -10.0, 10.0
        for _ in range(40):
            middle = (low + high) / 2.0
            above = [_NORMAL.cdf((x - middle * sqrt(fraction)) / step) for x in grid.tolist()]
            low, high = (middle, high) if float(np.dot(density, above)) > wanted else (low, middle)
        found.append(high)
        points = np.linspace(-9.0 * sqrt(fraction), high * sqrt(fraction), _POINTS + 1)
        weights = np.full(_POINTS + 1, 2.0)
        weights[1::2], weights[0], weights[-1] = 4.0, 1.0, 1.0
        moves = np.exp(-0.5 * ((points[:, None] - grid[None, :]) / step) ** 2) / (step * sqrt(2.0 * np.pi))
        density = (moves @ density) * weights * (points[1] - points[0]) / 3.0
        grid, before, error = points, fraction, spent(fraction, alpha)
    return tuple(found)


def conditional_power(z: float, fraction: float, bound: float, drift: float) -> float:
    """The chance that z of all cases reaches the bound, if the remaining cases have this drift (the mean of z of all cases).

    By hand: halfway with z = 1.5 and a drift of 3.242, 1.5·sqrt(0.5) + 3.242·0.5 = 2.682 against 1.96, 1.02 standard errors:

    >>> round(conditional_power(1.5, 0.5, 1.96, 3.242), 3)
    0.846
    """
    if not 0.0 < fraction <= 1.0:
        raise ValueError(f"fraction = {fraction} is not in (0, 1]")
    left = 1.0 - fraction
    lead = z * sqrt(fraction) + drift * left - bound
    if left < 1e-12:
        return 1.0 if lead >= 0 else 0.0
    return _NORMAL.cdf(lead / sqrt(left))


def analyse(
    p_value: float,
    cases: tuple[int, ...],
    number: int,
    alpha: float = 0.05,
    rest: Literal["planned", "trend"] = "planned",
) -> InterimDecision:
    """Decide in a planned analysis.

    Args:
        p_value: The p-value of the cases so far, by any test.
        cases: The planned numbers of cases (see ``schedule``).
        number: The number of this analysis, from 0.
        alpha: The one-sided level of all analyses together.
        rest: What the conditional power assumes about the remaining cases: that they are as planned (80 % power), or like the
            cases so far, which saves more calls and promotes fewer good candidates.

    Raises:
        ValueError: p_value is not in [0, 1], the numbers of cases do not rise, or there is no such analysis.

    >>> analyse(0.004, schedule(386), 1).decision  # z = 2.65 against 2.54
    'holds'
    >>> analyse(0.04, schedule(386), 1).decision  # significant only in a single analysis
    'continue'
    >>> analyse(0.9, schedule(386), 2).decision
    'futile'
    """
    if not 0.0 <= p_value <= 1.0:
        raise ValueError(f"p = {p_value} is not in [0, 1]")
    if not cases or cases[0] < 1 or list(cases) != sorted(set(cases)):
        raise ValueError(f"the numbers of cases {cases} do not rise")
    if not 0 <= number < len(cases):
        raise ValueError(f"there is no analysis {number}: {len(cases)} are planned, counted from 0")
    every = bounds(tuple(count / cases[-1] for count in cases), alpha)
    z = -_NORMAL.inv_cdf(min(1.0 - 1e-15, max(1e-300, p_value)))
    fraction = cases[number] / cases[-1]
    planned = _NORMAL.inv_cdf(1.0 - alpha) + _NORMAL.inv_cdf(POWER)
    power = conditional_power(z, fraction, every[-1], planned if rest == "planned" else z / sqrt(fraction))
    decision: Decision = "continue"
    if z >= every[number]:
        decision = "holds"
    elif number == len(cases) - 1:
        decision = "undecided"
    elif power < FUTILE:
        decision = "futile"
    return InterimDecision(decision, z, every[number], power)
