"""Answers that never arrive, more often in cases that the candidate would have got wrong."""

from __future__ import annotations

from functools import cache

import numpy as np

from bench.calibration.table import ALPHA, Column, Rate, Row, Table, dice, points
from distilltest.gate.comparison import Comparison

MARGIN = 0.05
TEACHER = 0.90
HARD = 0.25
"""The share of hard cases, for example long ones. The candidate loses only there."""


@cache
def _promotes(wins: int, losses: int, n: int) -> bool:
    pairs = Comparison("teacher", (1.0,) * wins + (-1.0,) * losses + (0.0,) * (n - wins - losses), 0, binary=True)
    return pairs.p_value(MARGIN, ALPHA) <= ALPHA


def missing(worse: float, n: int, silent: float, runs: int) -> Row:
    """The candidate leaves unanswered a share of the hard cases that it would get wrong, and a tenth of that of all others."""
    rolls = dice("missing", worse, n, silent)
    hard = rolls.random((runs, n)) < HARD
    teacher = rolls.random((runs, n)) < TEACHER
    candidate = teacher & ~(hard & (rolls.random((runs, n)) < worse / HARD / TEACHER))
    gone = rolls.random((runs, n)) < np.where(hard & ~candidate, silent, silent / 10)
    wins = (candidate & ~gone & ~teacher).sum(axis=1)
    losses, answered = ((~candidate | gone) & teacher).sum(axis=1), (~gone).sum(axis=1)
    lost = (~candidate & ~gone & teacher).sum(axis=1)
    worst = [_promotes(*each, n) for each in np.stack([wins, losses], axis=1).tolist()]
    left_out = [_promotes(*each) for each in np.stack([wins, lost, answered], axis=1).tolist()]
    limit = worse == MARGIN
    setting = (f"{points(worse)} points worse" if worse else "equal", str(n), f"{gone.mean():.1%}")
    return setting, (Rate.of(worst) if limit else "", "" if limit else Rate.of(worst), Rate.of(left_out))


def table(full: bool) -> Table:
    """With missing answers counted as wrong, and with such cases left out."""
    runs = 5_000 if full else 500
    settings = [
        (worse, n, silent)
        for worse in (MARGIN, 0.0)
        for n, silent in ((200, 0.1), (200, 0.5), (400, 0.02), (400, 0.1), (400, 0.5))
    ]
    return Table(
        "Answers that never come",
        "A quarter of the cases are hard, and the candidate loses only there. It does not answer some of the hard cases that "
        f"it would get wrong, and a tenth of that share of the others. {runs:,} runs a row, margin 5 points, through "
        "`Comparison.p_value`, with a missing answer counted as wrong, as the gate does. Leaving such cases out, which most "
        "tools do, is shown for comparison: a model can then win by not answering.",
        ("the candidate is", "cases", "never answered"),
        (
            Column("promoted at the limit", ALPHA),
            Column("promoted, good candidate"),
            Column("leaving them out"),
        ),
        tuple((missing, (*setting, runs)) for setting in settings),
    )
