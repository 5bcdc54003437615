"""``distilltest attempts``: list and forget."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from distilltest.cli import say
from distilltest.cli.options import add_action, add_root

if TYPE_CHECKING:
    from distilltest.store import Recorded

_TEXT = """\
An attempt is a candidate that was evaluated on a dataset since the last promotion. All attempts share the level of the gate:
the more there are, the less is left for the next one, because the best of many may be promoted by luck.

  distilltest attempts list                   one line per attempt, with the share of the level that it used
  distilltest attempts forget 3 --reason R    stop counting an attempt

Forget an attempt if its suite, prompt or tools were broken and have been fixed since. Do not forget one because you dislike
its verdict. Every later report on the dataset shows the reason, and so does promotions.yaml.
"""


def add(commands: Any) -> None:
    """Declare the commands."""
    group = add_action(commands, "attempts", "candidates that share the level of the gate: list, forget", _TEXT)
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list attempts, one line each")
    listing.set_defaults(run=run_list)
    forget = actions.add_parser("forget", help="stop counting an attempt")
    forget.add_argument("number", type=int, metavar="N", help="its number, as `list` shows it")
    forget.add_argument(
        "--reason", required=True, metavar="REASON", help="what was broken; every later report shows it"
    )
    forget.set_defaults(run=run_forget)
    for action in (listing, forget):
        add_root(action)


def run_list(arguments: argparse.Namespace) -> int:
    """Show every attempt since the last promotion, and all forgotten ones."""
    from distilltest.cli.promote import open_session

    session = open_session(arguments.root)
    try:
        since = session.promoted_at
        counted = [row for row in session.store.attempts() if row.at > since]
        forgotten = session.store.forgotten_attempts()
    finally:
        session.close()
    if not counted and not forgotten:
        say.line("No candidate has been evaluated since the last promotion.")
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
    """Stop counting an attempt."""
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
                f"There is no attempt {arguments.number} (the attempts are: {known}). See: distilltest attempts list"
            )
    finally:
        session.close()
    say.line(
        f"Attempt {found.number} ({found.attempt.name}, {found.attempt.evaluation}) is no longer counted: {reason}"
    )
    return 0


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"


def _share(row: Recorded) -> str:
    return "" if row.share is None else f"{100 * row.share:.2g} %"


def _fate(row: Recorded) -> str:
    return "" if row.forgotten is None else f"forgotten: {row.reason}"
