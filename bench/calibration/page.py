"""The page with all tables, for readers without training in statistics."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from bench.calibration.table import Column, Rate, Row, Table

INTRODUCTION = """\
# How often the gate errs

You can trust a gate only if you know how often it promotes a bad model. A rule such as `not_worse_than("teacher",
margin=0.05)` promises this: **a candidate that is exactly five points worse, and so just not good enough, is promoted at most
once in twenty times** (alpha = 0.05). Worse candidates are promoted even more rarely. The tables below check this promise on
many kinds of data. Each row simulates candidates that are exactly at the limit, runs the gate on each, and counts how often
it promotes.

How to read a figure: 0.043 ± 0.002 means that 4.3 % of the simulated candidates were promoted, with a standard error of 0.2 %
from the simulation. Figures without ± are enumerated over all possible outcomes and have no such error. A column with a level
in its head is checked: a figure that exceeds the level by more than three standard errors fails the command and is marked
here. A figure far below the level is not an advantage. It is the price of assuming little about the data, and the tables of
power show that price: *power* is the chance that a candidate that deserves promotion is promoted.

`python -m bench.calibration` checks a smaller selection in about a minute of processor time. `python -m bench.calibration
--full --write docs/explanation/calibration.md` generates this page with many more runs. The random numbers are seeded, so the
figures are reproducible.
"""

CLOSING = """\
## What this does not cover

- **Cases that do not represent production.** The tables assume that cases are drawn independently from what the model will
  meet (or documents, if there are clusters). A different dataset proves something about its own cases only.
- **Wrong graders.** The gate compares grades. If a grader errs more often on one model than on the other, it shifts the
  difference. The table on judges shows by how much, and how labels correct it.
- **All shapes of clusters.** For pass and fail, and for scores, the tests keep their level on any data. The test for clusters
  keeps it on the kinds above, of which long documents that are lost as a whole are the hardest; this is not a proof for every
  kind. The test does not allow for lost documents that are much longer than any in the data.
- **All shapes of slices.** The guard over slices flips signs, which is exact for pass and fail. For scores and clusters, a t
  test with a correction for skewness must agree. That held on the skewed kind above; it is not a proof for every kind.
- **Attempts that were not counted.** The candidates that were tried on the same cases in one store share the level. A
  candidate that was tried elsewhere on those cases and dropped is not counted, and neither is one that you removed with
  `distilltest attempts forget`.
- **Other levels and margins** than those in the tables. The same functions compute them, but they were not counted here.
"""


def rendered(table: Table, rows: Sequence[Row], style: str) -> str:
    """Render a table. A rate above its limit is marked."""
    shown = [
        [*setting, *(_cell(column, rate) for column, rate in zip(table.columns, rates, strict=True))]
        for setting, rates in rows
    ]
    headers = [*table.setting, *(_head(column) for column in table.columns)]
    return tabulate(shown, headers=headers, tablefmt=style, disable_numparse=True)


def page(found: Sequence[tuple[Table, Sequence[Row]]], full: bool) -> str:
    """The whole page, in Markdown."""
    parts = [INTRODUCTION]
    if not full:
        parts.append("The quick mode generated this page, with fewer kinds of data and far fewer runs.\n")
    parts += [f"## {table.title}\n\n{table.text}\n\n{rendered(table, rows, 'github')}\n" for table, rows in found]
    return "\n".join([*parts, CLOSING])


def _head(column: Column) -> str:
    return column.name if column.limit is None else f"{column.name} (at most {column.limit:.2f})"


def _cell(column: Column, rate: Rate | str) -> str:
    bad = column.limit is not None and isinstance(rate, Rate) and rate.above(column.limit)
    return f"**{rate}: above {column.limit}**" if bad else str(rate)
