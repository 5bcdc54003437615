"""Write completions to a JSONL file, atomically."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from distilltest.data.whole_files import replacing
from distilltest.errors import DistilltestError
from distilltest.exchange.completion_lines import to_line
from distilltest.store import CompletionFilter, Store


def export_file(path: Path, store: Store, selection: CompletionFilter) -> int:
    """Write a selection, oldest first, readable by the owner only; replace an existing file when all is written.

    Returns:
        The number of completions written; if there are none, no file is written.

    Raises:
        DistilltestError: The file cannot be written; an existing one is unchanged.
    """
    rows = store.each_row(selection)
    first = next(rows, None)
    if first is None:
        return 0
    written = 0
    try:
        with replacing(path, 0o600) as file:
            for row in chain((first,), rows):
                file.write(to_line(row) + b"\n")
                written += 1
    except OSError as error:
        raise DistilltestError(
            f"{path} cannot be written: {error.strerror}. Make room, or name another file; nothing was changed."
        ) from None
    return written
