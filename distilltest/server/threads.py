"""Work in daemon threads, which do not keep the process from ending."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class Threads:
    """Runs functions in threads and awaits their results.

    Python joins the threads of a ``ThreadPoolExecutor`` before the process ends, and before an exit handler could tell them to
    stop. Daemon threads are not joined, so the work must tolerate being cut off at any point, as by ``kill -9``.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._running = 0
        self._idle: list[Callable[[], None]] = []

    async def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Call ``work`` in a new thread; return what it returns, or raise what it raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if not future.done():
                future.set_result(result) if error is None else future.set_exception(error)

        def do() -> None:
            result, raised = None, None
            try:
                result = work(*arguments)
            except BaseException as error:
                raised = error
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(settle, result, raised)
            self._ended()

        with self._lock:
            self._running += 1
        threading.Thread(target=do, name=self._name, daemon=True).start()
        return await future

    def when_idle(self, call: Callable[[], None]) -> None:
        """Call the function once no thread is working: now, or in the thread that ends last."""
        with self._lock:
            self._idle.append(call)
            idle = self._running == 0
        if idle:
            self._call_all()

    async def wait(self, seconds: float) -> bool:
        """Wait for all work to end, up to this many seconds; return whether it has ended."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def tell() -> None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(ended.set)

        self.when_idle(tell)
        try:
            await asyncio.wait_for(ended.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _ended(self) -> None:
        with self._lock:
            self._running -= 1
            idle = self._running == 0
        if idle:
            self._call_all()

    def _call_all(self) -> None:
        with self._lock:
            calls, self._idle = self._idle, []
        for call in calls:
            call()
