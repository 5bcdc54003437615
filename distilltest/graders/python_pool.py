"""The processes of Python graders: one for each source and its limits, kept for the next call."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from distilltest.graders.python_process import Worker

MOST = 8
"""How many processes are kept at once."""

_POOL: dict[tuple[int, str, int, float], Worker] = {}
_POOL_LOCK = threading.Lock()


@contextmanager
def worker(source: str, memory: int, time: float) -> Iterator[Worker]:
    """The process for this source and these limits, for one caller at a time."""
    key = (os.getpid(), source, memory, time)
    while True:
        with _POOL_LOCK:
            found = _POOL.pop(key, None) or Worker(source, memory, time)
            _POOL[key] = found  # the last one used is the last one here
            spare = [one for one in _POOL.values() if not one.lock.locked() and one is not found]
            surplus = spare[: max(0, len(_POOL) - MOST)]
        for one in surplus:
            _retire(one)
        with found.lock:
            if not found.is_closed():
                try:
                    yield found
                finally:
                    if found.is_closed():
                        _forget(found)
                return
        _forget(found)


def _retire(one: Worker) -> None:
    with one.lock:
        one.close()
    _forget(one)


def _forget(one: Worker) -> None:
    with _POOL_LOCK:
        for key in [key for key, other in _POOL.items() if other is one]:
            del _POOL[key]


@atexit.register
def close_all() -> None:
    """End every process; the next call starts one again."""
    for (owner, *_), one in list(_POOL.items()):
        if owner == os.getpid():  # a fork has them in its memory too
            one.close()
            _forget(one)
