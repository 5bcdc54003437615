"""The parts of a table: columns, jobs that compute one row each, and rates with standard errors."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

ALPHA = 0.05
"""The gate's default level, one-sided."""
ERRORS = 3.0
"""A rate fails if it is above its level by more than this number of standard errors."""


@dataclass(frozen=True)
class Rate:
    """The share of runs with an event."""

    value: float
    runs: int | None = None
    """The number of simulated runs; None if the rate was enumerated and has no standard error."""

    @classmethod
    def of(cls, happened: Sequence[bool] | np.ndarray) -> Rate:
        """The rate of True among the runs."""
        return cls(float(np.mean(happened)), len(happened))

    def above(self, limit: float) -> bool:
        """Whether the rate is above a limit by more than the simulation's error allows."""
        error = 0.0 if self.runs is None else sqrt(limit * (1.0 - limit) / self.runs)
        return not self.value <= limit + ERRORS * error + 1e-9  # written so that NaN counts as above

    def __str__(self) -> str:
        if self.runs is None:
            return f"{self.value:.4f}"
        return f"{self.value:.3f} ± {sqrt(max(self.value * (1 - self.value), 0.0) / self.runs):.3f}"


@dataclass(frozen=True)
class Column:
    """A column of rates."""

    name: str
    limit: float | None = None
    """The maximum of each rate; None for a column that is shown for comparison."""


Row = tuple[tuple[str, ...], tuple[Rate | str, ...]]
"""The setting in words, and one measured value per column."""
Job = tuple[Callable[..., Row], tuple[Any, ...]]
"""A module-level function and its arguments."""


@dataclass(frozen=True)
class Table:
    """One table of the page."""

    title: str
    text: str
    """What was simulated, through which functions, and how to read the table."""
    setting: tuple[str, ...]
    """The names of the columns that describe the setting."""
    columns: tuple[Column, ...]
    jobs: tuple[Job, ...]

    def failures(self, rows: Sequence[Row]) -> list[str]:
        """Describe the rates above their limit."""
        return [
            f"{self.title}, {', '.join(setting)}: {column.name} is {rate}, above {column.limit}"
            for setting, rates in rows
            for column, rate in zip(self.columns, rates, strict=True)
            if column.limit is not None and isinstance(rate, Rate) and rate.above(column.limit)
        ]


def compute(job: Job) -> Row:
    """Compute one row."""
    function, arguments = job
    return function(*arguments)


def dice(*what: Any) -> np.random.Generator:
    """A generator with a seed that depends only on the arguments, so that every run draws the same numbers."""
    return np.random.default_rng(zlib.crc32(repr(what).encode()))


def points(share: float) -> str:
    """A share as points."""
    return f"{100 * share:g}"
