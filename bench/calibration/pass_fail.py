"""Pass and fail with one trial per case: the gate's exact test, and common tests for comparison."""

from __future__ import annotations

from math import inf, sqrt
from statistics import NormalDist

import numpy as np
from scipy import stats

from bench.calibration.exact import at_limit, chance, gate_p, least_wins, worst
from bench.calibration.table import ALPHA, Column, Rate, Row, Table, dice, points
from distilltest.statistics import tango

LIMITS = (0.05, 0.02, 0.0, -0.05)
"""Margins; a negative one claims an advantage."""
_NORMAL = NormalDist()


def rule(delta: float) -> str:
    """The rule with this margin, as a suite writes it."""
    if delta > 0:
        return f"not_worse_than, {points(delta)} points"
    return "better_than" + (f", by {points(-delta)} points" if delta else "")


def errors(n: int, delta: float) -> Row:
    """The largest error of the gate and of Tango's test alone, over all agreements unless there are too many cases."""
    lowest = 0.0 if n <= 386 else 0.70
    gate = least_wins(n, delta, ALPHA, gate_p, lowest)
    score = least_wins(n, delta, ALPHA, tango.p_value, lowest)
    usual = Rate(worst(gate, n, delta, 0.70, 0.95))
    return (rule(delta), str(n)), (usual, *(Rate(worst(each, n, delta, lowest)) for each in (gate, score)))


def table(full: bool) -> Table:
    """Errors at the limit."""
    sizes = (30, 50, 100, 386, 1000, 1500) if full else (30, 100)
    jobs = [(errors, (n, delta)) for delta in LIMITS for n in sizes]
    return Table(
        "Pass and fail",
        "These figures are enumerated and have no standard error: the gate's own comparison (`Comparison.p_value`) finds "
        "all outcomes that promote, and their exact chances are added up at 400 agreements. The worst is shown (above 386 "
        "cases, the worst from 0.70 to 1). *Agreement* is the share of cases in which both models pass or both fail. A row "
        "of `better_than` by 5 points is also the chance to block wrongly under `not_worse_than` with 5 points. Tango's "
        "score test alone is shown for comparison.",
        ("rule", "cases"),
        (
            Column("worst, agreement 0.70 to 0.95", ALPHA),
            Column("worst, any agreement", ALPHA),
            Column("Tango alone, any agreement"),
        ),
        tuple(jobs),
    )


def power(n: int, delta: float, agreement: float, better: float) -> Row:
    """The chance to promote a good candidate with the gate, Tango's test and an unpaired two-sample test."""
    win, loss = np.array([(1 - agreement + better) / 2]), np.array([(1 - agreement - better) / 2])
    setting = (rule(delta), str(n), f"{agreement:.2f}", f"{points(better)} points")
    found = [
        float(chance(least_wins(n, delta, ALPHA, p, 0.8), n, win, loss)[0])
        for p in (gate_p, tango.p_value, _two_samples)
    ]
    return setting, tuple(map(Rate, found))


def _two_samples(wins: int, losses: int, n: int, delta: float) -> float:
    """The z test of two rates as if the cases were different ones, for a teacher with a pass rate of 0.80."""
    theirs = 0.80
    ours = min(1.0, max(0.0, theirs + (wins - losses) / n))
    error = sqrt((theirs * (1 - theirs) + ours * (1 - ours)) / n)
    return 1.0 - _NORMAL.cdf(((wins - losses) / n + delta) / error)


def power_table(full: bool) -> Table:
    """Power, compared with other tests."""
    settings = [(386, 0.05, 0.90, 0.0), (100, 0.05, 0.95, 0.0)]
    if full:
        settings += [(386, 0.05, 0.80, 0.0), (386, 0.0, 0.90, 0.05)]
        settings += [(1000, 0.02, 0.90, 0.0), (1000, 0.02, 0.95, 0.0), (1500, 0.02, 0.90, 0.0)]
    return Table(
        "What it costs to be exact",
        "The chance to promote a candidate that deserves it, enumerated in the same way: for the gate, for Tango's "
        "score test (slightly above its level, so not quite comparable), and for the z test of two rates, which "
        "ignores the pairing of cases.",
        ("rule", "cases", "agreement", "candidate is better by"),
        (Column("the gate"), Column("Tango"), Column("not paired")),
        tuple((power, setting) for setting in settings),
    )


