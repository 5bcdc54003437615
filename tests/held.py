"""Holds back fine-tuning jobs of embedded servers in this process, and picks ports that the system does not give to others."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from distilltest.server.interface import JobControl, Stopped


@contextmanager
def held_jobs() -> Iterator[threading.Event]:
    """Jobs report their first step and then wait for the event. They can be cancelled, and stop with their server."""
    go_on = threading.Event()

    def wait(control: JobControl, seconds: float) -> None:
        while not go_on.wait(0.01):
            control.check()
        if control.stopped:
            raise Stopped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JobControl, "wait", wait)
        yield go_on


def own_port() -> int:
    """A port for a server that restarts. It is below 32768, because the system hands out the ports above."""
    for port in range(15_000 + os.getpid() % 15_000, 32_000):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("every port is taken")
