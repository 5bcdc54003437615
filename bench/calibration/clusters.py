"""Clusters of cases, such as documents, of equal and unequal size."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from bench.calibration.pass_fail import rule
from bench.calibration.table import ALPHA, Column, Rate, Row, Table, dice, points
from distilltest.gate.comparison import Comparison
from distilltest.statistics import anchored, clusters, tango, values

Floats = np.ndarray


def _both_ways(dice: np.random.Generator, of: Floats, count: int, mean: float) -> Floats:
    """Each document is up to 10 points better or worse than the mean; a quarter of its cases differ."""
    means = mean + 0.1 * (2.0 * dice.beta(0.5, 0.5, count) - 1.0)
    luck, worse = dice.random(of.size), (0.25 - means[of]) / 2.0
    return np.where(luck < worse, -1.0, np.where(luck < 0.25, 1.0, 0.0))


def _skewed(dice: np.random.Generator, of: Floats, count: int, mean: float) -> Floats:
    """Most documents lose almost nothing, and some lose most of their cases; a few other cases are won."""
    lost = 0.05 - mean
    losses = dice.beta(0.5, 0.5 * (1.0 - lost) / lost, count)
    gained = dice.random(of.size) < 0.05 / (1.0 - lost)
    return np.where(dice.random(of.size) < losses[of], -1.0, np.where(gained, 1.0, 0.0))


def _whole(dice: np.random.Generator, of: Floats, count: int, mean: float) -> Floats:
    """A fifth of the documents are won or lost as a whole."""
    return np.asarray(dice.choice([-1.0, 0.0, 1.0], count, p=[0.1 - mean / 2, 0.8, 0.1 + mean / 2])[of])


def _rare(dice: np.random.Generator, of: Floats, count: int, mean: float) -> Floats:
    """Very few documents are lost as a whole; a few other cases are won."""
    lost = dice.random(count) < (0.03 - mean) / 1.03
    return np.where(lost[of], -1.0, np.where(dice.random(of.size) < 0.03, 1.0, 0.0))


KINDS = {
    "better in some, worse in others": _both_ways,
    "some lose much": _skewed,
    "won or lost as a whole": _whole,
    "a few lost as a whole": _rare,
}


def _promotes(differences: Floats, of: Floats, delta: float, *, binary: bool) -> bool:
    """Whether the gate's p is at most alpha. It is the larger of two p-values; the cheaper one is checked first."""
    names = of.tolist()
    lost = clusters.unmet_p(differences, names, delta)
    if lost is None or lost > ALPHA:
        return False
    return Comparison("teacher", tuple(differences.tolist()), 0, binary, tuple(map(str, names))).p_value(delta) <= ALPHA


def errors(kind: str, count: int, delta: float, better: float, runs: int) -> Row:
    """The error rate of the gate, and of the gate without the clusters."""
    rolls = dice(kind, count, delta, better)
    promoted, ignored = [], []
    for _ in range(runs):
        of = np.repeat(np.arange(count), rolls.integers(2, 13, count))
        differences = KINDS[kind](rolls, of, count, better - delta)
        promoted.append(_promotes(differences, of, delta, binary=True))
        wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
        ignored.append(tango.p_value(wins, losses, differences.size, delta) <= ALPHA)
    return (kind, rule(delta), str(count)), (Rate.of(promoted), Rate.of(ignored))


def table(full: bool) -> Table:
    """Errors at the limit."""
    runs = 1_000 if full else 100
    settings = [(kind, count, 0.05) for kind in KINDS for count in (10, 20, 40, 100)]
    settings += [(kind, count, delta) for kind in KINDS for delta in (0.15, 0.0) for count in (20, 40)]
    return Table(
        "Clusters",
        f"Documents of 2 to 12 cases each, {runs:,} runs a row, pass and fail, through `Comparison.p_value`. Cases of "
        "one document mostly have the same outcome. The same data without their clusters are shown for comparison.",
        ("documents", "rule", "number of documents"),
        (Column("the gate", ALPHA), Column("clusters ignored")),
        tuple((errors, (*setting, 0.0, runs)) for setting in settings),
    )


