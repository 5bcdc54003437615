"""The JSON report, for programs: all values, with stable keys."""

from __future__ import annotations

import json
from typing import Any

import orjson

from distilltest.reporting.report import RunReport
from distilltest.untrusted.edges import mapped
from distilltest.untrusted.secrets import mask
from distilltest.untrusted.visible import safe_json


def render(run: RunReport) -> bytes:
    """The run as JSON. ``schema_version`` changes when a key changes its meaning."""
    return document(run.to_json())


def document(content: Any) -> bytes:
    """Plain values as JSON, without secrets, and with control characters escaped, so that a terminal can show it."""
    content = mapped(content, mask)
    try:
        text = orjson.dumps(content, option=orjson.OPT_INDENT_2)
    except TypeError:  # a lone surrogate, in the name of a file
        text = json.dumps(content, indent=2).encode()
    return safe_json(text) + b"\n"
