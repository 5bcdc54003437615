"""Parsing the command line, and the one place that turns errors into messages and exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from distilltest import __version__
from distilltest.cli import (
    collect,
    completions,
    dataset,
    distill,
    finetune,
    init,
    judge,
    learning_curve,
    project,
    promote,
    promotions,
    serve,
)
from distilltest.errors import DistilltestError
from distilltest.exit_codes import ERROR, INTERRUPTED

_COMMANDS = (
    init,
    distill,
    collect,
    serve,
    finetune,
    learning_curve,
    completions,
    dataset,
    judge,
    promote,
    promotions,
    project,
)
_EPILOG = """\
A newcomer's way:
  distilltest init            write a small project into this folder
  distilltest distill         ask the teacher, tune the student, evaluate it
  pytest suites/              evaluate again; exit code 0: it may be promoted
  distilltest promote         put it into production, on the record

Exit codes of distill and promote are pytest's: 0 promote, 1 block, 10 undecided, 11 incomplete; 2 a wrong command line,
3 an error that the message explains.
"""


def parser() -> argparse.ArgumentParser:
    """The parser with all commands."""
    top = argparse.ArgumentParser(
        prog="distilltest",
        description="Evaluation and regression tests for model distillation.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"distilltest {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in _COMMANDS:
        module.add(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        The exit code.
    """
    chosen = parser().parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except DistilltestError as error:
        print(f"distilltest: error: {error}", file=sys.stderr)
        return ERROR
    except KeyboardInterrupt:
        print(
            "\nInterrupted. Everything that had arrived is kept: the same command goes on from here.", file=sys.stderr
        )
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
