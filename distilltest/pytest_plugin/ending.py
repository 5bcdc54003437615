"""The end of a session: normal, by a signal, by its time limit, with its controller, or after an error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from distilltest.process.interruption import Interruption

T = TypeVar("T")


def _is_the_process() -> bool:
    """Whether pytest was started as a command, so that the process ends with it; a program may also call ``pytest.main``."""
    command = Path(sys.argv[0])
    return command.stem in ("pytest", "py.test") or command.parts[-2:] == ("pytest", "__main__.py")


class Ending:
    """The state of one session's end: errors, interruption, time left."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._began = time.monotonic()
        self._interruption: Interruption | None = None
        self.error: str | None = None
        """The first error outside of tests."""
        self.bug = False
        """Whether it was a bug in distilltest."""
        self.store_failed = ""
        """The error of the store; nothing more is sent after it."""
        self.interrupted = False
        self.over = False
        """Whether the session has done its work: a controller that ends now interrupts nothing."""

    def attempt(self, action: Callable[[], T]) -> T | None:
        """Run an action outside of tests; keep its error for the summary, since pytest would show a traceback."""
        from distilltest.errors import DistilltestError, unexpected

        try:
            return action()
        except DistilltestError as error:
            self.error = self.error or str(error)
        except Exception as error:
            self.broken([unexpected(error)])
        return None

    def broken(self, messages: Iterable[str]) -> None:
        """Note the messages of a bug in distilltest."""
        for message in messages:
            self.error, self.bug = self.error or message, True

    def left(self) -> float | None:
        """Seconds until the time limit, None without one."""
        limit = self._config.option.time_limit
        if limit is None:
            return None
        from distilltest.process.interruption import seconds_of

        return max(0.0, self._began + seconds_of(limit) - time.monotonic())

    def interruptible(self, worker: bool) -> Interruption:
        """The handler that ends the session in order on a signal, at the time limit, or when its controller dies."""
        if self._interruption is None:
            from distilltest.process.interruption import Interruption, watch

            self._interruption = Interruption(code=int(pytest.ExitCode.INTERRUPTED), ends_process=_is_the_process())
            self._interruption.enter()
            left = self.left()
            if left:
                self._interruption.limit(left)
            if worker:
                watch(self._interruption, _channel(self._config), lambda: self.over)
        return self._interruption

    def control(self, evaluates: Callable[[], bool]) -> None:
        """Handle signals to a controller of workers, if its session has evaluations."""
        if self._interruption is None:
            from distilltest.process.interruption import Interruption

            self._interruption = Interruption(
                code=int(pytest.ExitCode.INTERRUPTED), wanted=evaluates, ends_process=_is_the_process()
            )
            self._interruption.enter()

    def leave(self) -> None:
        """Restore the signal handlers."""
        if self._interruption is not None:
            self._interruption.leave()

    def resume(self) -> str:
        """What a run that was stopped has kept, in a sentence."""
        if self.error or self.store_failed:
            return "Not every response that had arrived could be stored."
        return "Every response that had arrived is in the store: the same command asks only for what is missing."

    def to_output(self) -> dict[str, Any]:
        """The state that a worker sends to its controller."""
        return {
            "distilltest_error": self.error,
            "distilltest_bug": self.bug,
            "distilltest_interrupted": self.interrupted,
            "distilltest_store_failed": self.store_failed,
        }

    def take(self, output: dict[str, Any]) -> None:
        """Merge the state of a worker."""
        self.error = self.error or output.get("distilltest_error")
        self.bug = self.bug or output.get("distilltest_bug", False)
        self.interrupted = self.interrupted or output.get("distilltest_interrupted", False)
        self.store_failed = self.store_failed or output.get("distilltest_store_failed", "")


def _channel(config: pytest.Config) -> Any:
    """The channel from a worker of pytest-xdist to its controller, None if there is no known one."""
    plugins = config.pluginmanager.get_plugins()
    return next((plugin.channel for plugin in plugins if hasattr(getattr(plugin, "channel", None), "waitclose")), None)
