"""Gates with people's labels: few or many labels, clusters, interim analyses, and one-sided losses."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from unittest.mock import patch

import numpy as np

from bench.calibration.table import ALPHA, Column, Rate, Row, Table, dice, points
from distilltest.gate import InterimAnalyses, Status, decide, not_worse_than
from distilltest.gate.comparison import Comparison
from distilltest.gate.table import ResultsTable
from distilltest.statistics import exact_unconditional, prediction_powered

MARGIN = 0.05
RULE = not_worse_than("teacher", margin=MARGIN)
_exact = lru_cache(maxsize=200_000)(exact_unconditional.p_value)
RAW = 40
"""The number of runs that are also decided by the judge alone, which is slow and rarely in doubt."""
BLIND = 0.7
"""How often the judge passes a wrong answer of the candidate."""
Booleans = np.ndarray


def answers(better: float, n: int, cluster: int, rolls: np.random.Generator) -> tuple[Booleans, Booleans, Booleans]:
    """People's grades of teacher and candidate, and the judge's grades of the candidate.

    The teacher passes 80 %. If there are documents, the candidate's losses come in whole documents.
    """
    documents = np.repeat(np.arange(-(-n // cluster)), cluster)[:n]
    teacher = rolls.random(n) < 0.80
    loss = 0.04 - better  # of all cases; 4 % are won
    luck = rolls.random(documents[-1] + 1)[documents] if cluster > 1 else rolls.random(n)
    lost = teacher & (luck < loss / 0.80)
    won = ~teacher & (rolls.random(n) < 0.04 / 0.20)
    candidate = (teacher & ~lost) | won
    return teacher, candidate, candidate | (rolls.random(n) < BLIND)


def table_of(
    teacher: Booleans, candidate: Booleans, judged: Booleans, labelled: Booleans, cluster: int
) -> ResultsTable:
    """The table that the runner would pass to the gate."""
    n = len(teacher)
    known = labelled.tolist()

    def said(column: Booleans) -> tuple[float | None, ...]:
        return tuple(float(v) if k else None for v, k in zip(column.tolist(), known, strict=True))

    return ResultsTable(
        case_ids=tuple(map(str, range(n))),
        values={"teacher": tuple(teacher.astype(float).tolist()), "candidate": tuple(judged.astype(float).tolist())},
        clusters=tuple(str(i // cluster) for i in range(n)) if cluster > 1 else (),
        human={"teacher": said(teacher), "candidate": said(candidate)},
    )


def gate(better: float, n: int, labels: int, cluster: int, looks: bool, runs: int) -> Row:
    """How often the gate promotes with labels, and with the judge alone."""
    rolls = dice("labels", better, n, labels, cluster, looks)
    plan = InterimAnalyses.plan(n, ALPHA, early=looks)
    promoted, believed = np.zeros(runs, bool), np.zeros(min(runs, RAW), bool)
    for run in range(runs):
        teacher, candidate, judged = answers(better, n, cluster, rolls)
        labelled = np.zeros(n, bool)
        labelled[rolls.permutation(n)[:labels]] = True
        order = rolls.permutation(n) if looks else np.arange(n)
        whole = table_of(teacher, candidate, judged, labelled, cluster).cut(order.tolist())
        promoted[run] = _ends(whole, plan)
        if run < RAW:
            believed[run] = _ends(replace(whole, human={}), plan)
    limit = better == -MARGIN
    setting = (
        "at the limit" if limit else f"{points(better)} points better",
        str(n),
        str(labels),
        f"documents of {cluster}" if cluster > 1 else "independent",
        "four" if looks else "one",
    )
    return setting, (Rate.of(promoted) if limit else "", "" if limit else Rate.of(promoted), Rate.of(believed))


def _ends(whole: ResultsTable, plan: InterimAnalyses) -> bool:
    """Whether the gate promotes at any analysis. Leaves out the intervals, which take most of the time and do not matter here."""
    with (
        patch.object(Comparison, "interval", return_value=(-1.0, 1.0)),
        patch.object(exact_unconditional, "p_value", _exact),
    ):
        for number, count in enumerate(plan.cases):
            verdict = decide(RULE, whole.cut(range(count)), alpha=plan.level(number))
            if number == plan.last or plan.stop([RULE], verdict, number):
                return verdict.status is Status.PROMOTE
    raise AssertionError("the last analysis ends the run")


def table(full: bool) -> Table:
    """Through ``decide``, with people's labels."""
    runs = 300 if full else 25
    kinds = [
        (800, 100, 1, False),
        (800, 199, 1, False),
        (800, 200, 1, False),
        (800, 300, 1, True),
        (800, 300, 8, False),
    ]
    if full:
        kinds += [(800, 100, 1, True), (800, 700, 1, True), (1600, 400, 8, False), (1600, 400, 8, True)]
    jobs = [(gate, (better, *kind, runs)) for better in (-MARGIN, 0.0) for kind in kinds]
    return Table(
        "People's labels",
        f"The judge passes {BLIND:.0%} of the candidate's wrong answers and makes no other error. People labelled a random "
        "sample of the cases; in documents, the candidate's losses come together. Four analyses are those of "
        f"`--stop-early`. {runs:,} runs a row, margin 5 points, through `decide` and `InterimAnalyses.stop`. *The judge alone* "
        "is the same gate without labels. Earlier versions ignored the labels in the rows with fewer than 200 labels, with "
        "documents and with four analyses.",
        ("the candidate is", "cases", "labelled pairs", "cases are", "analyses"),
        (Column("promoted at the limit", ALPHA), Column("promoted, good candidate"), Column("the judge alone")),
        tuple(jobs),
    )


