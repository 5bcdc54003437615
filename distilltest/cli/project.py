"""``distilltest report`` and ``distilltest schema``."""

from __future__ import annotations

import argparse
from typing import Any

from distilltest.cli import say
from distilltest.cli.options import add_root


def add(commands: Any) -> None:
    """Declare the commands."""
    report = commands.add_parser("report", help="print the report of the last run or of another one")
    report.add_argument(
        "run_id", nargs="?", metavar="RUN", help="the name of a folder in reports/ (default: the newest)"
    )
    add_root(report)
    report.set_defaults(run=run_report)
    schema = commands.add_parser("schema", help="print the JSON Schema of distilltest.yaml")
    schema.set_defaults(run=run_schema)


def run_report(arguments: argparse.Namespace) -> int:
    """Print a report."""
    from distilltest.config import load_config
    from distilltest.errors import DistilltestError

    folder = load_config(arguments.root.resolve()).reports_dir
    runs = sorted(path.parent.name for path in folder.glob("*/report.md"))
    chosen = arguments.run_id or (runs[-1] if runs else None)
    if chosen is None:
        raise DistilltestError(f"{folder} has no report yet. `pytest suites/` writes one.")
    if chosen not in runs:
        raise DistilltestError(f"{folder} has no run {chosen!r}. The newest: {', '.join(runs[-3:]) or 'none'}.")
    say.document((folder / chosen / "report.md").read_text(encoding="utf-8"))
    return 0


def run_schema(_: argparse.Namespace) -> int:
    """Print the schema."""
    import orjson

    from distilltest.config.load import schema

    say.document(orjson.dumps(schema(), option=orjson.OPT_INDENT_2).decode())
    return 0
