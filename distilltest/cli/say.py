"""Lines and tables of commands: a text from elsewhere stays within its line and its cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from distilltest.edges import shown_line


def line(text: str, file: TextIO | None = None) -> None:
    """Print one line, whatever line breaks a name or a server's words in it have."""
    print(shown_line(text), file=file, flush=True)


def table(rows: Iterable[Sequence[object]], heads: Sequence[str], **options: Any) -> str:
    """A table whose rows are rows of it."""
    from tabulate import tabulate

    cells = [[shown_line(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    return tabulate(cells, [shown_line(head) for head in heads], disable_numparse=True, **options)
