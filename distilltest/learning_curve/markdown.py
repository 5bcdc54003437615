"""A learning curve as a page to read."""

from __future__ import annotations

from tabulate import tabulate

from distilltest.learning_curve.curve import Curve, LearningCurve, percent


def render(curve: LearningCurve) -> str:
    """The page: answers first, then the picture, then the numbers."""
    parts = ["# Learning curve: do we need more data?"]
    if len(curve.curves) == 1:
        parts.append(f"**{curve.curves[0].sentence}**")
    else:
        parts.append("\n".join(f"- `{each.evaluation}`: **{each.sentence}**" for each in curve.curves))
    parts.append("![pass rate against the number of training examples](curve.svg)")
    for each in curve.curves:
        parts += [f"## `{each.evaluation}`", f"{each.cases} cases.", _table(each)]
    parts.append(
        f"{curve.base} was tuned on random subsets of `{curve.file}` ({curve.examples:,} examples, seed {curve.seed}; each "
        f"subset holds the smaller ones), at {curve.created}. The evaluations count as no attempts at a promotion. "
        "More data would help where the last doubling gained more than half the interval's width. The same as data: `curve.json`."
    )
    return "\n\n".join(parts) + "\n"


def _table(curve: Curve) -> str:
    rows = [
        [
            f"{point.size:,}",
            f"`{point.model}`",
            percent(point.share.rate),
            f"{percent(point.share.low)} to {percent(point.share.high)}",
            point.run,
        ]
        for point in curve.points
    ]
    rows += [
        ["", role, percent(share.rate), f"{percent(share.low)} to {percent(share.high)}", ""]
        for role, share in curve.references.items()
    ]
    heads = ["examples", "model", curve.measure, f"{100 * curve.level:.0f} % interval", "run"]
    return tabulate(
        rows, heads, tablefmt="github", disable_numparse=True, colalign=("right", "left", "right", "right", "left")
    )
