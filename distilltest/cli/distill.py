"""``distilltest distill``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "distill",
        help="the whole loop: teacher, training file, fine-tuning, evaluation, verdict",
        description=(
            "Ask the teacher for every training request, write and check a training file, tune the student with a job, "
            "evaluate the tuned model, and name the report. What has been done and has not changed is not done again; "
            "an interrupted call goes on where it was. What to do stands under `distillation:` in distilltest.yaml."
        ),
    )
    command.add_argument(
        "--root", type=Path, default=Path(), metavar="DIR", help="the folder of distilltest.yaml (default: here)"
    )
    command.add_argument("--train-limit", type=int, metavar="N", help="learn from the first N training requests only")
    command.add_argument("--suffix", help="part of the tuned model's name")
    command.add_argument("--force", action="store_true", help="evaluate even where nothing has changed")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the loop."""
    from distilltest.cli.bar import Bar
    from distilltest.config import load_config
    from distilltest.distillation.loop import Loop
    from distilltest.retention import open_for_work

    def say(line: str) -> None:
        print(line, flush=True)

    config = load_config(arguments.root.resolve())
    loop = Loop(
        config=config,
        store=open_for_work(config, say),
        say=say,
        bar=Bar,
        force=arguments.force,
        train_limit=arguments.train_limit,
        suffix=arguments.suffix,
    )
    try:
        return loop.run()
    finally:
        loop.store.close()
