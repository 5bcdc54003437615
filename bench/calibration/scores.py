"""Scores in [0, 1], and means of trials."""

from __future__ import annotations

import numpy as np
from scipy import stats

from bench.calibration.pass_fail import rule
from bench.calibration.table import ALPHA, Column, Rate, Row, Table, dice
from distilltest.gate.comparison import Comparison
from distilltest.statistics import tango

Floats = np.ndarray


def smooth(dice: np.random.Generator, size: tuple[int, int], mean: float) -> Floats:
    """A bell-shaped distribution from 30 points below the mean to 30 above."""
    return mean + 0.6 * (dice.beta(2.0, 2.0, size) - 0.5)


def ties(dice: np.random.Generator, size: tuple[int, int], mean: float) -> Floats:
    """Marks in steps of a half: three quarters of the cases get the same mark."""
    return dice.choice([-0.5, 0.0, 0.5], size, p=[0.125 - mean, 0.75, 0.125 + mean])


def two_valued(dice: np.random.Generator, size: tuple[int, int], mean: float) -> Floats:
    """10 points better or 20 points worse."""
    better = (mean + 0.2) / 0.3
    return np.where(dice.random(size) < better, 0.1, -0.2)


def collapses(dice: np.random.Generator, size: tuple[int, int], mean: float) -> Floats:
    """Nearly all answers are a little better, and a few fall from best to worst."""
    falls = (0.01 - mean) / 1.01
    return np.where(dice.random(size) < falls, -1.0, dice.uniform(0.0, 0.02, size))


SHAPES = {
    "smooth": smooth,
    "three marks, many ties": ties,
    "two values": two_valued,
    "rare collapses": collapses,
}


def gate(differences: Floats, delta: float) -> bool:
    """Whether the gate promotes."""
    return Comparison("teacher", tuple(differences.tolist()), 0, False).p_value(delta) <= ALPHA


def t_test(differences: Floats, delta: float) -> Floats:
    """Whether the t test promotes, for each run. Without variance it always does if the mean is above the limit."""
    n = differences.shape[1]
    error = differences.std(axis=1, ddof=1) / np.sqrt(n)
    t = (differences.mean(axis=1) + delta) / np.maximum(error, 1e-12)
    return t >= stats.t.isf(ALPHA, n - 1)


def errors(shape: str, n: int, delta: float, better: float, runs: int) -> Row:
    """The gate and the t test, on differences with a mean of -delta + better."""
    differences = SHAPES[shape](dice(shape, n, delta, better), (runs, n), better - delta)
    promoted = [gate(each, delta) for each in differences]
    return (shape, rule(delta), str(n)), (Rate.of(promoted), Rate.of(t_test(differences, delta)))


def table(full: bool) -> Table:
    """Errors at the limit."""
    runs = 5_000 if full else 300
    jobs = [(errors, (shape, n, delta, 0.0, runs)) for shape in SHAPES for delta in (0.05, 0.0) for n in (30, 100, 386)]
    return Table(
        "Scores",
        f"Simulated, {runs:,} runs a row, through `Comparison.p_value`, which is the anchored mean test here. The "
        "t test, which most tools use, is shown for comparison. Note its errors in the rows with collapses.",
        ("scores", "rule", "cases"),
        (Column("the gate", ALPHA), Column("t test")),
        tuple(jobs),
    )


def power_table(full: bool) -> Table:
    """Power compared with the t test, on data for which the t test is valid."""
    runs = 2_000 if full else 100
    settings = [
        ("smooth", 100, 0.05, 0.05),
        ("smooth", 386, 0.05, 0.05),
        ("three marks, many ties", 386, 0.05, 0.05),
        ("three marks, many ties", 1000, 0.05, 0.05),
    ]
    return Table(
        "What it costs to assume no shape",
        f"The chance to promote a candidate that is as good as the teacher, {runs:,} runs a row, on data for which the t test "
        "is valid.",
        ("scores", "rule", "cases"),
        (Column("the gate"), Column("t test")),
        tuple((errors, (*setting, runs)) for setting in settings),
    )


def trials(n: int, k: int, alike: float, runs: int) -> Row:
    """Several trials per case. In a share of the cases, both models find the case equally difficult."""
    delta, rolls = 0.05, dice("trials", n, k, alike)
    theirs_luck, other = rolls.random((runs, n)), rolls.random((runs, n))
    ours_luck = np.where(rolls.random((runs, n)) < alike, theirs_luck, other)
    teacher = rolls.random((runs, n, k)) < stats.beta.ppf(theirs_luck, 1.6, 0.4)[..., None]  # mean 0.80
    candidate = rolls.random((runs, n, k)) < stats.beta.ppf(ours_luck, 1.5, 0.5)[..., None]  # mean 0.75
    promoted = [gate(each, delta) for each in (candidate.mean(axis=2) - teacher.mean(axis=2))]
    wins, losses = (candidate & ~teacher).sum(axis=(1, 2)), (teacher & ~candidate).sum(axis=(1, 2))
    pooled = [tango.p_value(int(w), int(lo), n * k, delta) <= ALPHA for w, lo in zip(wins, losses, strict=True)]
    return (f"{alike:.0%} of the cases", str(n), str(k)), (Rate.of(promoted), Rate.of(pooled))


def trials_table(full: bool) -> Table:
    """Several trials per case."""
    runs = 2_000 if full else 200
    settings = [(n, 5, alike) for alike in (0.8, 0.0) for n in (30, 100, 386)]
    if full:
        settings.append((100, 10, 0.0))
    return Table(
        "Trials",
        f"Five trials of every case, {runs:,} runs a row. Each case has its own chance of a right answer "
        "(beta-distributed, mostly close to 0 or 1). The candidate's chances are 5 points lower on average, exactly "
        "at the limit of `not_worse_than` with 5 points. The gate uses the mean of a case's trials as one value. "
        "Counting each trial as a case, which is shown for comparison, errs if the models find different cases hard.",
        ("same difficulty for both models in", "cases", "trials"),
        (Column("the gate", ALPHA), Column("trials pooled as cases")),
        tuple((trials, (*setting, runs)) for setting in settings),
    )
