"""Declare ``distilltest completions`` and its actions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distilltest.cli.options import add_action, add_labels, add_root, deferred, positive
from distilltest.cli.selection import add_filters, key_prefix

_IMPORT = """\
Add completions that were collected elsewhere. Each gets the key that this project's own request would have: the same
server address, model, messages and parameters. A later run then finds it and sends nothing. If the model is in
distilltest.yaml, the parameters there count as the ones it was asked with. Completions already in the store stay as they are.

A file has one JSON object per line, in any of these forms:
  {"messages": [...], "answer": "..."}              the answer as text; "model", "metadata", "created" (Unix time) and
  {"messages": [...], "completion": ...}            parameters such as "temperature" are optional; a completion is
                                                    text, an assistant message, or a chat completion object
  {"messages": [..., {"role": "assistant", ...}]}   the last message is the answer
  {"id": "chatcmpl-...", "choices": [...], "messages": [...]}      an OpenAI chat completion with its messages
  {"request": {...}, "response": {...}}             a request body and its chat completion
  {"request": ..., "completion": ..., ...}          the output of `distilltest completions export`
"""
_REDACT = """\
Replace sensitive text in requests and answers, in the response bodies, in labels, and in what the runs in the store
recorded about these completions. Keys stay the same, so a request still finds its redacted completion. The replaced text
is gone from the store's files for good. Files in reports/ and training files are not changed.
"""


def add(commands: Any) -> None:
    """Declare the commands."""
    group = commands.add_parser(
        "completions",
        help="stored completions: list, show, tag, export, delete, import, redact",
        description="Read, label, clean, import and export the completions in the store.",
    )
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_reading(actions)
    _add_changing(actions)
    _add_exchange(actions)


def _add_reading(actions: Any) -> None:
    text = "Show a page of stored completions, newest first, and the command for the next page."
    listing = add_action(
        actions, "list", "list stored completions, page by page", text, deferred("completions_show", "list_page")
    )
    add_filters(listing)
    listing.add_argument("--limit", type=positive, default=20, metavar="N", help="completions per page (default: 20)")
    listing.add_argument("--after", metavar="PLACE", help="start after this place; the page before prints the command")
    listing.add_argument("--oldest-first", action="store_true", help="reverse the order")
    listing.add_argument(
        "--jsonl", action="store_true", help="print whole completions as JSON, one per line, as export writes them"
    )
    text = "Show one completion: request, answer, labels, usage, latency, cost, and how evaluations graded it."
    show = add_action(actions, "show", "show one completion in full", text, deferred("completions_show", "show"))
    show.add_argument("key", type=key_prefix, metavar="KEY", help="the beginning of its key, as `list` shows it")
    add_root(show)


def _add_changing(actions: Any) -> None:
    text = "Add labels to stored completions, or remove them. The request that was sent does not change."
    tag = add_action(actions, "tag", "change labels", text, deferred("completions_change", "tag"))
    add_filters(tag, everything=True)
    add_labels(tag, "--set", "add this label")
    tag.add_argument("--remove", action="append", default=[], metavar="KEY", help="remove this label; may be repeated")
    tag.add_argument("--dry-run", action="store_true", help="count the completions and change nothing")
    text = "Delete stored completions. A run that needs one asks for it again; the records of earlier runs stay."
    delete = add_action(actions, "delete", "delete completions", text, deferred("completions_change", "delete"))
    add_filters(delete, everything=True)
    delete.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    redact = add_action(
        actions, "redact", "replace sensitive text", _REDACT, deferred("completions_change", "redact_selection")
    )
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
    redact.add_argument("--replace", metavar="TEXT", help="the replacement (default: [email], [phone], ...)")
    redact.add_argument("--dry-run", action="store_true", help="count the matches, show examples, and change nothing")
    redact.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def _add_exchange(actions: Any) -> None:
    text = "Write completions to a JSONL file, oldest first. `import` reads it back without loss."
    export = add_action(
        actions, "export", "write completions to a file", text, deferred("completions_exchange", "export")
    )
    export.add_argument("file", type=Path, metavar="FILE", help="the file to write")
    add_filters(export)
    take = add_action(
        actions,
        "import",
        "add completions from a file or a server",
        _IMPORT,
        deferred("completions_exchange", "import_completions"),
    )
    take.add_argument("file", type=Path, nargs="?", metavar="FILE", help="a JSONL file")
    take.add_argument(
        "--from-server",
        action="store_true",
        help="fetch the completions that the server stored (store=True), from where the last import ended",
    )
    take.add_argument("--server", metavar="NAME", help="the server of distilltest.yaml that gave the answers")
    take.add_argument(
        "--model", help="the model of lines that name none; with --from-server: only completions of this model"
    )
    add_labels(take, "--metadata", "with --from-server: only completions with this label")
    add_labels(take, "--set", "add this label to all")
    take.add_argument("--skip-bad", action="store_true", help="import the good lines of a file even if others are bad")
    take.add_argument("--from-start", action="store_true", help="with --from-server: start from the first one again")
    add_root(take)
