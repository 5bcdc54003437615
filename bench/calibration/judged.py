"""Judges that are more lenient with one model than with the other."""

from __future__ import annotations

import numpy as np

from bench.calibration.scores import t_test
from bench.calibration.table import ALPHA, Column, Rate, Row, Table, dice, points
from distilltest.statistics import prediction_powered, tango

MARGIN = 0.05
LENIENT = (0.20, 0.08)
"""How often the judge passes a wrong answer of the candidate, and of the teacher."""


def judged(better: float, n: int, labels: int, alike: float, runs: int) -> Row:
    """The teacher passes 80 %, the candidate 80 % plus ``better``. People labelled the first cases."""
    rolls = dice("judged", better, n, labels, alike)
    teacher = rolls.random((runs, n)) < 0.80
    rate = (0.80 + better - alike * 0.80) / (1.0 - alike)  # its pass rate where it does not answer like the teacher
    candidate = np.where(rolls.random((runs, n)) < alike, teacher, rolls.random((runs, n)) < rate)
    ours, theirs = (
        passed | (rolls.random((runs, n)) < lenient)
        for passed, lenient in zip((candidate, teacher), LENIENT, strict=True)
    )
    y, f = candidate.astype(float) - teacher, ours.astype(float) - theirs
    corrected = [
        prediction_powered.estimate(y[run, :labels], f[run, :labels], f[run, labels:]).p_value(MARGIN) <= ALPHA
        for run in range(runs)
    ]
    wins, losses = (f > 0).sum(axis=1), (f < 0).sum(axis=1)
    believed = [tango.p_value(int(w), int(lo), n, MARGIN) <= ALPHA for w, lo in zip(wins, losses, strict=True)]
    limit = better == -MARGIN
    setting = ("at the limit" if limit else f"{points(better)} points better", str(n), str(labels), f"{alike:.0%}")
    return setting, (
        Rate.of(corrected) if limit else "",
        "" if limit else Rate.of(corrected),
        Rate.of(t_test(y[:, :labels], MARGIN)),
        Rate.of(believed),
    )


def table(full: bool) -> Table:
    """With and without the correction."""
    runs = 3_000 if full else 300
    settings = [
        (better, n, labels, alike)
        for better in (-MARGIN, 0.0)
        for n, labels, alike in ((800, 200, 0.8), (800, 400, 0.8), (2000, 200, 0.9), (386, 200, 0.6))
    ]
    return Table(
        "Judges",
        "The judge passes 20 % of the candidate's wrong answers and 8 % of the teacher's. People labelled "
        f"some of the cases. {runs:,} runs a row, margin 5 points, through `statistics.prediction_powered`. "
        "The judge without correction, and the t test of the labels alone, are shown for comparison.",
        ("the candidate is", "cases", "labelled", "answers like the teacher in"),
        (
            Column("promoted at the limit", ALPHA),
            Column("promoted, good candidate"),
            Column("labels alone"),
            Column("the judge alone"),
        ),
        tuple((judged, (*setting, runs)) for setting in settings),
    )
