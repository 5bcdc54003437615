"""Generates the list of decisions from the pages' titles."""

from __future__ import annotations

import re
from pathlib import Path

INTRODUCTION = """\
# Decisions

Why distilltest is built this way: one page for each decision that shapes the design, in chronological order.
"""


def page(folder: Path) -> str:
    """The page.

    Args:
        folder: The folder of the decisions. Each page's name starts with its number.
    """
    lines = []
    for path in sorted(folder.glob("*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        number = path.name.partition("-")[0]
        lines.append(f"- [{number}: {re.sub(r'^[0-9]+:? +', '', title)}]({folder.name}/{path.name})")
    return INTRODUCTION + "\n" + "\n".join(lines)
