"""Planned looks, and several attempts on the same cases."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from bench.calibration.exact import comparison, gate_p, least_wins
from bench.calibration.table import ALPHA, Column, Rate, Row, Table, dice, points
from distilltest.gate import Looks, RuleVerdict, Status, Verdict, not_worse_than
from distilltest.gate.rule import weigh

MARGIN = 0.05


RULE = not_worse_than("teacher", margin=MARGIN)


@lru_cache(maxsize=200_000)
def _verdict(wins: int, losses: int, n: int, level: float) -> Verdict:
    """What the gate says of the cases so far: as ``decide``, without the interval, which takes most of its time."""
    pairs = comparison(wins, losses, n)
    p, against = pairs.p_value(MARGIN, level), pairs.swapped().p_value(-MARGIN, level)
    judged = RuleVerdict(RULE.describe(), weigh(p, against, level, level), "", p=p)
    return Verdict(judged.status, "", (judged,))


def _run(better: float, n: int, agreement: float, runs: int) -> tuple[np.ndarray, np.ndarray]:
    """Wins and losses after each case."""
    luck = dice("looks", better, n, agreement).random((runs, n))
    loss = (1.0 - agreement - better) / 2.0
    return np.cumsum(luck >= agreement + loss, axis=1), np.cumsum(luck < loss, axis=1)


def stop(better: float, n: int, agreement: float, limit: bool, runs: int) -> Row:
    """How often it promotes, ends as futile, and what share of the calls it saves."""
    wins, losses = _run(better, n, agreement, runs)
    looks = Looks.plan(n, ALPHA, early=True)
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
        "At most four planned looks (`gate.Looks`, what `--stop-early` uses) at the verdict of the comparison, "
        f"margin 5 points, {runs:,} runs a row. A run stops when the rule is proven, when there is evidence "
        "against it, or when the rest would hardly prove it. That last bound is not binding: the second column "
        "counts what is promoted if runs that could have stopped as hopeless go on. *With one look* is the usual "
        "gate at the end of the same runs; *saved* is the share of calls not needed.",
        ("the candidate is", "cases", "agreement"),
        (
            Column("promoted at the limit", ALPHA),
            Column("promoted at any look, at the limit", ALPHA),
            Column("promoted, not at the limit"),
            Column("with one look"),
            Column("saved"),
        ),
        tuple((stop, (*setting, runs)) for setting in settings),
    )


def attempts(candidates: int, n: int, alike: float, runs: int) -> Row:
    """The best of several candidates at the limit, all on the same cases and against the same teacher."""
    least_corrected = least_wins(n, MARGIN, ALPHA / candidates, gate_p, 0.8)
    least_plain = least_wins(n, MARGIN, ALPHA, gate_p, 0.8)
    rolls = dice("attempts", candidates, n, alike)
    corrected, plain = np.zeros(runs, bool), np.zeros(runs, bool)
    shared = rolls.random((runs, n))
    loss = (0.10 + MARGIN) / 2.0
    for _ in range(candidates):
        luck = np.where(rolls.random((runs, n)) < alike, shared, rolls.random((runs, n)))
        wins, losses = (luck >= 1.0 - 0.10 + loss).sum(axis=1), (luck < loss).sum(axis=1)
        corrected |= wins >= least_corrected[losses]
        plain |= wins >= least_plain[losses]
    setting = (str(candidates), f"{alike:.0%} of the cases", str(n))
    return setting, (Rate.of(corrected), Rate.of(plain))


def attempts_table(full: bool) -> Table:
    """Several attempts."""
    runs = 10_000 if full else 1_000
    settings = [(count, 386, alike) for count in (3, 10) for alike in (0.0, 0.7)]
    return Table(
        "Several attempts on the same cases",
        "The chance that the best of several candidates, all exactly at the limit of 5 points (agreement 0.90), "
        f"is promoted, {runs:,} runs a row, through `Comparison.p_value`: at alpha divided by the number of "
        "candidates, and without that, for comparison.",
        ("candidates", "same answer as another candidate in", "cases"),
        (Column("at alpha / K", ALPHA), Column("at alpha")),
        tuple((attempts, (*setting, runs)) for setting in settings),
    )
