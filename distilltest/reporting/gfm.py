"""Text that we did not write, in Markdown for GitHub: it stays text.

Escaping is not enough: GitHub looks for ``@mentions``, ``#123``, commit ids, ``:emoji:`` and ``$math$`` in the rendered
page, where a backslash or an entity is gone. It leaves code alone. So every word is code that is not known to be harmless.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from distilltest.untrusted.visible import inline, visible

_WORD = re.compile(r"[^\W_]+|[^\W\d_]+(?:['’-][^\W\d_]+)+|[-+−]?\d+(?:[.,]\d+)*%?")
"""Words, and numbers. A hyphen joins letters only: GH-12 is a link."""
_COMMIT = re.compile(r"[0-9a-f]{7}", re.IGNORECASE)
_TOKEN = re.compile(r"""(?P<lead>["'(“‘]*)(?P<core>.*?)(?P<trail>["')”’.,;:!?…]*)""")
_LIST = re.compile(r"\d+[.)]")
_SIGNS = {"-", "–", "—", "+", "/", "=", "%", "·", "✓", "✗", "α", "<", ">"}
"""What may stand alone between two spaces."""
_BAR = re.compile(r"(?<=\\)\|")


def prose(text: str, *, cell: bool = False) -> str:
    """A sentence: harmless words as they are, every other word as code.

    Args:
        text: Line breaks become a sign.
        cell: Whether it stands in a table.

    >>> prose("block: 5 points worse than @teacher (see https://x.example)")
    'block: 5 points worse than `@teacher` (see `https://x.example`)'
    """
    tokens = inline(text).split(" ")
    return " ".join(_token(token, cell, first=not cell and place == 0) for place, token in enumerate(tokens)).strip()


def _token(token: str, cell: bool, first: bool) -> str:
    """One word.

    Args:
        token: Without spaces.
        cell: Whether it stands in a table.
        first: Whether it begins a paragraph, where a number with a dot or a sign begins a list.
    """
    found = _TOKEN.fullmatch(token)
    assert found is not None
    lead, core, trail = found["lead"], found["core"], found["trail"]
    if first and (lead or core in _SIGNS or _LIST.match(core + trail)):
        return code(token, cell=cell)
    if core in _SIGNS:
        return lead + core.replace("<", "&lt;").replace(">", "&gt;") + trail
    if not core or (_WORD.fullmatch(core) and not _COMMIT.search(core)):
        return token
    return lead + code(core, cell=cell) + trail


def code(text: str, *, cell: bool = False) -> str:
    r"""A text as it is, as code; in a table its lines are broken.

    >>> code("a`b"), code("a|b\nc", cell=True)
    ('``a`b``', '`a\\|b`<br>`c`')
    """
    if not cell:
        return _span(inline(text), cell)
    # A bar after a backslash is one column or two, depending on the renderer: it stands outside the code, as an entity.
    lines = [_BAR.split(line) for line in visible(text).split("\n")]
    return "<br>".join("&#124;".join(_span(part, cell) for part in parts) for parts in lines)


def _span(text: str, cell: bool) -> str:
    if not text:
        return ""
    ticks = "`" * _fence(text, 1)
    pad = " " if "`" in (text[0], text[-1]) or (text[0] == text[-1] == " " and text.strip(" ")) else ""
    shown = text.replace("|", "\\|") if cell else text
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def block(lines: Sequence[str]) -> str:
    """Lines of text in a block of code. They are indented: what starts a line in a comment may be a command to a robot."""
    shown = [f"  {inline(line)}".rstrip() for line in lines]
    ticks = "`" * max(3, _fence("\n".join(shown), 3))
    return "\n".join([f"{ticks}text", *shown, ticks])


def _fence(text: str, least: int) -> int:
    """More backticks than the text has in a row, and at least so many."""
    return max(least, max((len(run) for run in re.findall("`+", text)), default=0) + 1)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that :func:`prose` and :func:`code` made for one."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
