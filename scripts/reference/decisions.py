"""The list of decisions, from the title of each page."""

from __future__ import annotations

import re
from pathlib import Path

INTRODUCTION = """\
# Decisions

Why distilltest is built this way: one page for each decision that shapes the design, in the order in which they were made.
"""


def page(folder: Path) -> str:
    """The page.

    Args:
        folder: Where the decisions are; each page's name begins with its number.
    """
    lines = []
    for path in sorted(folder.glob("*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        number = path.name.partition("-")[0]
        lines.append(f"- [{number}: {re.sub(r'^[0-9]+:? +', '', title)}]({folder.name}/{path.name})")
    return INTRODUCTION + "\n" + "\n".join(lines)
