"""``distilltest promotions``: list, show, verify, rollback."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from distilltest.cli import say
from distilltest.cli.options import add_action, add_root

if TYPE_CHECKING:
    from distilltest.promotion.entry import Entry

_TEXT = """\
The history in promotions.yaml: which model is in production, who put it there, and what proved it.

  distilltest promotions list                 one line per entry, the newest last
  distilltest promotions show 3               the whole entry; without a number, the newest
  distilltest promotions verify               recompute hashes, fingerprints and verdicts; exit code 13 on an edit
  distilltest promotions rollback --reason R  append an entry that puts the previous promotion back into production
"""
_VERIFY = """\
Recompute everything that promotions.yaml claims: the hash of each entry and its link to the previous one, the hashes and the
content of the kept reports, and each verdict. Verdicts are computed from the outcomes in the store; if the run is not in the
store, from the numbers in the report, as far as possible. Datasets, prompts and training files that have changed since are
remarks. Exit code 13: something was edited.
"""


def add(commands: Any) -> None:
    """Declare the commands."""
    group = add_action(commands, "promotions", "the history of promotions: list, show, verify, rollback", _TEXT)
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list entries, one line each")
    listing.set_defaults(run=run_list)
    show = actions.add_parser("show", help="show one entry in full")
    show.add_argument("number", nargs="?", type=int, metavar="N", help="the entry (default: the newest)")
    show.set_defaults(run=run_show)
    check = actions.add_parser("verify", help="detect edits", description=_VERIFY)
    check.set_defaults(run=run_verify)
    back = actions.add_parser("rollback", help="put an earlier promotion back into production")
    back.add_argument("number", nargs="?", type=int, metavar="N", help="the entry (default: the previous promotion)")
    back.add_argument("--reason", required=True, metavar="REASON", help="why; recorded in promotions.yaml")
    back.add_argument("--offline", action="store_true", help="do not ask the server for the model's shutdown date")
    back.set_defaults(run=run_rollback)
    for action in (listing, show, check, back):
        add_root(action)


def run_list(arguments: argparse.Namespace) -> int:
    """Show the history as a table."""
    from distilltest.promotion.history import History

    history = History.load(arguments.root.resolve())
    if not history.entries:
        say.line("Nothing is promoted yet. `distilltest promote` writes the first entry of promotions.yaml.")
        return 0
    last = len(history.entries)
    rows = [
        [
            entry.number,
            entry.when[:16].replace("T", " "),
            entry.model.id,
            entry.who.name,
            _in_short(entry),
            "in production" if position == last else "",
        ]
        for position, entry in enumerate((each.entry for each in history.entries), start=1)
    ]
    say.table(rows, ["number", "when (UTC)", "model", "who", "verdict", ""])
    return 0


def _in_short(entry: Entry) -> str:
    override = f"OVERRIDE: {entry.override.reason}" if entry.override else ""
    if entry.restores is not None:
        return f"back to {entry.restores}: {entry.reason}" + (f" ({override})" if override else "")
    if override:
        return override
    if len(entry.evaluations) != 1:
        return f"promote: {len(entry.evaluations)} evaluations"
    proved = [str(rule["rule"]) for rule in entry.evaluations[0].rules if rule["status"] == "promote"]
    return f"promote: {', '.join(proved)}"


def run_show(arguments: argparse.Namespace) -> int:
    """Show one entry as the file has it."""
    from distilltest.data import yaml_of
    from distilltest.promotion.history import History

    written = History.load(arguments.root.resolve()).find(arguments.number)
    entry = written.entry
    if entry.override:
        say.line(f"OVERRIDE: promoted without proof, because: {entry.override.reason}")
        say.line()
    say.document(yaml_of(dict(written.content)))
    return 0


def run_verify(arguments: argparse.Namespace) -> int:
    """Detect edits."""
    from distilltest.cli.promote import open_session
    from distilltest.exit_codes import REFUSED
    from distilltest.promotion.history import History
    from distilltest.promotion.verify import leftovers, verify

    session = open_session(arguments.root)
    try:
        problems, checked = verify(session.base_config, session.store)
        left = leftovers(session.base_config, History.load(session.root))
    finally:
        session.close()
    for each in checked:
        override = ", OVERRIDE" if each.entry.override else ""
        say.line(f"entry {each.entry.number}: {each.entry.action} {each.entry.model.id}{override}")
        for line in each.proved:
            say.line(f"  {line}")
        for remark in each.remarks:
            say.line(f"  remark: {remark}")
    for folder in left:
        say.line(f"remark: {folder} belongs to no entry: a promotion was interrupted, or its entry was removed.")
    edits = [*problems, *(edit for each in checked for edit in each.edits)]
    for edit in edits:
        say.line(f"EDITED: {edit}")
    say.line(f"entries: {len(checked)}, edits: {len(edits)}")
    return REFUSED if edits else 0


def run_rollback(arguments: argparse.Namespace) -> int:
    """Put an earlier promotion back into production."""
    from distilltest.cli.promote import open_session
    from distilltest.errors import DistilltestError
    from distilltest.promotion.promote import Promoter

    if not arguments.reason.strip():
        raise DistilltestError("--reason is empty: say why an earlier model goes back into production.")
    session = open_session(arguments.root)
    try:
        promoter = Promoter(session.base_config, session.store, offline=arguments.offline)
        entry, ends = promoter.roll_back(arguments.number, arguments.reason)
    finally:
        session.close()
    say.line(
        f"{entry.model.id} (entry {entry.restores}) is in production again: entry {entry.number} of promotions.yaml."
    )
    if ends.warning:
        say.line(f"remark: {ends.warning}")
    say.line("Review and commit: git add promotions.yaml")
    return 0