def one_sided(margin: float, n: int, labels: int, misses: float, wins: float, runs: int) -> Row:
    """The candidate wins almost nothing, so a few labels that differ determine the mean and the judge's weight."""
    rolls = dice("one-sided", margin, n, labels, misses, wins)
    promoted, alone = [], []
    for _ in range(runs):
        luck = rolls.random(n)
        y = np.where(luck < margin + wins, -1.0, np.where(luck < margin + 2 * wins, 1.0, 0.0))
        f = np.where((y < 0) & (rolls.random(n) < misses), 0.0, y)
        promoted.append(prediction_powered.estimate(y[:labels], f[:labels], f[labels:]).p_value(margin) <= ALPHA)
        lost, won = int((y[:labels] < 0).sum()), int((y[:labels] > 0).sum())
        alone.append(_exact(won, lost, labels, margin) <= ALPHA)
    setting = (f"{points(margin)} points", str(n), str(labels), f"{misses:.0%} of the losses", f"{wins:.0%}")
    return setting, (Rate.of(promoted), Rate.of(alone))


def one_sided_table(full: bool) -> Table:
    """Losses on one side only."""
    runs = 5_000 if full else 300
    settings = [(0.02, 2000, 400, 0.3, 0.0), (0.05, 400, 200, 0.0, 0.0)]
    if full:
        settings += [
            (0.05, 3000, 200, 0.3, 0.0),
            (0.02, 3000, 200, 0.7, 0.0),
            (0.02, 400, 200, 0.3, 0.0),
            (0.02, 2000, 400, 0.7, 0.01),
            (0.01, 3000, 200, 0.7, 0.01),
            (0.10, 800, 200, 0.5, 0.0),
        ]
    return Table(
        "People's labels, and losses on one side",
        "The candidate is exactly at the limit, with losses and almost no wins; the judge misses some losses. "
        f"{runs:,} runs a row, through `statistics.prediction_powered`. Estimating the judge's weight once, from the same "
        "labels, promoted up to 0.10 of these candidates. *Labels alone* is the exact test on the labelled pairs.",
        ("margin", "cases", "labelled pairs", "the judge misses", "won"),
        (Column("promoted at the limit", ALPHA), Column("labels alone", ALPHA)),
        tuple((one_sided, (*setting, runs)) for setting in settings),
    )
