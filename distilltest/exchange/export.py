"""Writing completions into a JSONL file, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from distilltest.errors import DistilltestError
from distilltest.exchange.completion_lines import to_line
from distilltest.store import CompletionFilter, Store


def export_file(path: Path, store: Store, selection: CompletionFilter) -> int:
    """Write a selection, the oldest first, for the file's owner only; a file that is there is replaced at the end.

    Returns:
        How many completions were written; with none, no file is.

    Raises:
        DistilltestError: The file cannot be written; one that was there is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    written = 0
    try:
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                for row in store.each_row(selection):
                    file.write(to_line(row) + b"\n")
                    written += 1
                file.flush()
                os.fsync(file.fileno())
            if written:
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DistilltestError(
            f"{path} cannot be written: {error.strerror}. Make room, or name another file; nothing was changed."
        ) from None
    return written
