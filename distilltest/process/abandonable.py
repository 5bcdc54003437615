"""Calls into the system that may hang for ever, a name's lookup above all: they can be left, and no process waits for them.

The threads of ``concurrent.futures``, which asyncio looks names up in, hold the interpreter until the last of them has come back;
and a lookup in the main thread hears no Ctrl-C before it is over.
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
"""Seconds that a name's lookup may take: the system's own limit is often 20 or 40."""


def begun(work: Callable[..., T], *arguments: Any, **options: Any) -> Future[T]:
    """Do something in a thread of its own that ends with the process; waiting for the result can be interrupted."""
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
"""Names of hosts, and whether anybody answered."""


def look_up(host: str) -> None:
    """See once in a process that a name's lookup ends; whether there is such a name is for whoever connects.

    Raises:
        socket.gaierror: Nobody answered in time, now or before.
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
    """What aiohttp's resolver needs of an event loop."""

    async def getaddrinfo(self, host: str, port: int, **options: Any) -> Any:
        """Look a name up.

        Raises:
            socket.gaierror: There is no such name, or nobody said so in time.
        """
        try:
            looking = asyncio.wrap_future(begun(socket.getaddrinfo, host, port, **options))
            return await asyncio.wait_for(looking, LOOKUP)
        except TimeoutError:
            raise _unanswered(host) from None

    async def getnameinfo(self, address: Any, flags: int) -> Any:
        """Write an address down; numbers only, so nobody is asked."""
        return socket.getnameinfo(address, flags)


def resolver() -> ThreadedResolver:
    """What looks names up for a connector of aiohttp."""
    from aiohttp import ThreadedResolver

    return ThreadedResolver(loop=_Lookups())  # type: ignore[arg-type]
