"""Several cases from one document."""

from __future__ import annotations

import numpy as np

from bench.calibration.pass_fail import rule
from bench.calibration.table import ALPHA, Column, Rate, Row, Table, dice
from distilltest.comparison import Comparison
from distilltest.statistics import tango

Floats = np.ndarray


def _both_ways(dice: np.random.Generator, of: Floats, count: int, mean: float) -> Floats:
    """A document is up to 10 points better or worse than the mean; a quarter of its cases differ."""
    means = mean + 0.1 * (2.0 * dice.beta(0.5, 0.5, count) - 1.0)
    luck, worse = dice.random(of.size), (0.25 - means[of]) / 2.0
    return np.where(luck < worse, -1.0, np.where(luck < 0.25, 1.0, 0.0))


def _skewed(dice: np.random.Generator, of: Floats, count: int, mean: float) -> Floats:
    """Most documents lose hardly anything and some lose most of their cases; elsewhere a few cases are won."""
    lost = 0.05 - mean
    losses = dice.beta(0.5, 0.5 * (1.0 - lost) / lost, count)
    gained = dice.random(of.size) < 0.05 / (1.0 - lost)
    return np.where(dice.random(of.size) < losses[of], -1.0, np.where(gained, 1.0, 0.0))


def _whole(dice: np.random.Generator, of: Floats, count: int, mean: float) -> Floats:
    """A fifth of the documents are won or lost as a whole."""
    return np.asarray(dice.choice([-1.0, 0.0, 1.0], count, p=[0.1 - mean / 2, 0.8, 0.1 + mean / 2])[of])


def _rare(dice: np.random.Generator, of: Floats, count: int, mean: float) -> Floats:
    """Very few documents are lost as a whole; elsewhere a few cases are won."""
    lost = dice.random(count) < (0.03 - mean) / 1.03
    return np.where(lost[of], -1.0, np.where(dice.random(of.size) < 0.03, 1.0, 0.0))


KINDS = {
    "better in some, worse in others": _both_ways,
    "some lose much": _skewed,
    "won or lost as a whole": _whole,
    "a few lost as a whole": _rare,
}


def errors(kind: str, count: int, delta: float, better: float, runs: int) -> Row:
    """The gate, and the gate without knowing of clusters."""
    rolls = dice(kind, count, delta, better)
    promoted, ignored = [], []
    for _ in range(runs):
        of = np.repeat(np.arange(count), rolls.integers(2, 13, count))
        differences = KINDS[kind](rolls, of, count, better - delta)
        paired = Comparison("teacher", tuple(differences.tolist()), 0, True, tuple(map(str, of.tolist())))
        promoted.append(paired.p_value(delta) <= ALPHA)
        ignored.append(tango.p_value(paired.wins, paired.losses, paired.n, delta) <= ALPHA)
    return (kind, rule(delta), str(count)), (Rate.of(promoted), Rate.of(ignored))


def table(full: bool) -> Table:
    """Errors at the limit."""
    runs = 2_000 if full else 100
    settings = [(kind, count, 0.05) for kind in KINDS for count in (10, 20, 40, 100)]
    settings += [(kind, count, delta) for kind in KINDS for delta in (0.15, 0.0) for count in (20, 40)]
    return Table(
        "Clusters",
        f"Documents of 2 to 12 cases each, {runs:,} runs a row, pass and fail, through `Comparison.p_value`. What "
        "happens in one case of a document mostly happens in its other cases, too. The same data without their "
        "clusters are shown for comparison.",
        ("documents", "rule", "number of documents"),
        (Column("the gate", ALPHA), Column("clusters ignored")),
        tuple((errors, (*setting, 0.0, runs)) for setting in settings),
    )


def power_table(full: bool) -> Table:
    """How often a good candidate passes."""
    runs = 600 if full else 40
    settings = [(20, 0.15), (40, 0.15), (60, 0.05), (100, 0.05), (200, 0.05)]
    kind = "better in some, worse in others"
    return Table(
        "What clusters cost",
        f"The chance to promote a candidate that is as good as the teacher, {runs:,} runs a row. Below 59 "
        "documents a margin of 5 points cannot be proven for an equal candidate: too easily would they hold no "
        "document of those that got lost.",
        ("documents", "rule", "number of documents"),
        (Column("the gate"), Column("clusters ignored")),
        tuple((errors, (kind, count, delta, delta, runs)) for count, delta in settings),
    )
