"""``distilltest attempts``."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distilltest.cli import say

if TYPE_CHECKING:
    from distilltest.store import Recorded

_TEXT = """\
The candidates that were judged on each dataset since the last promotion. They share the level of the gate: the more there are,
the less is left for the next one, because the best of many is promoted by luck.

  distilltest attempts list                   one line an attempt, and what it spent of the level
  distilltest attempts forget 3 --reason R    stop counting one

Forget an attempt if it was no fair one: its suite, its prompt or its tools were broken, and have been changed. Do not forget one
because its verdict was not liked. The reason stands in every later report on the dataset, and in promotions.yaml.
"""


def add(commands: Any) -> None:
    """Declare the commands."""
    group = commands.add_parser(
        "attempts",
        help="candidates that share the level of the gate: list, forget",
        description=_TEXT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="one line an attempt")
    listing.set_defaults(run=run_list)
    forget = actions.add_parser("forget", help="stop counting one")
    forget.add_argument("number", type=int, metavar="N", help="its number, as `list` shows it")
    forget.add_argument(
        "--reason", required=True, metavar="REASON", help="what was broken; every later report shows it"
    )
    forget.set_defaults(run=run_forget)
    for action in (listing, forget):
        action.add_argument("--root", type=Path, default=Path(), metavar="DIR", help="the folder of distilltest.yaml")


def run_list(arguments: argparse.Namespace) -> int:
    """Show every attempt since the last promotion, and those that were forgotten."""
    from distilltest.cli.promote import open_session

    session = open_session(arguments.root)
    try:
        since = session.promoted_at
        counted = [row for row in session.store.attempts() if row.at > since]
        forgotten = session.store.forgotten_attempts()
    finally:
        session.close()
    if not counted and not forgotten:
        say.line("No candidate has been judged since the last promotion.")
        return 0
    rows = [
        [
            row.number,
            _day(row.at),
            row.attempt.evaluation,
            row.attempt.dataset[:8],
            row.attempt.name,
            _share(row),
            _fate(row),
        ]
        for row in [*counted, *forgotten]
    ]
    say.table(rows, ["number", "when (UTC)", "evaluation", "dataset", "candidate", "of the level", ""])
    return 0


def run_forget(arguments: argparse.Namespace) -> int:
    """Forget one."""
    from distilltest.cli.promote import open_session
    from distilltest.errors import DistilltestError
    from distilltest.promotion import candidate

    reason = " ".join(arguments.reason.split())
    if not reason:
        raise DistilltestError("--reason is empty: say what was broken in that attempt.")
    session = open_session(arguments.root)
    try:
        found = candidate.forget(session.store, arguments.number, reason)
        if found is None:
            known = ", ".join(str(row.number) for row in session.store.attempts()) or "none"
            raise DistilltestError(
                f"There is no attempt {arguments.number} (there are: {known}). See: distilltest attempts list"
            )
    finally:
        session.close()
    say.line(f"Attempt {found.number} ({found.attempt.name}, {found.attempt.evaluation}) counts no longer: {reason}")
    return 0


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"


def _share(row: Recorded) -> str:
    return "" if row.share is None else f"{100 * row.share:.2g} %"


def _fate(row: Recorded) -> str:
    return "" if row.forgotten is None else f"forgotten: {row.reason}"
