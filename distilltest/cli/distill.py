"""``distilltest distill``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self


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
        bar=Progress,
        force=arguments.force,
        train_limit=arguments.train_limit,
        suffix=arguments.suffix,
    )
    try:
        return loop.run()
    finally:
        loop.store.close()


class Progress:
    """A tqdm bar on standard error; nothing where that is no terminal."""

    def __init__(self, title: str, total: int) -> None:
        from tqdm import tqdm

        hidden = not sys.stderr.isatty()
        self._bar: Any = tqdm(total=total or None, desc=title, leave=False, disable=hidden, dynamic_ncols=True)

    def __enter__(self) -> Self:
        return self

    def __call__(self, done: int) -> None:
        """Show how many are done."""
        self._bar.update(done - self._bar.n)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
