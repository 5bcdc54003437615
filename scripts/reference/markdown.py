"""Converts docstrings (Google style, with some reStructuredText) and tables to Markdown."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

_SECTION = re.compile(r"^(Args|Raises|Returns|Yields|Attributes|Options|Example|Examples|Note):$")
_ENTRY = re.compile(r"^(\*{0,2}\w[\w., ]*?): (.*)$")


def inline(text: str) -> str:
    """Convert a paragraph of a docstring."""
    text = re.sub(r":\w+:`~?([^`]+)`", lambda found: f"`{found[1]}`", text)
    return re.sub(r"``(.+?)``", lambda found: f"`{found[1]}`" if "`" not in found[1] else found[0], text)


def cell(text: object) -> str:
    """Convert a text for a table cell."""
    line = " ".join(str(text).split())
    return re.sub(r"`([^`]*\|[^`]*)`", _code, line).replace("|", "&#124;")


def _code(found: re.Match[str]) -> str:
    """Code that contains a bar, as HTML: renderers disagree about a backslash before the bar."""
    return f"<code>{html.escape(found[1], quote=False)}</code>"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; an empty text if there are no rows."""
    lines = [[cell(each) for each in row] for row in rows]
    if not lines:
        return ""
    every = [list(head), ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in every) + "\n"


def docstring(text: str) -> str:
    """Convert a docstring: sections become lists, doctests and indented examples become code."""
    out: list[str] = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = block.splitlines()
        section = _SECTION.match(lines[0])
        if section and len(lines) > 1:
            out += [f"**{section[1]}**", _entries(lines[1:])]
        elif any(line.startswith(">>>") for line in lines):
            first = next(number for number, line in enumerate(lines) if line.startswith(">>>"))
            out += [inline("\n".join(lines[:first]))] if first else []
            out.append("\n".join(("```pycon", *lines[first:], "```")))
        elif lines[0].startswith("    "):
            code = [line.removeprefix("    ") for line in lines]
            if out and out[-1].endswith("```") and out[-1].startswith("```text"):
                out[-1] = "\n".join((out[-1].removesuffix("\n```"), "", *code, "```"))
            else:
                out.append("\n".join(("```text", *code, "```")))
        else:
            paragraph = inline(block)
            paragraph = "" if paragraph == "::" else re.sub(r"::$", ":", paragraph)
            out.append(paragraph)
    return "\n\n".join(part for part in out if part)


def _entries(lines: Sequence[str]) -> str:
    """Convert the entries of a section such as ``Args:``."""
    entries: list[str] = []
    for line in lines:
        if line.startswith("    ") and not line.startswith("     "):
            entries.append(line.strip())
        elif entries:
            entries[-1] += " " + line.strip()
    made = []
    for entry in entries:
        found = _ENTRY.match(entry)
        made.append(f"- `{found[1]}`: {inline(found[2])}" if found else f"- {inline(entry)}")
    return "\n".join(made)
