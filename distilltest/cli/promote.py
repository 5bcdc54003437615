"""``distilltest promote``: promote a model, or say why not."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distilltest.cli import say
from distilltest.cli.options import add_action, add_root

if TYPE_CHECKING:
    from distilltest.promotion.entry import Entry
    from distilltest.promotion.promote import Result
    from distilltest.pytest_plugin.session import Session

_TEXT = """\
Put a model into production. If the latest complete run of every required evaluation on the model says promote, append an entry
to promotions.yaml and keep the report as proof. Otherwise write nothing, and show what each evaluation says against it.

  distilltest promote                     the candidate of distilltest.yaml, or the last one that `distilltest distill` tuned
  distilltest promote ft:gpt-4o-mini:…    another model
  distilltest promote --override "reason" promote it anyway; promotions.yaml records the reason

The required evaluations are those in `promotion: {require: [NODE ID, FILE or GLOB, …]}` of distilltest.yaml. Without that key,
they are every evaluation that the suite now has in the files and folders that you ran pytest on for this model, and those
that proved the model now in production. A run does not count if it was narrowed (-k, -m, --limit, --tag, --case),
interrupted or incomplete, or if its dataset, prompts, gate, models or test file have changed since.

Exit codes: 0 promoted (now or before), 1 an evaluation blocks, 10 undecided, 11 incomplete, 3 an error, explained by the message.
"""


def add(commands: Any) -> None:
    """Declare the command."""
    command = add_action(commands, "promote", "put a model into production if its evaluations prove it", _TEXT, run)
    command.add_argument("model", nargs="?", metavar="MODEL", help="the model (default: the candidate)")
    command.add_argument("--override", metavar="REASON", help="promote regardless of the evaluations, and record why")
    command.add_argument("--offline", action="store_true", help="do not ask the server for the model's shutdown date")
    add_root(command)


def open_session(root: Path, candidate: str | None = None) -> Session:
    """Open the configuration and the store as a pytest session does."""
    from distilltest.pytest_plugin.session import Options, Session

    return Session(root.resolve(), Options({"candidate": candidate} if candidate else {}), command="")


def run(arguments: argparse.Namespace) -> int:
    """Promote, or say why not."""
    from distilltest.errors import DistilltestError
    from distilltest.promotion.promote import Promoter

    if arguments.override is not None and not arguments.override.strip():
        raise DistilltestError("--override needs a reason: why is the model promoted without proof?")
    session = open_session(arguments.root, arguments.model)
    try:
        model = session.config.model("candidate").model
        promoter = Promoter(session.config, session.store, offline=arguments.offline)
        result = promoter.promote(arguments.override)
    finally:
        session.close()
    if result.entry is None:
        _say_why_not(model, result)
    elif result.already:
        say.line(f"{model} is already promoted on this evidence: entry {result.entry.number} of promotions.yaml.")
    else:
        _say_promoted(session.root, result.entry)
    for remark in result.remarks:
        say.line(f"remark: {remark}")
    return exit_code(result)


def exit_code(result: Result) -> int:
    """The exit code of a command that tried to promote."""
    from distilltest.exit_codes import OF_VERDICT

    return OF_VERDICT[result.status]


def _say_why_not(model: str, result: Result) -> None:
    from distilltest.gate import Status

    good = sum(each.status is Status.PROMOTE for each in result.evidence)
    say.line(f"{model} is not promoted: {good} of {len(result.evidence)} required evaluations say promote.")
    for each in result.evidence:
        said = each.sentence if each.sentence.startswith(each.status) else f"{each.status}: {each.sentence}"
        say.line(f"  {each.id}: {said.rstrip('.')}." + (f" {each.remedy}" if each.remedy else ""))
    for obstacle in result.obstacles:
        say.line(f"  {obstacle}")


def _say_promoted(root: Path, entry: Entry) -> None:
    from distilltest.promotion import identity

    say.line(f"{entry.model.id} is promoted: entry {entry.number} of promotions.yaml, by {entry.who.name}.")
    if entry.override:
        say.line(f"  OVERRIDE: {entry.override.reason}")
        for each in entry.override.instead_of:
            say.line(f"    against it: {each}")
    for proof in entry.evaluations:
        say.line(f"  {proof.id}: {proof.sentence}")
    files = "promotions.yaml"
    if entry.report:
        say.line(f"  the report that proved it: {entry.report.folder}/report.md")
        files += f" {entry.report.folder}"
        if identity.ignored(root, root / entry.report.folder / "report.md"):
            say.line(f"remark: git ignores {entry.report.folder}. Write !reports/promoted/ into .gitignore.")
    say.line(f"Review and commit: git add {files}")
