"""Training files for supervised tuning: written from stored completions, and checked by the platform's rules."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from distilltest.errors import TrainingFileError, at
from distilltest.records import Message
from distilltest.store import StoredCompletion

LEAST_EXAMPLES = 10
"""The platform's own minimum."""
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


@dataclass(frozen=True, slots=True)
class Written:
    """A training file on disk."""

    path: Path
    examples: int
    left_out: Mapping[str, int]
    """Why completions were left out → how many."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a training file should not have."""

    line: int
    """From 1; 0 for the file as a whole."""
    message: str
    """What it is, and the remedy."""
    fatal: bool = True
    """Whether a platform would reject the file."""


def write_supervised(path: Path, picked: Iterable[tuple[StoredCompletion, Sequence[Message]]]) -> Written:
    """Write one example a line, the whole file or none of it.

    Args:
        path: Where to.
        picked: Completions, each with the messages that the student shall be asked with.

    Raises:
        TrainingFileError: Nothing is left to write, or the file cannot be written.
    """
    lines: list[bytes] = []
    seen: set[bytes] = set()
    left_out: dict[str, int] = {}
    for stored, messages in picked:
        said = stored.completion
        reason = None
        if said.refusal:
            reason = "refused"
        elif said.finish_reason != "stop":
            reason = f"ended by {said.finish_reason}"
        elif not said.text.strip():
            reason = "empty"
        line = orjson.dumps({"messages": [*messages, {"role": "assistant", "content": said.text}]})
        if reason is None and line in seen:
            reason = "the same example twice"
        if reason is not None:
            left_out[reason] = left_out.get(reason, 0) + 1
            continue
        seen.add(line)
        lines.append(line)
    if not lines:
        raise TrainingFileError(f"{path}: no completion is left to learn from ({left_out or 'none was picked'}).")
    data = b"\n".join(lines) + b"\n"
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise TrainingFileError(f"{path} cannot be written: {error.strerror}.") from None
    return Written(path, len(lines), left_out, hashlib.sha256(data).hexdigest())


def check_supervised(path: Path) -> list[Finding]:
    """Hold a file against the platform's rules.

    Raises:
        TrainingFileError: The file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TrainingFileError(f"{path} cannot be read: {error.strerror}.") from None
    findings: list[Finding] = []
    lines = data.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    first: dict[bytes, int] = {}
    for number, line in enumerate(lines, start=1):
        message = _problem(line)
        if message:
            findings.append(Finding(number, message))
        elif line in first:
            findings.append(Finding(number, f"the same as line {first[line]}. Leave one out.", fatal=False))
        first.setdefault(line, number)
    good = len(lines) - sum(f.fatal for f in findings)
    if good < LEAST_EXAMPLES:
        findings.append(Finding(0, f"{good} examples; platforms ask for at least {LEAST_EXAMPLES}. Collect more."))
    return findings


def _problem(line: bytes) -> str | None:
    if not line.strip():
        return "a blank line. Take it out."
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"not JSON: {error.msg} (column {error.colno}). Each line is one whole object, in UTF-8."
    messages = content.get("messages") if isinstance(content, dict) else None
    if not isinstance(messages, list) or not messages:
        return 'no "messages". Write {"messages": [...]}.'
    for number, message in enumerate(messages, start=1):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            return f"message {number} has no role of {', '.join(_ROLES)}."
        if "weight" in message and (message["role"] != "assistant" or message["weight"] not in (0, 1)):
            return f'message {number}: "weight" is 0 or 1, and on assistant messages only.'
        if not message.get("content") and not message.get("tool_calls"):
            return f"message {number} ({message['role']}) is empty."
    if messages[-1]["role"] != "assistant":
        return "the last message is not the assistant's. The answer to learn comes last."
    return None


def refuse_bad(path: Path) -> list[Finding]:
    """Check a file, and return what is no reason to reject it.

    Raises:
        TrainingFileError: A platform would reject it; the message names lines and remedies.
    """
    findings = check_supervised(path)
    fatal = [finding for finding in findings if finding.fatal]
    if fatal:
        shown = "\n".join(f"{at(path, finding.line)}: {finding.message}" for finding in fatal[:10])
        more = f"\n… and {len(fatal) - 10} more" if len(fatal) > 10 else ""
        raise TrainingFileError(f"{shown}{more}")
    return findings


def user_texts(path: Path) -> list[str]:
    """The last user message of each example."""
    texts = []
    for line in path.read_bytes().splitlines():
        messages: list[dict[str, Any]] = orjson.loads(line)["messages"]
        texts.append(next((str(m["content"]) for m in reversed(messages) if m["role"] == "user"), ""))
    return texts


def overlap(path: Path, requests: Mapping[str, str]) -> list[str]:
    """Ids of evaluation cases whose request is in a training file, but for case, signs and space.

    Args:
        path: The training file.
        requests: Case id → its last user message.
    """
    known = {_folded(text) for text in user_texts(path)}
    return [case for case, text in requests.items() if _folded(text) in known]


def _folded(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())
