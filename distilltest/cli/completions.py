"""``distilltest completions``: its commands and what they take."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distilltest.cli.selection import add_filters, key_prefix, label, positive

_IMPORT = """\
Add completions that were given elsewhere. Each gets the key that this project's own request would have, so that a run
finds it and asks nothing: the same server address, model, messages and parameters. Where the model is one of
distilltest.yaml, it counts as asked with the parameters that stand there. What the store has stays as it is.

A file has one JSON object a line, in any of these forms:
  {"messages": [...], "answer": "..."}              the answer as a text; "model", "metadata", "created" (Unix time) and
  {"messages": [...], "completion": ...}            parameters such as "temperature" may stand beside; a completion is a
                                                    text, an assistant's message, or a chat completion object
  {"messages": [..., {"role": "assistant", ...}]}   the last message is the answer
  {"id": "chatcmpl-...", "choices": [...], "messages": [...]}      an OpenAI chat completion with its messages
  {"request": {...}, "response": {...}}             a body as it was sent, and the chat completion
  {"request": ..., "completion": ..., ...}          what `distilltest completions export` wrote
"""
_REDACT = """\
Replace what should not be read in the text of requests and answers, in the server's body, in labels, and in what runs of
the store say of these completions. Keys stay: a redacted completion is still found by its request. What is replaced is
gone from the store's files; there is no way back. Files below reports/ and training files are not touched.
"""


def add(commands: Any) -> None:
    """Declare the commands."""
    group = commands.add_parser(
        "completions",
        help="stored completions: list, show, tag, export, delete, import, redact",
        description="What is in the store, and what becomes of it.",
    )
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_looking(actions)
    _add_changing(actions)
    _add_exchange(actions)


def _action(actions: Any, name: str, short: str, text: str, run: Callable[[argparse.Namespace], int]) -> Any:
    action = actions.add_parser(
        name, help=short, description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    action.set_defaults(run=run)
    return action


def _add_looking(actions: Any) -> None:
    text = "Show a page of the stored completions, the newest first, and the command for the next page."
    listing = _action(actions, "list", "stored completions, page by page", text, run_list)
    add_filters(listing)
    listing.add_argument("--limit", type=positive, default=20, metavar="N", help="how many make a page (default 20)")
    listing.add_argument("--after", metavar="PLACE", help="the page behind this place: the command for it is printed")
    listing.add_argument("--oldest-first", action="store_true", help="turn the order around")
    listing.add_argument(
        "--jsonl", action="store_true", help="whole completions, one JSON object a line, as export writes"
    )
    text = "Show one completion: request, answer, labels, usage, latency, cost, and how evaluations graded it."
    show = _action(actions, "show", "everything about one completion", text, run_show)
    show.add_argument("key", type=key_prefix, metavar="KEY", help="the beginning of its key, as `list` shows it")
    show.add_argument("--root", type=Path, default=Path(), metavar="DIR", help="the folder of distilltest.yaml")


def _add_changing(actions: Any) -> None:
    text = "Give labels to stored completions, or take labels away. What was sent to a server stays as it was."
    tag = _action(actions, "tag", "change labels", text, run_tag)
    add_filters(tag, everything=True)
    tag.add_argument(
        "--set", action="append", default=[], type=label, metavar="KEY=VALUE", help="give this label; may be repeated"
    )
    tag.add_argument(
        "--remove", action="append", default=[], metavar="KEY", help="take this label away; may be repeated"
    )
    tag.add_argument("--dry-run", action="store_true", help="only say how many")
    text = "Delete stored completions. A run that needs one asks for it again; what earlier runs recorded stays."
    delete = _action(actions, "delete", "delete a selection", text, run_delete)
    add_filters(delete, everything=True)
    delete.add_argument("--yes", action="store_true", help="do not ask")
    redact = _action(actions, "redact", "take out what should not be read", _REDACT, run_redact)
    add_filters(redact, everything=True)
    redact.add_argument(
        "--find",
        action="append",
        default=[],
        metavar="NAME",
        help="email, phone, card, ip, secret, or every; may be repeated",
    )
    redact.add_argument(
        "--pattern",
        action="append",
        default=[],
        metavar="REGEX",
        help="a regular expression of your own; may be repeated",
    )
    redact.add_argument("--replace", metavar="TEXT", help="what stands there instead (default: [email], [phone], ...)")
    redact.add_argument("--dry-run", action="store_true", help="only say what would be found, with examples")
    redact.add_argument("--yes", action="store_true", help="do not ask")


def _add_exchange(actions: Any) -> None:
    text = "Write completions into a JSONL file that `import` reads back without loss, the oldest first."
    export = _action(actions, "export", "write a selection into a file", text, run_export)
    export.add_argument("file", type=Path, metavar="FILE", help="where to write")
    add_filters(export)
    come = _action(actions, "import", "add completions from a file or from a server", _IMPORT, run_import)
    come.add_argument("file", type=Path, nargs="?", metavar="FILE", help="JSONL")
    come.add_argument(
        "--from-server", action="store_true", help="pull what the server stored (store=True); goes on where it was"
    )
    come.add_argument("--server", metavar="NAME", help="the server of distilltest.yaml that gave the answers")
    come.add_argument(
        "--model", help="what answered where a line does not say it; with --from-server: only completions of this model"
    )
    come.add_argument(
        "--metadata",
        action="append",
        default=[],
        type=label,
        metavar="KEY=VALUE",
        help="with --from-server: only with this label; may be repeated",
    )
    come.add_argument(
        "--set",
        action="append",
        default=[],
        type=label,
        metavar="KEY=VALUE",
        help="give this label to all; may be repeated",
    )
    come.add_argument("--skip-bad", action="store_true", help="keep the good lines of a file although others are bad")
    come.add_argument("--from-start", action="store_true", help="with --from-server: look at all of them again")
    come.add_argument("--root", type=Path, default=Path(), metavar="DIR", help="the folder of distilltest.yaml")


def run_list(arguments: argparse.Namespace) -> int:
    """Show a page."""
    from distilltest.cli.completions_show import list_page

    return list_page(arguments)


def run_show(arguments: argparse.Namespace) -> int:
    """Show one."""
    from distilltest.cli.completions_show import show

    return show(arguments)


def run_tag(arguments: argparse.Namespace) -> int:
    """Change labels."""
    from distilltest.cli.completions_change import tag

    return tag(arguments)


def run_delete(arguments: argparse.Namespace) -> int:
    """Delete."""
    from distilltest.cli.completions_change import delete

    return delete(arguments)


def run_redact(arguments: argparse.Namespace) -> int:
    """Redact."""
    from distilltest.cli.completions_change import redact_selection

    return redact_selection(arguments)


def run_export(arguments: argparse.Namespace) -> int:
    """Write a file."""
    from distilltest.cli.completions_exchange import export

    return export(arguments)


def run_import(arguments: argparse.Namespace) -> int:
    """Read a file, or a server."""
    from distilltest.cli.completions_exchange import import_completions

    return import_completions(arguments)
