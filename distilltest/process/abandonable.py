"""System calls that may hang, such as name lookups: you can abandon them, and the process does not wait for them.

The threads of ``concurrent.futures``, which asyncio uses for lookups, keep the interpreter alive until they return; and a lookup
in the main thread delays Ctrl-C.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from aiohttp import ThreadedResolver

T = TypeVar("T")
LOOKUP = 10.0
"""Maximum seconds of a name lookup; the system's own limit is often 20 or 40."""


def begun(work: Callable[..., T], *arguments: Any, **options: Any) -> Future[T]:
    """Run a function in a daemon thread. Waiting for the result can be interrupted."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = work(*arguments, **options)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name="distilltest-abandonable", daemon=True).start()
    return future


_looked_up: dict[str, bool] = {}
"""Host name → whether the lookup ended in time."""


def look_up(host: str) -> None:
    """Check, once per process and host, that a name lookup ends; the name may still be unknown.

    Raises:
        socket.gaierror: The lookup did not end in time, now or before.
    """
    if host not in _looked_up:
        looking = begun(socket.getaddrinfo, host, None)
        _looked_up[host] = bool(wait([looking], LOOKUP).done)
    if not _looked_up[host]:
        raise _unanswered(host)


def _unanswered(host: str) -> socket.gaierror:
    return socket.gaierror(
        socket.EAI_AGAIN, f"the name {host} was not looked up within {LOOKUP:g} s; is there a network?"
    )


class _Lookups:
    """The part of an event loop that aiohttp's resolver uses."""

    async def getaddrinfo(self, host: str, port: int, **options: Any) -> Any:
        """Look up a name.

        Raises:
            socket.gaierror: The name is unknown, or the lookup did not end in time.
        """
        try:
            looking = asyncio.wrap_future(begun(socket.getaddrinfo, host, port, **options))
            return await asyncio.wait_for(looking, LOOKUP)
        except TimeoutError:
            raise _unanswered(host) from None

    async def getnameinfo(self, address: Any, flags: int) -> Any:
        """Format an address numerically, without a lookup."""
        return socket.getnameinfo(address, flags)


def resolver() -> ThreadedResolver:
    """A resolver for an aiohttp connector."""
    from aiohttp import ThreadedResolver

    return ThreadedResolver(loop=_Lookups())  # type: ignore[arg-type]
