"""Early termination: Ctrl-C, SIGTERM, SIGHUP, a time limit, or the end of the parent process.

Each raises one ``KeyboardInterrupt`` in the main thread, which every library can handle. A second request during termination
ends the process at once, without a traceback. Nothing is lost: everything in the store is durable.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Generator
from types import FrameType
from typing import Any, Self

from distilltest.exit_codes import INTERRUPTED

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
"""The signals that request termination; SIGHUP if the system has it."""
REPEATED = 1.0
"""Seconds within which a second signal is the same request: a shell and ``timeout`` may both forward it."""

AGAIN = 0.1
"""Seconds between two signals to the main thread: one that arrives just before it starts to wait does not wake it."""
LOOK = 1.0
"""Seconds between two checks of the parent process."""


class TimeIsUp(KeyboardInterrupt):
    """The time limit has passed."""


class ParentGone(KeyboardInterrupt):
    """The parent process has ended."""


class Interruption:
    """Turns termination requests into one exception in the main thread, from ``enter`` to ``leave``."""

    def __init__(
        self, *, code: int = INTERRUPTED, wanted: Callable[[], bool] = lambda: True, ends_process: bool = False
    ) -> None:
        """Create it; nothing changes before ``enter``.

        Args:
            code: The exit code if a second request ends the process.
            ends_process: Whether the process ends after ``leave``. After an interruption the handlers then stay, because the same
                request may arrive again, and its default action would change the exit code.
            wanted: Called for each signal; if it returns False, the signal has its previous effect.
        """
        self.reason: str | None = None
        """The first request, None if there was none."""
        self._code = code
        self._wanted = wanted
        self._ends_process = ends_process
        self._before: dict[int, Any] = {}
        self._asked: KeyboardInterrupt | None = None
        self._answered: float | None = None
        """When the main thread received the request."""
        self._left = False
        self._since = 0.0
        self._exposed = False
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Self:
        self.enter()
        self._exposed = True
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def enter(self) -> None:
        """Install the handlers; handlers of other code stay, and so does SIGHUP under nohup.

        SIGINT gets a handler even if it is ignored (a background job), because it wakes the main thread for a time limit; the
        signal itself is still ignored. Outside the main thread this does nothing.
        """
        if self._before or threading.current_thread() is not threading.main_thread():
            return
        self._left = False
        for number in (getattr(signal, name) for name in SIGNALS if hasattr(signal, name)):
            before = signal.getsignal(number)
            of_python = (signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler)
            if before in (of_python if number == signal.SIGINT else of_python[:1]):
                self._before[number] = before
                signal.signal(number, self._received)

    def leave(self) -> None:
        """Restore the handlers, and cancel the time limit."""
        self._left = True
        self._exposed = False
        if self._timer is not None:
            self._timer.cancel()
        if self._ends_process and self.reason is not None:
            return
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()

    def limit(self, seconds: float) -> None:
        """Raise :class:`TimeIsUp` in the main thread after this many seconds, if it is exposed then."""
        self._timer = threading.Timer(seconds, self.ask, (TimeIsUp(),))
        self._timer.daemon = True
        self._timer.start()

    @contextlib.contextmanager
    def exposed(self) -> Generator[None]:
        """Let a time limit raise inside this block; a signal always does."""
        self._exposed = True
        try:
            yield
        finally:
            self._exposed = False

    def ask(self, error: KeyboardInterrupt) -> None:
        """Make the main thread raise an exception soon. Call it from any thread."""
        self._asked, self._answered = error, None
        while self._answered is None and not self._left:
            if hasattr(signal, "pthread_kill"):
                main = threading.main_thread().ident
                assert main is not None
                signal.pthread_kill(main, signal.SIGINT)
            else:
                _thread.interrupt_main()
            if threading.current_thread() is threading.main_thread():
                return
            time.sleep(AGAIN)

    def _received(self, number: int, frame: FrameType | None) -> None:
        asked, self._asked = self._asked, None
        if asked is not None:
            self._answered = time.monotonic()
        elif self._answered is not None and time.monotonic() - self._answered < REPEATED:
            return  # a repetition
        if asked is None:
            before = self._before.get(number)
            if before is signal.SIG_IGN:
                return
            if not self._wanted():
                self.leave()
                signal.raise_signal(number)
                return
        elif isinstance(asked, TimeIsUp) and not self._exposed:
            return
        if self.reason is None:
            self.reason = signal.Signals(number).name if asked is None else type(asked).__name__
            self._since = time.monotonic()
            atexit.register(_ignore)
            raise KeyboardInterrupt if asked is None else asked
        if asked is None and time.monotonic() - self._since >= REPEATED:
            with contextlib.suppress(OSError):
                os.write(2, b"\nStopped at once. What is in the store is safe.\n")
            os._exit(self._code)


def watch(interruption: Interruption, channel: Any, over: Callable[[], bool]) -> None:
    """Interrupt this process when its parent process ends.

    Args:
        interruption: Raises the exception.
        channel: execnet's channel to the parent, which notices its end at once; None without one.
        over: Returns True if this process has finished its work.
    """
    parent = os.getppid()

    def wait() -> None:
        while os.getppid() == parent:
            if channel is None:
                time.sleep(LOOK)
                continue
            try:
                channel.waitclose(LOOK)
            except channel.TimeoutError:
                continue
            except Exception:  # on any error, it is closed
                break
            break
        if not over():
            interruption.ask(ParentGone())

    threading.Thread(target=wait, name="distilltest-parent", daemon=True).start()


def duration(text: str) -> str:
    """Check an option's value, for argparse.

    Raises:
        argparse.ArgumentTypeError: It is not a duration.
    """
    from argparse import ArgumentTypeError

    try:
        seconds_of(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def _ignore() -> None:
    """Ignore further signals: at interpreter exit, one of them would show a traceback or change the exit code."""
    for name in SIGNALS:
        with contextlib.suppress(ValueError, AttributeError):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def seconds_of(text: str) -> float:
    """Convert a duration to seconds.

    Raises:
        ValueError: It is not a duration.

    >>> seconds_of("90s"), seconds_of("10m"), seconds_of("1h30m"), seconds_of("0.5s")
    (90.0, 600.0, 5400.0, 0.5)
    """
    parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?", text)
    seconds = (
        0.0
        if parts is None
        else sum(float(n or 0) * unit for n, unit in zip(parts.groups(), (3600, 60, 1), strict=True))
    )
    if not 0 < seconds <= threading.TIMEOUT_MAX:
        raise ValueError(f"{text!r} is not a duration; write it as 90s, 10m or 1h30m")
    return seconds