def power_table(full: bool) -> Table:
    """How often a good candidate is promoted."""
    runs = 600 if full else 40
    settings = [(20, 0.15), (40, 0.15), (60, 0.05), (100, 0.05), (200, 0.05)]
    kind = "better in some, worse in others"
    return Table(
        "What clusters cost",
        f"The chance to promote a candidate that is as good as the teacher, {runs:,} runs a row. With fewer than 59 "
        "documents, a margin of 5 points cannot be proven for an equal candidate: such a sample could easily miss every "
        "lost document.",
        ("documents", "rule", "number of documents"),
        (Column("the gate"), Column("clusters ignored")),
        tuple((errors, (kind, count, delta, delta, runs)) for count, delta in settings),
    )


SIZES: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "6 cases": lambda rolls, count: np.full(count, 6.0),
    "2 to 12": lambda rolls, count: rolls.integers(2, 13, count).astype(float),
    "3 to 20": lambda rolls, count: rolls.integers(3, 21, count).astype(float),
    "lognormal, 1 to 60": lambda rolls, count: np.clip(np.round(np.exp(rolls.normal(1.2, 1.0, count))), 1.0, 60.0),
    "Pareto, 1 to 60": lambda rolls, count: np.minimum(60.0, np.floor(rolls.random(count) ** (-1 / 1.1))),
}
SELDOM = 10
"""The other tests are computed for one run in this number."""


@lru_cache
def _held(sizes: str, least: int) -> float:
    """The average share of all cases that are in documents of ``least`` cases or more."""
    some = SIZES[sizes](dice("held", sizes), 1_000_000)
    return float(some[some >= least].sum() / some.sum())


def _drawn(
    rolls: np.random.Generator, sizes: str, count: int, least: int, mean: float, others: str
) -> tuple[Floats, Floats]:
    """Draw sizes and sums of documents with this mean. Documents of ``least`` cases or more are sometimes lost as a whole.

    In the others no case differs (``all equal``), one in ten is won (``a tenth won``), or a quarter differ in either direction.
    """
    some = SIZES[sizes](rolls, count)
    whole = some.astype(int)
    if others == "both ways":
        level = max(0.0, mean)
        each = level + 0.1 * (2.0 * rolls.beta(0.5, 0.5, count) - 1.0)
        lost = rolls.binomial(whole, (0.25 - each) / 2.0)
        sums = (rolls.binomial(whole - lost, (0.25 + each) / (1.75 + each)) - lost).astype(float)
    else:
        level = 0.1 if others == "a tenth won" else 0.0
        sums = rolls.binomial(whole, level).astype(float)
    chance = (level - mean) / (1.0 + level) / _held(sizes, least)
    return some, np.where((rolls.random(count) < chance) & (some >= least), -some, sums)


def _plain(found: clusters.Clustered) -> float:
    """The p-value of the jackknife t; 0 if there is no variance."""
    return found.jackknife or 0.0 if found.standard_error > 1e-12 else 0.0


def _counting(sums: Floats, sizes: Floats, found: clusters.Clustered, delta: float) -> float:
    """The larger of the jackknife t and a bound for unmet clusters that ignores their weight."""
    return max(_plain(found), values.all_equal(found.mean, sums.size, delta))


def _weighted(sums: Floats, sizes: Floats, found: clusters.Clustered, delta: float) -> float:
    """The same, with the largest such bound over the k heaviest clusters."""
    share = (found.mean + delta) / (1.0 + found.mean)
    return max(_plain(found), _not_met(sizes, share))


def _not_met(sizes: Floats, share: float) -> float:
    held = np.cumsum(np.sort(sizes)[::-1]) / sizes.sum()
    return float(((1.0 - np.clip(share / held, 0.0, 1.0)) ** np.arange(1, sizes.size + 1)).max())


def _anchored(sums: Floats, sizes: Floats, found: clusters.Clustered, delta: float) -> float:
    """The anchored mean test of whole clusters, in units of the largest cluster."""
    return anchored.p_value(np.clip((sums + delta * sizes) / sizes.max() - delta, -1.0, 1.0), delta)


OTHERS = (_counting, _weighted, _anchored)


