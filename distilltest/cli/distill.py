"""``distilltest distill``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from distilltest.cli import say
from distilltest.cli.options import add_root, resumable


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "distill",
        help="run the whole loop: teacher, training file, fine-tuning, evaluation, verdict",
        description=(
            "Ask the teacher every training request, write and check a training file, tune the student, evaluate the tuned "
            "model, and name the report. Configure it under `distillation:` in distilltest.yaml. Steps whose inputs have "
            "not changed are skipped; after an interruption, the same command resumes. An earlier verdict is reused only if "
            "`distilltest promote` would accept its run, because nothing that the run depends on has changed."
        ),
        epilog=(
            "Exit codes: 0 every evaluation says promote (with --promote: the model is promoted), 1 an evaluation blocks, "
            "10 undecided, 11 incomplete or stopped by --time-limit, 3 an error, explained by the message, 130 interrupted. "
            "If --promote is refused, the code is that of `distilltest promote`."
        ),
    )
    add_root(command)
    command.add_argument("--train-limit", type=int, metavar="N", help="use only the first N training requests")
    command.add_argument("--suffix", help="part of the tuned model's name")
    command.add_argument(
        "--promote",
        action="store_true",
        help="promote the tuned model if the verdict says so (see distilltest promote)",
    )
    command.add_argument("--force", action="store_true", help="evaluate even if nothing has changed")
    resumable(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the loop."""
    from distilltest.cli.bar import Bar
    from distilltest.config import load_config
    from distilltest.distillation.loop import STEPS, Loop
    from distilltest.exit_codes import PROMOTED
    from distilltest.promotion.freshness import why_again
    from distilltest.store import Store
    from distilltest.store.prepare import open_for_work

    config = load_config(arguments.root.resolve())

    def again(store: Store, run_id: str, model: str) -> list[str]:
        assert config.distillation is not None
        return why_again(config, store, run_id, config.distillation.suites, model)

    loop = Loop(
        config=config,
        store=open_for_work(config, say.line),
        say=say.line,
        bar=Bar,
        why_again=again,
        force=arguments.force,
        train_limit=arguments.train_limit,
        suffix=arguments.suffix,
        steps=STEPS + arguments.promote,
    )
    try:
        code = loop.run()
    finally:
        loop.store.close()
    if arguments.promote:
        started = loop.clock()
        result = "none: the verdict is not promote"
        if code == PROMOTED:
            code, result = _promoted(config.root, loop.candidate, loop.run_id)
        say.line(f"{loop.steps}/{loop.steps}  promotion       {result}   ({loop.clock() - started:.1f} s)")
    if loop.idle:
        say.line("Nothing to do: requests, training file, configuration, suites and data are as they were.")
    return code


def _promoted(root: Path, model: str, run_id: str) -> tuple[int, str]:
    """Promote a model on the evidence of a run, unless that was done before; return the exit code and a description."""
    from distilltest.cli.promote import exit_code, open_session
    from distilltest.exit_codes import PROMOTED
    from distilltest.promotion import NAME
    from distilltest.promotion.history import History
    from distilltest.promotion.promote import Promoter

    production = History.load(root).production
    if production and production.model.id == model and any(proof.run == run_id for proof in production.evaluations):
        return PROMOTED, f"entry {production.number} of {NAME}, promoted before"
    session = open_session(root, model)
    try:
        result = Promoter(session.config, session.store).promote()
    finally:
        session.close()
    if result.entry is None:
        why = [each.sentence for each in result.evidence] + list(result.obstacles)
        return exit_code(result), f"refused: {'; '.join(why)}"
    if result.already:
        return PROMOTED, f"entry {result.entry.number} of {NAME}, promoted before"
    kept = f"; the report that proved it is kept in {result.entry.report.folder}" if result.entry.report else ""
    return PROMOTED, f"entry {result.entry.number} of {NAME}{kept}"
