"""What a table is made of: columns, jobs that compute a row each, rates with their error."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

ALPHA = 0.05
"""One-sided, as the gate's default."""
ERRORS = 3.0
"""So many standard errors of the simulation are no failure."""


@dataclass(frozen=True)
class Rate:
    """How often something happened."""

    value: float
    runs: int | None = None
    """Simulated runs, None where it was enumerated and has no error."""

    @classmethod
    def of(cls, happened: Sequence[bool] | np.ndarray) -> Rate:
        """From one answer a run."""
        return cls(float(np.mean(happened)), len(happened))

    def above(self, limit: float) -> bool:
        """Whether it is above a limit by more than the simulation's own error."""
        error = 0.0 if self.runs is None else sqrt(limit * (1.0 - limit) / self.runs)
        return not self.value <= limit + ERRORS * error + 1e-9  # no number is no pass

    def __str__(self) -> str:
        if self.runs is None:
            return f"{self.value:.4f}"
        return f"{self.value:.3f} ± {sqrt(max(self.value * (1 - self.value), 0.0) / self.runs):.3f}"


@dataclass(frozen=True)
class Column:
    """A column of rates."""

    name: str
    limit: float | None = None
    """What no rate in it may be above; None for a column that is shown for comparison."""


Row = tuple[tuple[str, ...], tuple[Rate | str, ...]]
"""The setting in words, and what was measured, one a column."""
Job = tuple[Callable[..., Row], tuple[Any, ...]]
"""A function of a module, and what it is called with."""


@dataclass(frozen=True)
class Table:
    """One table of the page."""

    title: str
    text: str
    """What was done, through which functions, and how to read it."""
    setting: tuple[str, ...]
    """The names of the columns that say what was measured."""
    columns: tuple[Column, ...]
    jobs: tuple[Job, ...]

    def failures(self, rows: Sequence[Row]) -> list[str]:
        """The rows that are above their limit, in words."""
        return [
            f"{self.title}, {', '.join(setting)}: {column.name} is {rate}, above {column.limit}"
            for setting, rates in rows
            for column, rate in zip(self.columns, rates, strict=True)
            if column.limit is not None and isinstance(rate, Rate) and rate.above(column.limit)
        ]


def compute(job: Job) -> Row:
    """One row, in a process of its own."""
    function, arguments = job
    return function(*arguments)


def dice(*what: Any) -> np.random.Generator:
    """Random numbers that are the same in every run, whichever process computes the row."""
    return np.random.default_rng(zlib.crc32(repr(what).encode()))


def points(share: float) -> str:
    """A share as points."""
    return f"{100 * share:g}"
