"""Processes that tests start: with the signals that a terminal gives them, and none outlives its test."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

LIMIT = 120.0
"""Seconds after which something that is waited for is taken not to come, on the busiest machine."""
_PYTHONS_OWN = {signal.SIGPIPE, getattr(signal, "SIGXFSZ", signal.SIGPIPE)}
"""Ignored by Python itself; ``subprocess`` restores them."""


def let_children_have_signals() -> None:
    """Where this process was started with signals ignored (a shell does so with SIGINT in the background, ``nohup`` with SIGHUP),
    its children are not: a handler, other than "ignore", is not handed on. This process goes on doing nothing.
    """
    for number in signal.valid_signals() - _PYTHONS_OWN:
        if signal.getsignal(number) == signal.SIG_IGN:
            nothing = signal.SIG_DFL if number == signal.SIGCHLD else lambda *_: None
            signal.signal(number, nothing)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


@contextmanager
def started(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that runs while the block does; at its end it is killed, with all that it started, and its pipes are closed."""
    process = subprocess.Popen(command, text=True, start_new_session=True, **options)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):  # all of its group have ended
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
