"""Write supervised training files from completions; unusable completions are left out and counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import orjson

from distilltest.errors import TrainingFileError
from distilltest.records import Completion, Message
from distilltest.training_files.lines import digest
from distilltest.training_files.whole_file import LeftOut, TrainingFile, whole_file

TWICE = "the same example twice"


def write_supervised(
    path: Path, examples: Iterable[tuple[Completion, Sequence[Message]]], left_out: LeftOut | None = None
) -> TrainingFile:
    """Write one example on each line, atomically.

    Args:
        path: The file to write.
        examples: Completions, each with the messages for the student.
        left_out: Counts of what was left out before; this function adds to them.

    Raises:
        TrainingFileError: No example is left, or the file cannot be written.
    """
    left_out = left_out or LeftOut()
    seen: set[bytes] = set()
    with whole_file(path) as lines:
        for completion, messages in examples:
            example = {"messages": [*messages, {"role": "assistant", "content": completion.text}]}
            mark = digest(example)
            reason = unfit(completion) or (TWICE if mark in seen else None)
            if reason is not None:
                left_out.add(reason)
                continue
            seen.add(mark)
            lines.write(orjson.dumps(example))
        if not lines.count:
            raise TrainingFileError(
                f"{path}: no completion is left to learn from ({left_out.in_words() or 'none was picked'}). "
                "Nothing was written."
            )
    return TrainingFile(path, lines.count, left_out.counts, lines.sha256)


def unfit(completion: Completion) -> str | None:
    """Why a completion cannot be an example; None if it can."""
    if completion.refusal:
        return "refused"
    if completion.finish_reason != "stop":
        return f"ended by {completion.finish_reason}"
    return None if completion.text.strip() else "empty"
