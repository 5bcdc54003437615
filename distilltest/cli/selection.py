"""The filters that select stored completions, the same for every command."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distilltest.cli.options import add_labels, add_root

if TYPE_CHECKING:
    from distilltest.store import CompletionFilter, Store

_AGE = re.compile(r"(\d+)([dh])\Z")
_FILTERS = ("model", "role", "metadata", "since", "until", "evaluation", "grade", "key", "text")


def add_filters(command: argparse.ArgumentParser, *, everything: bool = False) -> None:
    """Declare the filters; ``everything`` adds ``--all``, which a command that changes the store needs if no filter is given."""
    filters = command.add_argument_group("which completions", "Completions that meet every given filter.")
    filters.add_argument("--model", help="of this model")
    filters.add_argument("--role", help="in this role in the latest run that used them: teacher, candidate, ...")
    add_labels(filters, "--metadata", "with this label")
    filters.add_argument(
        "--since",
        type=moment,
        metavar="TIME",
        help="that arrived at this time or later: 2026-11-20, 2026-11-20T14:30 (UTC), 7d or 12h (ago)",
    )
    filters.add_argument("--until", type=moment, metavar="TIME", help="that arrived before this time")
    filters.add_argument(
        "--evaluation",
        metavar="TEST",
        help="used by this evaluation: its pytest node id, or the name of its test function",
    )
    filters.add_argument(
        "--grade", choices=("passed", "failed"), help="with this grade in the latest run (of --evaluation)"
    )
    filters.add_argument("--key", type=key_prefix, metavar="PREFIX", help="whose key begins with PREFIX")
    filters.add_argument("--text", help="with this text in the request or the answer; case is ignored")
    if everything:
        filters.add_argument("--all", action="store_true", help="select every completion, without a filter")
    add_root(command)


def selection_of(arguments: argparse.Namespace, store: Store) -> CompletionFilter:
    """Make a filter for the store from the options.

    Raises:
        StoreError: There is no such evaluation.
        DistilltestError: A command that changes the store got neither a filter nor ``--all``.
    """
    from distilltest.errors import DistilltestError
    from distilltest.store import CompletionFilter

    selection = CompletionFilter(
        model=arguments.model,
        role=arguments.role,
        metadata=dict(arguments.metadata),
        since=arguments.since[1] if arguments.since else None,
        until=arguments.until[1] if arguments.until else None,
        evaluation=store.find_evaluation(arguments.evaluation) if arguments.evaluation else None,
        passed=None if arguments.grade is None else arguments.grade == "passed",
        key=arguments.key,
        text=arguments.text,
    )
    if selection.everything and getattr(arguments, "all", None) is False:
        raise DistilltestError(
            f"Without a filter, this would affect every completion of {store.path}. Add a filter (--model, --metadata, "
            "--until, ...), or say --all."
        )
    return selection


def filter_words(arguments: argparse.Namespace) -> str:
    """The filters as you would type them again, each preceded by a space."""
    words: list[str] = []
    for name in _FILTERS:
        value = getattr(arguments, name)
        values: Iterable[Any] = value if name == "metadata" else [value]
        for each in values:
            if each is not None:
                shown = "=".join(each) if name == "metadata" else each[0] if name in ("since", "until") else each
                words += [f"--{name}", shown]
    if arguments.root != Path():
        words += ["--root", str(arguments.root)]
    return "".join(f" {word}" for word in map(shlex.quote, words))


def agreed(arguments: argparse.Namespace, question: str) -> bool:
    """Ask for confirmation on a terminal; ``--yes`` skips the question.

    Raises:
        DistilltestError: Standard input is not a terminal.
    """
    from distilltest.errors import DistilltestError

    if arguments.yes:
        return True
    if not sys.stdin.isatty():
        raise DistilltestError(f"{question} There is no terminal to ask on: say --yes. Nothing was changed.")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def moment(text: str) -> tuple[str, float]:
    """Parse a date, a date with a time (UTC unless it names its zone), or an age; return the text and the Unix time."""
    age = _AGE.match(text)
    try:
        if age:
            passed = timedelta(**{"d": {"days": int(age[1])}, "h": {"hours": int(age[1])}}[age[2]])
            return text, (datetime.now(UTC) - passed).timestamp()
        read = datetime.fromisoformat(text)
        return text, (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time; write 2026-11-20, 2026-11-20T14:30, 7d (days ago) or 12h (hours ago)"
        ) from None


def key_prefix(text: str) -> str:
    """Parse the beginning of a key."""
    if not re.fullmatch(r"[0-9a-f]{1,64}", text.lower()):
        raise argparse.ArgumentTypeError(f"{text!r} cannot begin a key: a key has up to 64 of the digits 0-9 and a-f")
    return text.lower()
