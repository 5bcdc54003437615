"""The page with all tables, for a reader without statistics training."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from bench.calibration.table import Column, Rate, Row, Table

INTRODUCTION = """\
# How often the gate errs

A gate that promotes a bad model now and then is no use unless one knows how often. A rule such as
`not_worse_than("teacher", margin=0.05)` promises this: **a candidate that is exactly five points worse, and so just
not good enough, is promoted at most once in twenty times** (alpha = 0.05). One that is worse than that is promoted
more rarely still. The tables below check the promise on data of many kinds. Every row makes candidates that are
exactly at the limit, asks the gate about each, and counts how often it promotes.

How to read a figure: 0.043 ± 0.002 means that 4.3 % of the simulated candidates were promoted, and that the
simulation itself is uncertain by about 0.2 %. Figures without ± were added up over all possible outcomes and have no
such error. A column with a level in its head is checked: a figure above the level by more than three times its own
uncertainty makes the command fail, and is marked here. A low figure is no merit of its own; it is the price where
nothing may be assumed, and the tables of power say what that price is: *power* is the chance that a candidate that
deserves it is promoted.

`python -m bench.calibration` checks a smaller selection in about a minute of processor time; `python -m
bench.calibration --full --write docs/explanation/calibration.md` makes this page with many more runs. The random numbers are
seeded, so the same figures come out again.
"""

CLOSING = """\
## What this does not cover

- **Cases that are not like production.** All of this is about cases drawn independently from what the model will meet
  (or documents, where there are clusters). A dataset of other cases proves something about those.
- **Graders that are wrong.** The gate compares grades. A grader that errs more on one model than on the other shifts
  the difference; the table on judges shows by how much, and what labels mend.
- **Clusters of every shape.** For pass and fail, and for scores, the tests hold their level whatever the data look like. The
  test for clusters holds it on the kinds above, of which long documents that are lost as a whole are the hardest; it is no
  proof for every kind. Documents much longer than any in the data, and lost, are not reckoned with.
- **Slices of every shape.** The guard over slices flips signs, which is exact for pass and fail. For scores and clusters
  a t test with a correction for skewness must agree; that held on the lopsided kind above, and is no proof for every kind.
- **Attempts that nobody counted.** The level is shared among the candidates that were tried on the same cases over one store;
  a candidate that was tried elsewhere on those cases and given up is not counted, nor one that `distilltest attempts forget`
  was told to forget.
- **Other levels and margins** than those in the tables. They are computed by the same functions, but were not counted
  here.
"""


def rendered(table: Table, rows: Sequence[Row], style: str) -> str:
    """A table as text; a rate above its limit is marked."""
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
        parts.append("This page was made by the quick mode: fewer kinds of data, and far fewer runs.\n")
    parts += [f"## {table.title}\n\n{table.text}\n\n{rendered(table, rows, 'github')}\n" for table, rows in found]
    return "\n".join([*parts, CLOSING])


def _head(column: Column) -> str:
    return column.name if column.limit is None else f"{column.name} (at most {column.limit:.2f})"


def _cell(column: Column, rate: Rate | str) -> str:
    bad = column.limit is not None and isinstance(rate, Rate) and rate.above(column.limit)
    return f"**{rate}: above {column.limit}**" if bad else str(rate)
