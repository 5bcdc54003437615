"""Interim analyses, and several attempts on the same cases."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from bench.calibration.exact import comparison, least_wins
from bench.calibration.table import ALPHA, Column, Job, Rate, Row, Table, dice, points
from distilltest.gate import InterimAnalyses, RuleVerdict, Status, Verdict, not_worse_than
from distilltest.gate.rule import weigh
from distilltest.statistics import spending

MARGIN = 0.05


RULE = not_worse_than("teacher", margin=MARGIN)


@lru_cache(maxsize=200_000)
def _verdict(wins: int, losses: int, n: int, level: float) -> Verdict:
    """The gate's verdict on the cases so far: like ``decide``, without the interval, which takes most of the time."""
    pairs = comparison(wins, losses, n)
    p, against = pairs.p_value(MARGIN, level), pairs.swapped().p_value(-MARGIN, level)
    judged = RuleVerdict(RULE.describe(), weigh(p, against, level, level), "", p=p)
    return Verdict(judged.status, "", (judged,))


def _run(better: float, n: int, agreement: float, runs: int, number: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The k-th candidate's wins and losses after each case."""
    luck = dice("looks", better, n, agreement, *([number] if number > 1 else [])).random((runs, n))
    loss = (1.0 - agreement - better) / 2.0
    return np.cumsum(luck >= agreement + loss, axis=1), np.cumsum(luck < loss, axis=1)


def stop(better: float, n: int, agreement: float, limit: bool, runs: int) -> Row:
    """How often the gate promotes with and without early stopping, and the share of calls saved."""
    wins, losses = _run(better, n, agreement, runs)
    looks = InterimAnalyses.plan(n, ALPHA, early=True)
    promoted, anyway, at_end = (np.zeros(runs, bool) for _ in range(3))
    used = np.full(runs, n)
    for run in range(runs):
        stopped = False
        for number, count in enumerate(looks.cases):
            verdict = _verdict(int(wins[run, count - 1]), int(losses[run, count - 1]), count, looks.level(number))
            holds = verdict.status is Status.PROMOTE
            anyway[run] |= holds
            if not stopped and (number == looks.last or looks.stop([RULE], verdict, number)):
                promoted[run], used[run], stopped = holds, count, True
        at_end[run] = _verdict(int(wins[run, -1]), int(losses[run, -1]), n, ALPHA).status is Status.PROMOTE
    where = (
        "at the limit"
        if limit
        else ("equal" if better == 0 else f"{points(abs(better))} points {'better' if better > 0 else 'worse'}")
    )
    setting = (where, str(n), f"{agreement:.2f}")
    error, power = (Rate.of(promoted), "") if limit else ("", Rate.of(promoted))
    return setting, (error, Rate.of(anyway) if limit else "", power, Rate.of(at_end), f"{1 - used.mean() / n:.0%}")


def table(full: bool) -> Table:
    """Early stopping."""
    runs = 2_000 if full else 150
    settings = [(-MARGIN, 100, 0.90, True), (0.02, 386, 0.90, False)]
    if full:
        settings += [(-MARGIN, 386, 0.90, True), (0.0, 386, 0.90, False), (-0.10, 386, 0.85, False)]
    return Table(
        "Early stopping",
        "At most four interim analyses (`gate.InterimAnalyses`, which `--stop-early` uses) of the comparison, "
        f"margin 5 points, {runs:,} runs a row. A run stops if the rule is proven, if there is evidence against it, or if "
        "the remaining cases are unlikely to prove it. This last bound is not binding: the second column counts promotions "
        "if runs that could have stopped as hopeless continue. *With one analysis* is the usual gate at the end of the same "
        "runs; *saved* is the share of calls that were not needed.",
        ("the candidate is", "cases", "agreement"),
        (
            Column("promoted at the limit", ALPHA),
            Column("promoted at any analysis, at the limit", ALPHA),
            Column("promoted, not at the limit"),
            Column("with one analysis"),
            Column("saved"),
        ),
        tuple((stop, (*setting, runs)) for setting in settings),
    )


@lru_cache(maxsize=256)
def _least(n: int, level: float) -> np.ndarray:
    """The fewest wins that promote at a level, for each number of losses. The gate's test also depends on the level."""

    def p(wins: int, losses: int, n: int, delta: float) -> float:
        return comparison(wins, losses, n).p_value(delta, level)

    return least_wins(n, MARGIN, level, p, 0.90)


SCHEMES: tuple[Callable[[int, int], float], ...] = (
    lambda number, _count: spending.granted(number, sum(map(spending.share, range(1, number)))),
    lambda number, count: spending.granted(number, (number - 1) / count, count),
    lambda number, _count: 1.0 / number,
    lambda _number, _count: 1.0,
)
"""The share of alpha that the k-th of K candidates spends: not declared, declared, divided by k, and all of it."""


def attempts(candidates: int, n: int, alike: float, runs: int) -> Row:
    """How often any of several candidates at the limit is promoted, with the gate's way to share the level and with others."""
    rolls = dice("attempts", candidates, n, alike)
    loss = (0.10 + MARGIN) / 2.0
    promoted = np.zeros((len(SCHEMES), runs), bool)
    shared = rolls.random((runs, n))
    for number in range(1, candidates + 1):
        luck = np.where(rolls.random((runs, n)) < alike, shared, rolls.random((runs, n)))
        wins, losses = (luck >= 1.0 - 0.10 + loss).sum(axis=1), (luck < loss).sum(axis=1)
        for scheme, spent in enumerate(SCHEMES):
            promoted[scheme] |= wins >= _least(n, ALPHA * spent(number, candidates))[losses]
    return (str(candidates), f"{alike:.0%} of the cases", str(n), "one"), tuple(Rate.of(each) for each in promoted)


def attempts_with_looks(candidates: int, n: int, runs: int) -> Row:
    """The same with up to four interim analyses of each candidate."""
    promoted = np.zeros((2, runs), bool)
    for number in range(1, candidates + 1):
        wins, losses = _run(-MARGIN, n, 0.90, runs, number)
        for scheme, spent in enumerate(SCHEMES[:2]):
            looks = InterimAnalyses.plan(n, ALPHA * spent(number, candidates), early=True)
            for look, count in enumerate(looks.cases):
                promoted[scheme] |= wins[:, count - 1] >= _least_at(count, looks.level(look))[losses[:, count - 1]]
    return (str(candidates), "0% of the cases", str(n), "up to four"), (*map(Rate.of, promoted), "", "")


@lru_cache(maxsize=512)
def _least_at(n: int, level: float) -> np.ndarray:
    least = _least(n, level)
    return np.append(least, np.full(n + 1 - least.size, n + 1))


def attempts_table(full: bool) -> Table:
    """Several attempts."""
    runs = 10_000 if full else 1_000
    counts = (1, 2, 3, 5, 10, 20) if full else (3, 20)
    settings = [(count, 386, alike) for count in counts for alike in (0.0, 0.7) if count > 1 or not alike]
    jobs: list[Job] = [(attempts, (*setting, runs)) for setting in settings]
    jobs += [(attempts_with_looks, (count, 386, runs)) for count in ((3, 10) if full else (3,))]
    return Table(
        "Several attempts on the same cases",
        "The chance that any of several candidates, all exactly at the limit of 5 points (agreement 0.90), is promoted, "
        f"{runs:,} runs a row, through `Comparison.p_value` at the gate's levels (`statistics.spending`): without a declaration, "
        "the k-th has level 6 alpha / (pi k)^2; with one, each has alpha / K. Two other ways are shown for comparison. "
        "With up to four interim analyses, each has a part of the attempt's level, and a promotion at any of them counts.",
        ("candidates", "same answer as another candidate in", "cases", "analyses"),
        (Column("not declared", ALPHA), Column("declared", ALPHA), Column("alpha / k"), Column("alpha each")),
        tuple(jobs),
    )


def attempts_power_table(full: bool) -> Table:
    """The cost of sharing the level."""
    runs = 4_000 if full else 500
    settings = [(number, better) for number in ((1, 2, 5, 10) if full else (1, 5)) for better in (0.0, 0.02)]
    return Table(
        "What several attempts cost",
        "The chance to promote a good candidate that is the k-th: 386 cases, margin 5 points, agreement 0.90, "
        f"{runs:,} runs a row.",
        ("the candidate is the", "and is"),
        (Column("not declared"), Column("5 declared"), Column("at alpha")),
        tuple((attempts_power, (*setting, runs)) for setting in settings),
    )


def attempts_power(number: int, better: float, runs: int) -> Row:
    """How often a good candidate that is the k-th is promoted."""
    wins, losses = (each[:, -1] for each in _run(better, 386, 0.90, runs))
    shares = (SCHEMES[0](number, number), SCHEMES[1](number, 5) if number <= 5 else 0.0, 1.0)
    rates = [Rate.of(wins >= _least_at(386, ALPHA * share)[losses]) if share else "" for share in shares]
    return (f"{number}.", "equal" if not better else f"{points(better)} points better"), tuple(rates)
