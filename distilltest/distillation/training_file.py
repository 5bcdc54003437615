"""Training files for supervised tuning: written from stored completions, and refused where a platform would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from distilltest.distillation.lines import Finding, digest
from distilltest.distillation.supervised import check_supervised
from distilltest.distillation.whole_file import whole_file
from distilltest.errors import TrainingFileError, at
from distilltest.records import Completion, Message
from distilltest.store import StoredCompletion


@dataclass(frozen=True, slots=True)
class Written:
    """A training file on disk."""

    path: Path
    examples: int
    left_out: Mapping[str, int]
    """Why completions were left out → how many."""
    sha256: str


def write_supervised(path: Path, picked: Iterable[tuple[StoredCompletion, Sequence[Message]]]) -> Written:
    """Write one example a line, the whole file or none of it.

    Args:
        path: Where to.
        picked: Completions, each with the messages that the student shall be asked with.

    Raises:
        TrainingFileError: Nothing is left to write, or the file cannot be written.
    """
    seen: set[bytes] = set()
    left_out: dict[str, int] = {}
    with whole_file(path) as lines:
        for stored, messages in picked:
            said = stored.completion
            example = {"messages": [*messages, {"role": "assistant", "content": said.text}]}
            mark = digest(example)
            reason = _unfit(said) or ("the same example twice" if mark in seen else None)
            if reason is not None:
                left_out[reason] = left_out.get(reason, 0) + 1
                continue
            seen.add(mark)
            lines.write(orjson.dumps(example))
        if not lines.count:
            raise TrainingFileError(f"{path}: no completion is left to learn from ({left_out or 'none was picked'}).")
    return Written(path, lines.count, left_out, lines.sha256)


def _unfit(said: Completion) -> str | None:
    """Why nothing can be learned from a completion."""
    if said.refusal:
        return "refused"
    if said.finish_reason != "stop":
        return f"ended by {said.finish_reason}"
    return None if said.text.strip() else "empty"


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


def overlap(path: Path, requests: Mapping[str, str]) -> list[str]:
    """Ids of evaluation cases whose request is in a training file, but for case, signs and space.

    Args:
        path: The training file.
        requests: Case id → its last user message.
    """
    from distilltest.distillation.overlap import find_overlap

    leaked = set(find_overlap(path, requests.items(), threshold=None).leaked)
    return [case for case in requests if case in leaked]
