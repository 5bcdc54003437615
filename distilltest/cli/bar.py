"""Progress bars of commands."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

from distilltest.untrusted.edges import raw, shown_line


class Bar:
    """A tqdm bar on standard error; hidden if that is not a terminal."""

    def __init__(self, title: str, total: int) -> None:
        from tqdm import tqdm

        hidden = not sys.stderr.isatty()
        self._bar: Any = tqdm(
            total=total or None,
            desc=shown_line(title),
            leave=False,
            disable=hidden,
            dynamic_ncols=True,
            file=raw(sys.stderr),
        )

    def __enter__(self) -> Self:
        return self

    def __call__(self, done: int) -> None:
        """Show how many are done."""
        self._bar.update(done - self._bar.n)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
