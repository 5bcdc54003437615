"""``distilltest completions``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Declare the commands."""
    group = commands.add_parser("completions", help="stored completions", description="What is in the store.")
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="stored completions, the newest first")
    listing.add_argument("--model", help="only of this model")
    listing.add_argument("--metadata", action="append", default=[], metavar="KEY=VALUE", help="only with this label")
    listing.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many (default 20)")
    listing.add_argument("--jsonl", action="store_true", help="one JSON object a line, with whole requests and answers")
    listing.add_argument("--root", type=Path, default=Path(), metavar="DIR", help="the folder of distilltest.yaml")
    listing.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show stored completions."""
    import orjson
    from tabulate import tabulate

    from distilltest.config import load_config
    from distilltest.errors import DistilltestError
    from distilltest.store import Selection, Store

    labels = {}
    for text in arguments.metadata:
        key, sign, value = text.partition("=")
        if not sign:
            raise DistilltestError(f"--metadata {text}: write KEY=VALUE.")
        labels[key] = value
    with Store.open(load_config(arguments.root.resolve()).store_path) as store:
        found = store.find_completions(Selection(model=arguments.model, metadata=labels), limit=arguments.limit)
    if arguments.jsonl:
        for item in found:
            print(
                orjson.dumps(
                    {"request": item.request, "completion": item.completion, "metadata": item.metadata}
                ).decode()
            )
        return 0
    rows = [
        [
            item.completion.key[:12],
            item.completion.model,
            _short(item.request),
            _cut(item.completion.text),
            item.metadata or "",
        ]
        for item in found
    ]
    print(tabulate(rows, ["key", "model", "request", "answer", "metadata"]))
    return 0


def _short(request: dict[str, Any]) -> str:
    return _cut(next((str(m.get("content")) for m in reversed(request["messages"]) if m["role"] == "user"), ""))


def _cut(text: str, width: int = 50) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else f"{text[: width - 1]}…"
