"""``distilltest learning-curve``: tune and evaluate at several sizes of the training file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distilltest.cli import finetune, say
from distilltest.cli.opening import connect, open_store
from distilltest.cli.options import add_action, add_root, resumable

if TYPE_CHECKING:
    from distilltest.config import Config
    from distilltest.distillation.learning_curve.curve import LearningCurve

_TEXT = """\
Would more training data help? Tune at several sizes of the training file, evaluate each model, and plot pass rate by size.

  distilltest learning-curve
      at 50, 100, 200 and 400 examples of the file that `distilltest distill` wrote
  distilltest learning-curve --file train.jsonl --sizes 100,200,400,all --suite suites/test_git_commands.py

The subsets are random and nested: every larger one contains the smaller ones. All jobs start at once. You can stop the
command and repeat it at any time: it finds its jobs and stored answers, and pays for nothing twice. The evaluations do not
count as attempts at a promotion, and the project's candidate does not change.

The result goes to the terminal and to reports/learning-curve-<time>/: curve.md, curve.svg and curve.json.
"""


def add(commands: Any) -> None:
    """Declare the command."""
    command = add_action(
        commands,
        "learning-curve",
        "would more data help? tune and evaluate at several sizes of the training file",
        _TEXT,
        run,
    )
    command.add_argument(
        "--file", type=Path, metavar="FILE", help="the training file (default: the one that distill wrote)"
    )
    command.add_argument(
        "--sizes", type=_sizes, default=[], metavar="N,N,…", help="numbers of examples; `all` is the whole file"
    )
    command.add_argument("--suite", metavar="PATH", help="the path that pytest runs (default: as in distilltest.yaml)")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="the seed for drawing examples (default: 0)")
    command.add_argument(
        "--epochs",
        type=finetune.whole_or_auto,
        metavar="N|auto",
        help="passes per job (default: the server decides)",
    )
    add_root(command)
    resumable(command)


def _sizes(text: str) -> list[int | None]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part == "all" or (part.isdecimal() and int(part) > 0) for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of sizes such as 50,100,200 or 100,all")
    return [None if part == "all" else int(part) for part in parts]


def run(arguments: argparse.Namespace) -> int:
    """Measure, plot and report."""
    import sys

    from distilltest.cli.finetune_start import check
    from distilltest.cli.finetune_watch import LiveLine, display_for, suites_of
    from distilltest.distillation.learning_curve import text
    from distilltest.distillation.learning_curve.measure import Measurement
    from distilltest.distillation.learning_curve.subsets import write_subsets
    from distilltest.finetuning.follow import Follower
    from distilltest.finetuning.order import Order

    with connect(arguments.root) as (config, server), open_store(config) as store:
        path = _file(arguments, config)
        method = check(path, "auto")
        subsets = write_subsets(path, arguments.sizes, config.state_dir / "training", arguments.seed)
        epochs = {"n_epochs": arguments.epochs} if arguments.epochs not in (None, "auto") else {}
        suffix = config.distillation.suffix if config.distillation else None
        order = Order.of(config.model("base").model, path, method=method, hyperparameters=epochs, suffix=suffix)
        suite = arguments.suite or suites_of(config)

        def follow(job: str) -> Any:
            display = display_for(sys.stdout)
            told = display.told if isinstance(display, LiveLine) else lambda _: None
            with display:
                return Follower(server, told, display.shown).follow(job)

        measurement = Measurement(config, store, server, order, subsets, arguments.seed, suite, say.line, follow)
        curve = measurement.run()
    folder = _write(config, curve)
    say.line()
    say.document(text.summary(curve))
    say.line()
    shown = folder.relative_to(config.root) if folder.is_relative_to(config.root) else folder
    say.line(f"read {shown / 'curve.md'} (the plot: {shown / 'curve.svg'}, the data: {shown / 'curve.json'})")
    return 0


def _file(arguments: argparse.Namespace, config: Config) -> Path:
    from distilltest.errors import DistilltestError

    if arguments.file is not None:
        return Path(arguments.file).resolve()
    written = config.state_dir / "training" / "supervised.jsonl"
    if not written.is_file():
        raise DistilltestError(
            f"There is no {written}. Name a training file with --file, or let `distilltest distill` write one."
        )
    return written


def _write(config: Config, curve: LearningCurve) -> Path:
    """Write the three files, each atomically; return their folder."""
    from distilltest.data.whole_files import write_whole
    from distilltest.distillation.learning_curve import markdown, svg
    from distilltest.reporting.json import document

    time = curve.created[:19].replace("-", "").replace(":", "").replace("T", "-")
    folder = config.reports_dir / f"learning-curve-{time}"
    data = document(curve.to_json())
    for name, content in (
        ("curve.json", data),
        ("curve.svg", svg.render(curve).encode()),
        ("curve.md", markdown.render(curve).encode()),
    ):
        write_whole(folder / name, content, private=config.private_reports)
    return folder
