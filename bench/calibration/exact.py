"""Pass and fail by enumeration: the outcomes that promote, and their exact chance."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import sqrt

import numpy as np
from scipy import stats

from distilltest.gate.comparison import Comparison

Floats = np.ndarray
Significance = Callable[[int, int, int, float], float]


def comparison(wins: int, losses: int, n: int) -> Comparison:
    """A comparison of n cases with these wins and losses."""
    return Comparison("teacher", (1.0,) * wins + (-1.0,) * losses + (0.0,) * (n - wins - losses), 0, True)


def gate_p(wins: int, losses: int, n: int, delta: float) -> float:
    """The p-value that the rules use; the data decide the test."""
    return comparison(wins, losses, n).p_value(delta)


@lru_cache(maxsize=64)
def least_wins(n: int, delta: float, alpha: float, p: Significance = gate_p, agreement: float = 0.0) -> Floats:
    """The fewest wins that promote, for each number of losses; one more than possible if no number does.

    Args:
        n: The number of pairs.
        delta: The margin.
        alpha: The level.
        p: The p-value of (wins, losses, n, delta). It must decrease as wins increase, as the gate's does.
        agreement: Leave out losses that only occur if a smaller share of pairs agrees.
    """
    loss = (1.0 - agreement + abs(delta)) / 2.0
    most = min(n, int(n * loss + 9.0 * sqrt(n * loss) + 20.0))
    least, wins = [], 0
    for losses in range(most + 1):
        wins = min(wins, n - losses + 1)
        while wins > 0 and p(wins - 1, losses, n, delta) <= alpha:
            wins -= 1
        while wins <= n - losses and p(wins, losses, n, delta) > alpha:
            wins += 1
        least.append(wins)
    return np.array(least)


def chance(least: Floats, n: int, win: Floats, loss: Floats) -> Floats:
    """The exact chance to promote. Losses are binomial, and wins are binomial among the other pairs."""
    losses = np.arange(least.size)
    win, loss = np.atleast_1d(win)[:, None], np.atleast_1d(loss)[:, None]
    given = np.clip(win / np.maximum(1.0 - loss, 1e-12), 0.0, 1.0)
    return (stats.binom.pmf(losses, n, loss) * stats.binom.sf(least - 1, n - losses, given)).sum(axis=1)


def at_limit(delta: float, lowest: float = 0.0, highest: float = 1.0, points: int = 400) -> tuple[Floats, Floats]:
    """The chances of a win and of a loss for a candidate that is worse by exactly delta, for a range of agreements."""
    # agreement = 1 - win - loss, win = loss - delta. The grid is even in the square root: few differences matter most.
    apart = np.linspace(sqrt(max(abs(delta), 1.0 - highest)), sqrt(1.0 - lowest), points) ** 2
    return np.maximum(0.0, (apart - delta) / 2.0), np.maximum(0.0, (apart + delta) / 2.0)


def worst(least: Floats, n: int, delta: float, lowest: float = 0.0, highest: float = 1.0) -> float:
    """The largest chance to promote a candidate that is worse by exactly delta."""
    win, loss = at_limit(delta, lowest, highest)
    return float(np.max(chance(least, n, win, loss)))
