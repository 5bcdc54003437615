"""Untrusted text in GitHub Markdown: it stays text.

Escaping is not enough: GitHub looks for ``@mentions``, ``#123``, commit ids, ``:emoji:`` and ``$math$`` in the rendered page,
where backslashes and entities are gone. It ignores code. So every word that is not known to be harmless becomes code.
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
"""Signs that are harmless between two spaces."""
_BAR = re.compile(r"(?<=\\)\|")


def prose(text: str, *, cell: bool = False) -> str:
    """A sentence: harmless words unchanged, every other word as code.

    Args:
        text: The text; line breaks become a visible sign.
        cell: Whether it goes into a table.

    >>> prose("block: 5 points worse than @teacher (see https://x.example)")
    'block: 5 points worse than `@teacher` (see `https://x.example`)'
    """
    tokens = inline(text).split(" ")
    return " ".join(_token(token, cell, first=not cell and place == 0) for place, token in enumerate(tokens)).strip()


def _token(token: str, cell: bool, first: bool) -> str:
    """One word.

    Args:
        token: The word, without spaces.
        cell: Whether it goes into a table.
        first: Whether it starts a paragraph, where a number with a dot, or a sign, would start a list.
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
    r"""A text as code, unchanged; in a table, lines are separated by ``<br>``.

    >>> code("a`b"), code("a|b\nc", cell=True)
    ('``a`b``', '`a\\|b`<br>`c`')
    """
    if not cell:
        return _span(inline(text), cell)
    # Renderers disagree on whether a bar after a backslash splits the cell: put it outside the code, as an entity.
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
    """Lines of text as a code block, indented because some bots read the start of a line in a comment as a command."""
    shown = [f"  {inline(line)}".rstrip() for line in lines]
    ticks = "`" * max(3, _fence("\n".join(shown), 3))
    return "\n".join([f"{ticks}text", *shown, ticks])


def _fence(text: str, least: int) -> int:
    """The length of a fence: more backticks than the longest run in the text, and at least ``least``."""
    return max(least, max((len(run) for run in re.findall("`+", text)), default=0) + 1)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table. :func:`prose` and :func:`code` make the cells."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
