"""The guard over slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bench.calibration.table import Column, Rate, Row, Table, dice
from distilltest.gate import Status, decide, no_slice_regresses
from distilltest.gate.table import ResultsTable
from distilltest.statistics.slices import FAMILY_LEVEL

TOPICS = tuple((f"topic {i // 40}",) for i in range(400))
ACROSS = tuple((f"topic {i // 40}", f"length {i % 2}", f"language {i % 3}") for i in range(400))
Floats = np.ndarray


def _either_sign(share: float, *sizes: float) -> Callable[[np.random.Generator], Floats]:
    """A share of the cases differs by one of the sizes, in either direction."""

    def drawn(rolls: np.random.Generator) -> Floats:
        return np.where(rolls.random(400) < share, rolls.choice([-1.0, 1.0], 400) * rolls.choice(sizes, 400), 0.0)

    return drawn


KINDS: dict[str, Callable[[np.random.Generator], Floats]] = {
    "10 % of the cases differ": _either_sign(0.10, 1.0),
    "2 % of the cases differ": _either_sign(0.02, 1.0),
    "scores, 60 % of the cases differ": _either_sign(0.60, 0.1, 0.2, 0.5),
    "scores, ten in eleven lose 5 points, one wins 50": lambda rolls: rolls.choice(
        [-0.05, 0.5], 400, p=[10 / 11, 1 / 11]
    ),
}


def _blocks(
    d: Floats, tags: Sequence[tuple[str, ...]], clusters: Sequence[str] = (), margin: float | None = None
) -> bool:
    """Whether the guard blocks a candidate with these differences from the teacher."""
    values = {"teacher": tuple(np.maximum(0.0, -d).tolist()), "candidate": tuple(np.maximum(0.0, d).tolist())}
    binary = bool(np.all(np.isin(d, (-1.0, 0.0, 1.0))))
    table = ResultsTable(tuple(map(str, range(d.size))), values, binary=binary, tags=tags, clusters=clusters)
    return decide(no_slice_regresses("teacher", margin=margin), table).status is Status.BLOCK


def errors(kind: str, tags: str, drop: float, runs: int) -> Row:
    """How often the gate blocks if the candidate is worse by ``drop`` in the first topic."""
    rolls = dice(kind, tags, drop)
    blocked, seen = [], []
    for _ in range(runs):
        d = KINDS[kind](rolls)
        d[:40] = np.where(rolls.random(40) < drop, -1.0, d[:40])
        blocked.append(_blocks(d, ACROSS if tags == "overlapping" else TOPICS))
        seen.append(bool(np.any(d.reshape(10, 40).mean(axis=1) < -0.05)))
    worse = f"{100 * drop:.0f} % of one topic lost" if drop else "no change"
    return (kind, tags, worse), (Rate.of(blocked), Rate.of(seen))


def table(full: bool) -> Table:
    """False blocks."""
    runs = 400 if full else 40
    return Table(
        "Slices",
        "Ten topics of 40 cases, in some rows also two lengths and three languages that cut across the topics. The "
        f"candidate is not worse in any slice; {runs:,} runs a row, through `decide`. `no_slice_regresses` may block such a "
        f"candidate with a chance of at most {FAMILY_LEVEL:.2f}, over all slices together. Blocking on any observed drop of more "
        "than 5 points is shown for comparison.",
        ("differences", "tags", "the candidate"),
        (Column("the gate blocks", FAMILY_LEVEL), Column("any drop of more than 5 points")),
        tuple(
            (errors, (kind, tags, 0.0, runs))
            for kind in KINDS
            for tags in ("topics", "overlapping")
            if full or tags == "overlapping"
        ),
    )


def margin_errors(count: int, drop: float, kind: str, runs: int) -> Row:
    """How often the gate blocks a candidate that is worse by ``drop`` in every slice, with and without a margin of 5 points."""
    rolls = dice("margin", count, drop, kind)
    tags = tuple(
        (f"topic {i % 8}", f"length {i % 2}") if kind == "overlapping" else (f"topic {i % 8}",) for i in range(count)
    )
    within, without = [], []
    for run in range(runs):
        d = rolls.choice([-1.0, 0.0, 1.0], count, p=[0.06 + drop / 2, 0.88, 0.06 - drop / 2])
        within.append(_blocks(d, tags, margin=0.05))
        if run % 5 == 0:
            without.append(_blocks(d, tags))
    limit = Rate.of(within) if drop <= 0.05 else ""
    return (str(count), kind, f"{100 * drop:.0f} points worse"), (
        limit,
        Rate.of(within) if drop > 0.05 else "",
        Rate.of(without),
    )


def margin_table(full: bool) -> Table:
    """A margin for slices."""
    runs = 200 if full else 20
    settings = [(3_000, drop, "topics") for drop in (0.02, 0.05, 0.10)] + [(800, 0.05, "overlapping")]
    if full:
        settings += [(400, 0.05, "topics"), (800, 0.05, "topics"), (800, 0.02, "topics"), (800, 0.10, "topics")]
    return Table(
        "Slices with a margin",
        "Eight slices, in some rows with two more that cut across them. The candidate is worse by the same amount in all of "
        f'them, {runs:,} runs a row. `no_slice_regresses("teacher", margin=0.05)` may block a candidate within the margin '
        f"with a chance of at most {FAMILY_LEVEL:.2f}. The guard without a margin is shown for comparison, with a fifth of the "
        "runs.",
        ("cases", "tags", "the candidate is"),
        (Column("blocked within the margin", FAMILY_LEVEL), Column("blocked beyond it"), Column("without a margin")),
        tuple((margin_errors, (*setting, runs)) for setting in settings),
    )


def document_errors(size: int, runs: int) -> Row:
    """How often the gate blocks if documents are won or lost as a whole, with and without the clusters."""
    rolls = dice("documents", size)
    blocked, ignored = [], []
    clusters = tuple(str(i // size) for i in range(400))
    for _ in range(runs):
        d = rolls.choice([-1.0, 0.0, 1.0], 400 // size, p=[0.1, 0.8, 0.1]).repeat(size)
        blocked.append(_blocks(d, ACROSS, clusters))
        ignored.append(_blocks(d, ACROSS))
    return (f"documents of {size}", "overlapping", "no change"), (Rate.of(blocked), Rate.of(ignored))


def documents_table(full: bool) -> Table:
    """False blocks with clusters."""
    runs = 400 if full else 20
    return Table(
        "Slices of documents",
        f"The same topics, lengths and languages; a fifth of the documents are won or lost as a whole, {runs:,} runs a row.",
        ("cases", "tags", "the candidate"),
        (Column("the gate blocks", FAMILY_LEVEL), Column("clusters ignored")),
        tuple((document_errors, (size, runs)) for size in (2, 4, 8)),
    )


def power_table(full: bool) -> Table:
    """The guard's power."""
    runs = 200 if full else 20
    kinds = ("10 % of the cases differ", "scores, 60 % of the cases differ")
    return Table(
        "What the guard over slices detects",
        f"The chance to block if one of ten topics got worse, {runs:,} runs a row.",
        ("differences", "tags", "the candidate"),
        (Column("the gate blocks"), Column("any drop of more than 5 points")),
        tuple((errors, (kind, "overlapping", drop, runs)) for kind in kinds for drop in (0.10, 0.20, 0.30)),
    )
