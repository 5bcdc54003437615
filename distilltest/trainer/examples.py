"""Reads training files. Checks the rules of ``distilltest dataset check``, and that the examples are text only."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from distilltest.server.interface import TrainingFailed
from distilltest.training_files.lines import Finding
from distilltest.training_files.preferences import preference_findings
from distilltest.training_files.supervised import supervised_findings

SHOWN = 5
"""How many findings a failed job lists."""
Messages = list[dict[str, Any]]
_TEXT_ONLY = "This trainer learns from text only: remove the line, or tune elsewhere."


def read_file(content: bytes, method: str, *, field: str) -> list[dict[str, Any]]:
    """Read the examples of a file.

    Args:
        content: The file's content.
        method: ``supervised`` or ``dpo``.
        field: The job's field that names the file. A validation file may be short.

    Raises:
        TrainingFailed: The file is invalid; the message names the first invalid lines.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.jsonl"
        path.write_bytes(content)
        findings = list(preference_findings(path) if method == "dpo" else supervised_findings(path))
    fatal = [f for f in findings if f.fatal and (f.line or field == "training_file")]
    examples = [] if fatal else [orjson.loads(line) for line in content.splitlines() if line.strip()]
    fatal += [f for number, example in enumerate(examples, start=1) for f in _no_text(number, example)]
    if fatal or not examples:
        raise TrainingFailed(f"invalid_{field}", _said(fatal), field)
    return examples


def texts(messages: Messages) -> Messages:
    """The messages, with each content as one string."""
    return [{**message, "content": plain(message["content"])} for message in messages]


def plain(content: Any) -> str:
    """The text of a content, which is a string or a list of parts."""
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _said(findings: list[Finding]) -> str:
    shown = [f"line {f.line}: {f.message}" if f.line else f.message for f in findings[:SHOWN]]
    more = [f"… and {len(findings) - SHOWN} more"] if len(findings) > SHOWN else []
    return "\n".join([*shown, *more]) or "The file is empty. Write one example per line."


def _no_text(number: int, example: dict[str, Any]) -> Iterator[Finding]:
    """Findings about content that training files may have, but that is not text."""
    request = example.get("input", example)
    messages = [*request["messages"], *example.get("preferred_output", []), *example.get("non_preferred_output", [])]
    if request.get("tools") or request.get("functions"):
        yield Finding(number, f"the example has tools. {_TEXT_ONLY}")
        return
    for message in messages:
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"type": "text"}] if isinstance(content, str) else [{}]
        if message["role"] in ("tool", "function") or any(part.get("type") != "text" for part in parts):
            yield Finding(number, f"a message of the {message['role']} is not only text. {_TEXT_ONLY}")
            return