def obvious(name: str, n: int, delta: float, below: float) -> Row:
    """The first gates that come to mind, at their worst agreement from 0.70 to 0.95."""
    tests = {"score at least the teacher's less the margin": _plain, "Wald interval": _wald}
    least = least_wins(n, delta, ALPHA, tests[name], 0.6)
    win, loss = at_limit(delta + below, 0.70, 0.95)
    worse = "at the limit" if not below else f"{points(below)} points below the limit"
    return (name, str(n), worse), (Rate(float(np.max(chance(least, n, win, loss)))),)


def _plain(wins: int, losses: int, n: int, delta: float) -> float:
    return 0.0 if wins - losses + n * delta >= -1e-9 else 1.0


def _wald(wins: int, losses: int, n: int, delta: float) -> float:
    d = (wins - losses) / n
    variance = (wins + losses) / n - d * d
    z = (d + delta) / sqrt(variance / n) if variance > 1e-12 else (inf if d + delta > 0 else -inf)
    return 1.0 - _NORMAL.cdf(z) if abs(z) < inf else float(z < 0)


def not_significant() -> Row:
    """A pass where no test shows that it is worse: 85 against 75 % in 40 cases."""
    apart = 0.20  # of the cases differ
    win, loss = (apart - 0.10) / 2, (apart + 0.10) / 2
    wins, losses = (grid.ravel() for grid in np.meshgrid(np.arange(41), np.arange(41)))
    inside = wins + losses <= 40
    wins, losses = wins[inside], losses[inside]
    chances = stats.multinomial.pmf(np.column_stack([wins, losses, 40 - wins - losses]), 40, [win, loss, 1 - apart])
    passes = np.array([tango.p_value(int(b), int(w), 40, 0.0) > ALPHA for w, b in zip(wins, losses, strict=True)])
    return ("not significantly worse", "40", "10 points worse, no margin"), (Rate(float(chances[passes].sum())),)


def peeking(n: int, delta: float, every: int, runs: int) -> Row:
    """How often a valid test passes at some point if it is repeated until it passes."""
    rolls = dice("peeking", n, every).random((runs, n))
    loss = (0.10 + delta) / 2  # agreement 0.90, exactly at the limit
    wins, losses = np.cumsum(rolls < 0.10 - loss, axis=1), np.cumsum((rolls >= 0.10 - loss) & (rolls < 0.10), axis=1)
    passed = np.zeros(runs, dtype=bool)
    for count in range(every, n + 1, every):
        known: dict[tuple[int, int], bool] = {}
        for run in np.flatnonzero(~passed):
            key = int(wins[run, count - 1]), int(losses[run, count - 1])
            if key not in known:
                known[key] = tango.p_value(*key, count, delta) <= ALPHA
            passed[run] = known[key]
    return (f"a valid test, looked at every {every} cases until it passes", str(n), "at the limit"), (Rate.of(passed),)


def obvious_table(full: bool) -> Table:
    """The errors of the obvious gates."""
    plain = "score at least the teacher's less the margin"
    jobs = [(obvious, (plain, n, 0.05, 0.0)) for n in (30, 100, 386)]
    jobs.append((obvious, (plain, 386, 0.05, 0.02)))
    jobs += [(obvious, ("Wald interval", n, 0.05, 0.0)) for n in (30, 100, 386)]
    jobs += [(not_significant, ()), (peeking, (386, 0.05, 20, 20_000 if full else 1_000))]
    return Table(
        "The obvious gates",
        "How often the first gates that come to mind promote the same candidates (margin 5 points). These rates are not "
        "checked: they show why the gate is a different one.",
        ("gate", "cases", "the candidate is"),
        (Column("promoted"),),
        tuple(jobs),
    )
