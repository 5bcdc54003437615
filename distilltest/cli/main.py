"""Parse the command line, run the command, and turn errors into messages and exit codes."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import traceback
from collections.abc import Sequence

from distilltest import __version__
from distilltest.cli import (
    archive,
    attempts,
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
    say,
    serve,
)
from distilltest.errors import DEBUG, DistilltestError, unexpected
from distilltest.exit_codes import BROKEN_PIPE, ERROR, INCOMPLETE, INTERNAL_ERROR, INTERRUPTED
from distilltest.process.interruption import Interruption, TimeIsUp, seconds_of
from distilltest.untrusted.edges import shown_output

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
    attempts,
    archive,
    project,
)
_EPILOG = """\
First steps:
  distilltest init            write a small project into this folder
  distilltest distill         ask the teacher, tune the student, evaluate it
  pytest suites/              evaluate again; exit code 0 means the model may be promoted
  distilltest promote         promote the model and record why in promotions.yaml

Exit codes: 0 done; 2 invalid command line; 3 an error, explained by the message; 13 a check or verification found a fault;
70 a bug in distilltest; 130 Ctrl-C, SIGTERM or SIGHUP.
distill and promote use pytest's codes: 0 promote, 1 block, 10 undecided, 11 incomplete, 12 an evaluation could not run.
"""


_RESUMES = "Everything that had arrived is kept: the same command goes on from here."
"""Printed for a command that declares ``resumes``, because it stores every answer as it arrives."""


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
    with shown_output():
        return _main(arguments)


def _main(arguments: Sequence[str] | None) -> int:
    chosen = argparse.Namespace()
    try:
        with Interruption(ends_process=arguments is None) as interruption:
            chosen = parser().parse_args(arguments)
            if getattr(chosen, "time_limit", None):
                interruption.limit(seconds_of(chosen.time_limit))
            code = int(chosen.run(chosen))
            sys.stdout.flush()  # raises BrokenPipeError here rather than when the interpreter ends
            return code
    except DistilltestError as error:
        _say(f"distilltest: error: {error}")
        _trace()
        return ERROR
    except TimeIsUp:
        _say("")
        _say(f"The time limit of {chosen.time_limit} is over. {_RESUMES}")
        return INCOMPLETE
    except KeyboardInterrupt:
        _say("")
        _say(f"Interrupted. {_RESUMES if getattr(chosen, 'resumes', False) else 'Run the same command again.'}")
        return INTERRUPTED
    except BrokenPipeError:
        _let_go_of_output()
        return BROKEN_PIPE
    except OSError as error:
        if error.filename is None or error.strerror is None:
            _say(f"distilltest: {unexpected(error)}")
            return INTERNAL_ERROR
        _say(
            f"distilltest: error: {error.filename}: {error.strerror}. Change the path or its permissions, and run again."
        )
        _trace()
        return ERROR
    except Exception as error:
        _say(f"distilltest: {unexpected(error)}")
        return INTERNAL_ERROR


def _say(text: str) -> None:
    """Print on standard error, unless it is closed."""
    with contextlib.suppress(OSError, ValueError):
        say.error(text)


def _trace() -> None:
    if os.environ.get(DEBUG):
        _say(traceback.format_exc())


def _let_go_of_output() -> None:
    """Redirect standard output to the null device, so that the interpreter does not complain about the closed pipe."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
