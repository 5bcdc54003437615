"""Reports for programs: everything, with stable keys."""

from __future__ import annotations

import orjson

from distilltest.reporting.report import RunReport


def render(run: RunReport) -> bytes:
    """The run as JSON; ``schema_version`` changes when a key changes its meaning."""
    return orjson.dumps(run.to_json(), option=orjson.OPT_INDENT_2) + b"\n"
