"""The progress of a long evaluation: a bar on a terminal, lines in a log."""

from __future__ import annotations

import contextlib
import sys
import time
from types import TracebackType
from typing import Any, Self

from distilltest.untrusted.edges import shown, shown_line

EVERY = 15.0
"""Seconds between two lines in a log."""
REFRESH = 0.2
"""Seconds between two updates of the bar."""


def write_line(plugins: Any, line: str) -> None:
    """Write a line past pytest's capture, if pytest has a terminal reporter."""
    reporter, capture = plugins.getplugin("terminalreporter"), plugins.getplugin("capturemanager")
    if reporter is not None:
        with capture.global_and_fixture_disabled() if capture is not None else contextlib.nullcontext():
            reporter.ensure_newline()
            reporter.write_line(shown(line))


class PytestProgress:
    """Shows progress on standard error, past pytest's capture."""

    def __init__(self, title: str, capture: Any, quiet: bool) -> None:
        self._title = title
        self._capture = capture
        self._quiet = quiet
        self._bar: Any = None
        self._last = time.monotonic()
        self._terminal = False
        self.done = 0
        """Graded answers."""
        self.total = 0
        """Answers that the evaluation needs, 0 before it begins."""

    def __enter__(self) -> Self:
        """Begin; shows nothing yet."""
        return self

    def __call__(self, done: int, total: int, failed: int, waiting: int) -> None:
        """Show the progress, unless it was shown a moment ago."""
        self.done, self.total = done, total
        if self._quiet:
            return
        now = time.monotonic()
        if now - self._last < (REFRESH if self._bar is not None or self._last == 0 else min(EVERY, 0.5)):
            return
        with self._uncaptured():
            self._terminal = sys.stderr.isatty()
            if self._terminal:
                self._show_bar(done, total, failed, waiting)
            elif now - self._last >= EVERY:
                judged = f", {waiting} wait for a judge" if waiting else ""
                line = f"{self._title}: {done} of {total} graded{judged}, {failed} calls failed"
                print(shown_line(line), file=sys.stderr, flush=True)
            else:
                return
        self._last = now

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the bar."""
        if self._bar is not None:
            with self._uncaptured():
                self._bar.close()

    def _show_bar(self, done: int, total: int, failed: int, waiting: int) -> None:
        if self._bar is None:
            from tqdm import tqdm

            title = shown_line(self._title.rpartition("::")[2])
            self._bar = tqdm(total=total, desc=title, unit="call", leave=False, file=sys.stderr, dynamic_ncols=True)
        more = (f"{waiting} wait for a judge" if waiting else "", f"{failed} failed" if failed else "")
        self._bar.set_postfix_str(", ".join(filter(None, more)), refresh=False)
        self._bar.n = done
        self._bar.refresh()

    def _uncaptured(self) -> Any:
        return self._capture.global_and_fixture_disabled() if self._capture is not None else contextlib.nullcontext()
