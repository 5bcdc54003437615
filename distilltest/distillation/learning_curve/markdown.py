"""Render a learning curve as Markdown."""

from __future__ import annotations

from distilltest.distillation.learning_curve.curve import Curve, LearningCurve, percent
from distilltest.reporting.gfm import code, prose, table
from distilltest.untrusted.edges import mapped
from distilltest.untrusted.secrets import mask


def render(curve: LearningCurve) -> str:
    """Render the answers, then the chart, then the numbers."""
    curve = mapped(curve, mask)
    parts = ["# Learning curve: do we need more data?"]
    if len(curve.curves) == 1:
        parts.append(f"**{prose(curve.curves[0].sentence)}**")
    else:
        parts.append("\n".join(f"- {code(each.evaluation)}: **{prose(each.sentence)}**" for each in curve.curves))
    parts.append("![pass rate against the number of training examples](curve.svg)")
    for each in curve.curves:
        parts += [f"## {code(each.evaluation)}", f"{each.cases} cases.", _table(each)]
    parts.append(
        f"{code(curve.base)} was tuned on random subsets of {code(curve.file)} ({curve.examples:,} examples, seed {curve.seed}; "
        f"each subset holds the smaller ones), at {code(curve.created)}. "
        "The evaluations do not count as attempts at a promotion. More data would help if the last doubling gained more "
        "than half the interval's width. `curve.json` has the same data."
    )
    return "\n\n".join(parts) + "\n"


def _table(curve: Curve) -> str:
    rows = [
        [
            f"{point.size:,}",
            code(point.model, cell=True),
            percent(point.share.rate),
            f"{percent(point.share.low)} to {percent(point.share.high)}",
            code(point.run, cell=True),
        ]
        for point in curve.points
    ]
    rows += [
        ["", prose(role, cell=True), percent(share.rate), f"{percent(share.low)} to {percent(share.high)}", ""]
        for role, share in curve.references.items()
    ]
    heads = ["examples", "model", curve.measure, f"{100 * curve.level:.0f} % interval", "run"]
    return table(heads, rows)
