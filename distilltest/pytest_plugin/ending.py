"""How a session ends: by itself, by a signal, by its time limit, with its controller, or because something failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from distilltest.process.interruption import Interruption

T = TypeVar("T")


class Ending:
    """What one session knows of its end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._began = time.monotonic()
        self._interruption: Interruption | None = None
        self.error: str | None = None
        """What went wrong outside of tests."""
        self.bug = False
        """Whether it was a bug of ours."""
        self.store_failed = ""
        """What was wrong with the store; nothing more is asked then."""
        self.interrupted = False
        self.over = False
        """Whether this session has done its work: a controller that goes now was waited for by nobody."""

    def attempt(self, action: Callable[[], T]) -> T | None:
        """Do something where pytest would show a traceback: what goes wrong is kept to be shown."""
        from distilltest.errors import DistilltestError, unexpected

        try:
            return action()
        except DistilltestError as error:
            self.error = self.error or str(error)
        except Exception as error:
            self.broken([unexpected(error)])
        return None

    def broken(self, said: Iterable[str]) -> None:
        """Note what a bug of ours kept from being done."""
        for each in said:
            self.error, self.bug = self.error or each, True

    def left(self) -> float | None:
        """Seconds until the time limit, None without one."""
        limit = self._config.option.time_limit
        if limit is None:
            return None
        from distilltest.process.interruption import seconds_of

        return max(0.0, self._began + seconds_of(limit) - time.monotonic())

    def interruptible(self, worker: bool) -> Interruption:
        """What turns signals, the time limit and a controller that dies into an orderly end, from the first evaluation on."""
        if self._interruption is None:
            from distilltest.process.interruption import Interruption, watch

            self._interruption = Interruption(code=int(pytest.ExitCode.INTERRUPTED))
            self._interruption.enter()
            left = self.left()
            if left:
                self._interruption.limit(left)
            if worker:
                watch(self._interruption, _channel(self._config), lambda: self.over)
        return self._interruption

    def control(self, evaluates: Callable[[], bool]) -> None:
        """The same for signals to a controller of workers, where its session is about evaluations."""
        if self._interruption is None:
            from distilltest.process.interruption import Interruption

            self._interruption = Interruption(code=int(pytest.ExitCode.INTERRUPTED), wanted=evaluates)
            self._interruption.enter()

    def leave(self) -> None:
        """Give the signals back."""
        if self._interruption is not None:
            self._interruption.leave()

    def resume(self) -> str:
        """What is true of a run that was stopped."""
        if self.error or self.store_failed:
            return "Not everything that had arrived could be stored."
        return "Every response that had arrived is in the store: the same command asks only for what is missing."

    def to_output(self) -> dict[str, Any]:
        """What a worker tells its controller."""
        return {
            "distilltest_error": self.error,
            "distilltest_bug": self.bug,
            "distilltest_interrupted": self.interrupted,
            "distilltest_store_failed": self.store_failed,
        }

    def take(self, output: dict[str, Any]) -> None:
        """What a worker told."""
        self.error = self.error or output.get("distilltest_error")
        self.bug = self.bug or output.get("distilltest_bug", False)
        self.interrupted = self.interrupted or output.get("distilltest_interrupted", False)
        self.store_failed = self.store_failed or output.get("distilltest_store_failed", "")


def _channel(config: pytest.Config) -> Any:
    """The channel from a worker of pytest-xdist to its controller, None where there is none of a kind that we know."""
    plugins = config.pluginmanager.get_plugins()
    return next((plugin.channel for plugin in plugins if hasattr(getattr(plugin, "channel", None), "waitclose")), None)
