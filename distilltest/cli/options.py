"""Options that several commands share, and the values that they take."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from distilltest.process.interruption import duration


def add_action(
    actions: Any, name: str, short: str, text: str | None = None, run: Callable[[argparse.Namespace], int] | None = None
) -> Any:
    """Declare a command or an action of one; its description keeps its lines."""
    action = actions.add_parser(
        name, help=short, description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if run is not None:
        action.set_defaults(run=run)
    return action


def deferred(module: str, function: str) -> Callable[[argparse.Namespace], int]:
    """A function of a module in this package, imported when the command runs: ``--help`` does not wait for it."""
    return lambda arguments: int(getattr(import_module(f"distilltest.cli.{module}"), function)(arguments))


def add_root(command: Any) -> None:
    """Declare ``--root``."""
    command.add_argument(
        "--root", type=Path, default=Path(), metavar="DIR", help="the folder of distilltest.yaml (default: here)"
    )


def add_labels(command: Any, option: str, text: str) -> None:
    """Declare an option that takes a label and may be repeated."""
    command.add_argument(
        option, action="append", default=[], type=label, metavar="KEY=VALUE", help=f"{text}; may be repeated"
    )


def resumable(command: Any) -> None:
    """Declare that a command stores every answer as it arrives; add ``--time-limit``, which ends it as Ctrl-C would."""
    command.add_argument(
        "--time-limit",
        type=duration,
        metavar="TIME",
        help="stop after 90s, 10m or 1h30m, as Ctrl-C would, with exit code 11",
    )
    command.set_defaults(resumes=True)


def label(text: str) -> tuple[str, str]:
    """Parse ``KEY=VALUE``, within the API's limits."""
    from distilltest.store.changes import LONGEST_NAME, LONGEST_VALUE

    name, sign, value = text.partition("=")
    if not sign or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not a label; write KEY=VALUE")
    if len(name) > LONGEST_NAME or len(value) > LONGEST_VALUE:
        raise argparse.ArgumentTypeError(
            f"{text[:80]!r}: a label's name has up to {LONGEST_NAME} characters, its value up to {LONGEST_VALUE}"
        )
    return name, value


def positive(text: str) -> int:
    """Parse a whole number from 1."""
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 10**9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)
