"""A learning curve: the pass rate against the number of training examples, and whether more data would help."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from distilltest.reporting.report import EvaluationReport, RoleLine

SCHEMA_VERSION = 1
"""The version of the JSON format."""
REFERENCES = ("base", "teacher")
"""Roles that are drawn as horizontal lines."""


@dataclass(frozen=True, slots=True)
class Share:
    """A pass rate or mean score in [0, 1], with its two-sided interval."""

    rate: float
    low: float
    high: float

    @classmethod
    def of(cls, line: RoleLine) -> Share | None:
        """The share of a role in a report; None if it was not measured."""
        if line.rate is None or line.low is None or line.high is None:
            return None
        return cls(line.rate, line.low, line.high)

    @property
    def half_width(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2


@dataclass(frozen=True, slots=True)
class Point:
    """The model that was tuned on a subset of the examples."""

    size: int
    model: str
    run: str
    """The run that evaluated the model."""
    share: Share


@dataclass(frozen=True, slots=True)
class Curve:
    """One evaluation at every size."""

    evaluation: str
    """The pytest node id."""
    cases: int
    metric: str
    """``pass`` or ``score``."""
    level: float
    """The confidence level of the intervals, such as 0.9."""
    points: tuple[Point, ...]
    """The smallest size first."""
    references: dict[str, Share]
    """The shares of base and teacher, if they were measured."""

    @classmethod
    def of(cls, reports: list[tuple[int, str, EvaluationReport]]) -> Curve:
        """Make a curve from the reports of one evaluation: (size, run, report), the smallest size first."""
        points = []
        for size, run, report in reports:
            line = next(line for line in report.roles if line.role == "candidate")
            share = Share.of(line)
            if share is not None:
                points.append(Point(size, line.model, run, share))
        _, _, last = reports[-1]
        shares = {line.role: Share.of(line) for line in last.roles if line.role in REFERENCES}
        references = {role: share for role, share in shares.items() if share is not None}
        return cls(last.id, last.evaluated, last.metric, round(1 - 2 * last.alpha, 10), tuple(points), references)

    @property
    def measure(self) -> str:
        """The label of the vertical axis."""
        return "pass rate" if self.metric == "pass" else "mean score"

    @property
    def before_last_doubling(self) -> Point | None:
        """The largest size up to half of the last one, or else the one before the last; None if there is only one."""
        if len(self.points) < 2:
            return None
        half = [point for point in self.points if 2 * point.size <= self.points[-1].size]
        return (half or self.points[:-1])[-1]

    @property
    def needs_more_data(self) -> bool | None:
        """Whether the last doubling gained more than half the width of the interval; None if there is only one size."""
        before = self.before_last_doubling
        if before is None:
            return None
        last = self.points[-1].share
        return last.rate - before.share.rate > last.half_width

    @property
    def sentence(self) -> str:
        """Whether more data would help, in words."""
        before, last = self.before_last_doubling, self.points[-1]
        if before is None:
            return "One size cannot show whether you need more data: give at least two, each twice the one before."
        gain = 100 * (last.share.rate - before.share.rate)
        way = f"from {before.size:,} to {last.size:,} examples the {self.measure} went from {percent(before.share.rate)} to "
        way += f"{percent(last.share.rate)}"
        half = f"half the width of its {100 * self.level:.0f} % interval ({100 * last.share.half_width:.1f} points)"
        teacher = self.references.get("teacher")
        limit = f" The teacher is at {percent(teacher.rate)}." if teacher else ""
        if self.needs_more_data:
            return f"More data would help: {way}, {gain:+.1f} points, which is more than {half}.{limit}"
        return f"More data would hardly help: {way}, {gain:+.1f} points, which is not more than {half}.{limit}"


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """The result of one ``distilltest learning-curve``."""

    created: str
    """ISO 8601, UTC."""
    file: str
    """The training file."""
    sha256: str
    examples: int
    """In the training file."""
    seed: int
    base: str
    """The model that was tuned."""
    curves: tuple[Curve, ...]
    """One curve for each evaluation."""

    def to_json(self) -> dict[str, Any]:
        """The JSON value of the result."""
        content = asdict(self)
        for plain, curve in zip(content["curves"], self.curves, strict=True):
            plain["needs_more_data"] = curve.needs_more_data
            plain["sentence"] = curve.sentence
        return {"schema_version": SCHEMA_VERSION, **content}


def percent(rate: float) -> str:
    """A rate in percent.

    >>> percent(0.6923)
    '69.2 %'
    """
    return f"{100 * rate:.1f} %"
