"""Render a learning curve for the terminal."""

from __future__ import annotations

from tabulate import tabulate

from distilltest.distillation.learning_curve.curve import Curve, LearningCurve, Point, Share, percent
from distilltest.distillation.learning_curve.scale import places
from distilltest.untrusted.edges import mapped, shown_line

WIDTH, ROWS = 56, 20
"""The columns of the chart, and the rows between 0 and 100 %."""


def summary(curve: LearningCurve) -> str:
    """Render a chart, a table and a sentence for each evaluation."""
    curve = mapped(curve, shown_line)
    parts = []
    for each in curve.curves:
        parts += [f"{each.evaluation}   {each.cases} cases", picture(each), table(each), each.sentence]
    return "\n\n".join(parts)


def table(curve: Curve) -> str:
    """Render the rates of all sizes, between base and teacher."""
    rows = [[name, *_cells(curve, share), "", ""] for name, share in curve.references.items() if name != "teacher"]
    before: Point | None = None
    for point in curve.points:
        gain = "" if before is None else f"{100 * (point.share.rate - before.share.rate):+.1f}"
        rows.append([f"{point.size:,} examples", *_cells(curve, point.share), gain, point.model])
        before = point
    if "teacher" in curve.references:
        rows.append(["teacher", *_cells(curve, curve.references["teacher"]), "", ""])
    heads = ["", curve.measure, f"{100 * curve.level:.0f} % interval", "gain", "model"]
    return tabulate(rows, heads, disable_numparse=True, colalign=("right", "right", "right", "right", "left"))


def _cells(curve: Curve, share: Share) -> list[str]:
    return [percent(share.rate), f"{100 * share.low:.1f} to {100 * share.high:.1f}"]


def picture(curve: Curve) -> str:
    """Draw the curve with its intervals, and base and teacher as lines, on a logarithmic scale of sizes."""
    grid = [[" "] * WIDTH for _ in range(ROWS + 1)]
    names: dict[int, list[str]] = {}
    for role, share in curve.references.items():
        row = _row(share.rate)
        grid[row] = ["┄"] * WIDTH
        names.setdefault(row, []).append(f"{role} {percent(share.rate)}")
    columns = [3 + round(place * (WIDTH - 7)) for place in places([point.size for point in curve.points])]
    for column, point in zip(columns, curve.points, strict=True):
        for row in range(_row(point.share.high), _row(point.share.low) + 1):
            grid[row][column] = "│"
    for column, point in zip(columns, curve.points, strict=True):
        grid[_row(point.share.rate)][column] = "●"
    lines = []
    for row, signs in enumerate(grid):
        scale = f"{100 - 100 * row // ROWS:>4} %" if row % (ROWS // 4) == 0 else " " * 6
        edge = "┤" if row % (ROWS // 4) == 0 else "│"
        lines.append(f"{scale} {edge}{''.join(signs)} {', '.join(names.get(row, ()))}".rstrip())
    below = [" "] * (WIDTH + 8)
    axis = ["─"] * WIDTH
    free = 0
    for column, point in zip(columns, curve.points, strict=True):
        axis[column] = "┴"
        text = f"{point.size:,}"
        start = max(0, column - len(text) // 2)
        if start >= free:
            below[start : start + len(text)] = text
            free = start + len(text) + 1
    lines.append(f"{'':6} └{''.join(axis)}")
    lines.append(f"{'':8}{''.join(below).rstrip()}  examples")
    return "\n".join(lines)


def _row(rate: float) -> int:
    return round((1 - min(1.0, max(0.0, rate))) * ROWS)
