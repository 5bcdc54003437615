"""All printing of commands; a test checks that no other module in ``cli`` prints.

Texts come from files, servers and models as well as from us. In most functions a line break in a text cannot begin a new
line, so that foreign text cannot pass for a line of ours; each function documents what it does.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from distilltest.untrusted.edges import shown, shown_line


def line(text: str = "", file: TextIO | None = None) -> None:
    """Print one line, even if the text contains line breaks."""
    print(shown_line(text), file=file, flush=True)


def aside(text: str) -> None:
    """Print one line on standard error, for people rather than for programs that read our output."""
    line(text, sys.stderr)


def lines(texts: Iterable[str]) -> None:
    """Print each text as one line."""
    for text in texts:
        line(text)


def quoted(text: str) -> None:
    """Print foreign text of several lines, such as a prompt or an answer, with each line indented."""
    print(textwrap.indent(shown(text), "  ", lambda _: True), flush=True)


def error(text: str) -> None:
    """Print a message on standard error; what follows its first line is indented, because a value in it may have line breaks."""
    first, *more = shown(text).split("\n")
    print("\n".join([first, *(f"  {each}" if each else each for each in more)]), file=sys.stderr, flush=True)


def document(text: str) -> None:
    """Print a whole document as it is: JSON, YAML or Markdown whose writer has escaped what it quotes."""
    print(text.removesuffix("\n"))


def table(rows: Iterable[Sequence[object]], heads: Sequence[str], **options: Any) -> None:
    """Print a table; line breaks in a cell are escaped."""
    from tabulate import tabulate

    cells = [[shown_line(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    print(tabulate(cells, [shown_line(head) for head in heads], disable_numparse=True, **options), flush=True)