def unequal(sizes: str, count: int, delta: float, better: float, least: int, others: str, runs: int) -> Row:
    """The rates of the gate and of three other tests, and an upper bound for all tests."""
    rolls = dice(sizes, count, delta, better, least, others)
    promoted, highest = [], []
    compared: tuple[list[bool], ...] = ([], [], [])
    for run in range(runs):
        some, sums = _drawn(rolls, sizes, count, least, better - delta, others)
        of = np.repeat(np.arange(count), some.astype(int))
        d = np.repeat(sums / some, some.astype(int))
        promoted.append(_promotes(d, of, delta, binary=False))
        highest.append(min(1.0, ALPHA / _not_met(some, better / (1.0 + better - delta))) if better else ALPHA)
        if run % SELDOM == 0:
            found = clusters.evaluate(d, of.tolist(), delta)
            for test, said in zip(OTHERS, compared, strict=True):
                said.append(test(sums, some, found, delta) <= ALPHA)
    where = "all" if least == 1 else f"of {least} cases or more"
    setting = (
        sizes,
        str(count),
        rule(delta),
        *((where, others) if not better else (f"{points(better - delta)} points",)),
    )
    rates = (Rate.of(promoted), *(Rate.of(said) for said in compared))
    return setting, (*rates, f"{np.mean(highest):.2f}") if better else rates


TESTS = (Column("counting clusters"), Column("the k heaviest"), Column("anchored"))


def unequal_table(full: bool) -> Table:
    """Errors at the limit if sizes differ and the effect depends on them."""
    runs = 1_500 if full else 100
    settings = [("Pareto, 1 to 60", 100, 20, "a tenth won"), ("2 to 12", 60, 10, "all equal")]
    if full:
        settings = [
            (sizes, count, least, others)
            for sizes, counts, leasts in (
                ("2 to 12", (40, 80), (1, 8)),
                ("3 to 20", (60,), (15,)),
                ("lognormal, 1 to 60", (150,), (1, 12)),
                ("Pareto, 1 to 60", (60, 100), (1, 20, 40)),
            )
            for count in counts
            for least in leasts
            for others in ("all equal", "a tenth won", "both ways")
        ]
    return Table(
        "Clusters of unequal size",
        f"As above, {runs:,} runs a row, at the limit of 5 points; some documents are lost as a whole, in many rows only the "
        "long ones. In the others no case differs, one in ten is won, or a quarter differ in either direction. Three other tests "
        "of the same data are shown for comparison, with a tenth of the runs: the gate's test without the weight of unmet "
        "clusters (*counting clusters*), its test with the bound of the k heaviest clusters, and the anchored test of whole "
        "clusters.",
        ("cases in a document", "documents", "rule", "lost are", "in the others"),
        (Column("the gate", ALPHA), *TESTS),
        tuple((unequal, (sizes, count, 0.05, 0.0, least, others, runs)) for sizes, count, least, others in settings),
    )


def unequal_power_table(full: bool) -> Table:
    """What the weight of unmet clusters costs."""
    runs = 400 if full else 40
    settings = [("2 to 12", 100, 0.05, 0.05), ("3 to 20", 40, 0.05, 0.08)]
    if full:
        settings += [("6 cases", count, 0.05, 0.05) for count in (60, 100, 200)]
        settings += [("2 to 12", count, 0.05, 0.05) for count in (60, 200)]
        settings += [("2 to 12", 20, 0.15, 0.15), ("lognormal, 1 to 60", 150, 0.05, 0.05)]
        settings += [("lognormal, 1 to 60", 300, 0.05, 0.05), ("Pareto, 1 to 60", 200, 0.05, 0.05)]
    return Table(
        "What clusters of unequal size cost",
        f"The chance to promote a candidate that deserves it, {runs:,} runs a row; a quarter of the cases of each document "
        "differ, in either direction. *Counting clusters* errs at the limit, as the table of unequal sizes shows, so its "
        "power cannot be compared. If a few documents hold most cases, every test has little power: *no test above* is an upper "
        "bound for any test that keeps its level for documents that are lost as a whole.",
        ("cases in a document", "documents", "rule", "the candidate is better by"),
        (Column("the gate"), *TESTS, Column("no test above")),
        tuple((unequal, (*setting, 1, "both ways", runs)) for setting in settings),
    )
