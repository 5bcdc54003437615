"""The filters that choose stored completions, the same for every command."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distilltest.store import CompletionFilter, Store

_AGE = re.compile(r"(\d+)([dh])\Z")
_FILTERS = ("model", "role", "metadata", "since", "until", "evaluation", "grade", "key", "text")


def add_filters(command: argparse.ArgumentParser, *, everything: bool = False) -> None:
    """Declare the filters; ``everything`` adds ``--all``, which a command that changes something asks for without them."""
    filters = command.add_argument_group("which completions", "Those that meet every filter that is given.")
    filters.add_argument("--model", help="of this model")
    filters.add_argument(
        "--role", help="that the latest run which used them used in this role: teacher, candidate, ..."
    )
    filters.add_argument(
        "--metadata",
        action="append",
        default=[],
        type=label,
        metavar="KEY=VALUE",
        help="with this label; may be repeated",
    )
    filters.add_argument(
        "--since",
        type=moment,
        metavar="TIME",
        help="that arrived then or later: 2026-11-20, 2026-11-20T14:30 (UTC), 7d or 12h ago",
    )
    filters.add_argument("--until", type=moment, metavar="TIME", help="that arrived before then")
    filters.add_argument(
        "--evaluation",
        metavar="TEST",
        help="that this evaluation used: its pytest node id, or the test function's name",
    )
    filters.add_argument(
        "--grade", choices=("passed", "failed"), help="as the latest run graded them (of --evaluation)"
    )
    filters.add_argument("--key", type=key_prefix, metavar="PREFIX", help="whose key begins so")
    filters.add_argument("--text", help="with this text in the request or the answer, in large or small letters")
    if everything:
        filters.add_argument("--all", action="store_true", help="all completions: what no filter at all must say")
    command.add_argument("--root", type=Path, default=Path(), metavar="DIR", help="the folder of distilltest.yaml")


def selection_of(arguments: argparse.Namespace, store: Store) -> CompletionFilter:
    """What the filters say.

    Raises:
        StoreError: There is no such evaluation.
        DistilltestError: A command that changes something was given no filter and no ``--all``.
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
            f"No filter is given, so this would be every completion of {store.path}. Give a filter (--model, --metadata, "
            "--until, ...), or say --all."
        )
    return selection


def filter_words(arguments: argparse.Namespace) -> str:
    """The filters as somebody would type them again, with a space before."""
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
    """Ask on a terminal; ``--yes`` answers.

    Raises:
        DistilltestError: There is nobody to ask.
    """
    from distilltest.errors import DistilltestError

    if arguments.yes:
        return True
    if not sys.stdin.isatty():
        raise DistilltestError(f"{question} Nobody is there to ask: say --yes. Nothing was changed.")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def label(text: str) -> tuple[str, str]:
    """``KEY=VALUE``, within the API's limits."""
    from distilltest.store.changes import LONGEST_NAME, LONGEST_VALUE

    name, sign, value = text.partition("=")
    if not sign or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is no label; write KEY=VALUE")
    if len(name) > LONGEST_NAME or len(value) > LONGEST_VALUE:
        raise argparse.ArgumentTypeError(
            f"{text[:80]!r}: a label's name has up to {LONGEST_NAME} characters, its value up to {LONGEST_VALUE}"
        )
    return name, value


def moment(text: str) -> tuple[str, float]:
    """A time as it was written, and as Unix time: a date, a date with a time (UTC unless it names its zone), or an age."""
    age = _AGE.match(text)
    try:
        if age:
            passed = timedelta(**{"d": {"days": int(age[1])}, "h": {"hours": int(age[1])}}[age[2]])
            return text, (datetime.now(UTC) - passed).timestamp()
        read = datetime.fromisoformat(text)
        return text, (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time; write 2026-11-20, 2026-11-20T14:30, 7d (days ago) or 12h (hours ago)"
        ) from None


def key_prefix(text: str) -> str:
    """The beginning of a key."""
    if not re.fullmatch(r"[0-9a-f]{1,64}", text.lower()):
        raise argparse.ArgumentTypeError(f"{text!r} is no beginning of a key: up to 64 of the digits 0-9 and a-f")
    return text.lower()


def positive(text: str) -> int:
    """A whole number from 1."""
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 10**9:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)
