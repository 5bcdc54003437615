"""A pool of processes for Python graders: up to one for each processor and source, kept for the next call."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from distilltest.graders.python_process import PythonWorker

MOST = 8
"""The most processes that are kept."""
BESIDE = min(MOST, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
"""The most processes of one source: one for each processor, since each call has a time limit."""

_Key = tuple[int, str, int, float]
_POOL: dict[PythonWorker, _Key] = {}
"""Process → its source and limits, the most recently used last."""
_BUSY: set[PythonWorker] = set()
_CHANGED = threading.Condition()


@contextmanager
def worker(source: str, memory: int, time: float) -> Iterator[PythonWorker]:
    """A process for this source and these limits, for one caller at a time."""
    key = (os.getpid(), source, memory, time)
    with _CHANGED:
        found = _taken(key)
        while found is None:
            _CHANGED.wait()
            found = _taken(key)
        idle = [one for one, (owner, *_) in _POOL.items() if one not in _BUSY and owner == key[0]]
        surplus = idle[: max(0, len(_POOL) - MOST)]
        for one in surplus:
            del _POOL[one]
    for one in surplus:
        one.close()
    try:
        with found.lock:
            yield found
    finally:
        with _CHANGED:
            _BUSY.discard(found)
            if found.is_closed():
                _POOL.pop(found, None)
            _CHANGED.notify_all()


def _taken(key: _Key) -> PythonWorker | None:
    """An idle process, else a new one, else None if all are busy."""
    own = [one for one, runs in _POOL.items() if runs == key]
    idle = [one for one in own if one not in _BUSY and not one.is_closed()]
    if not idle and len(own) >= BESIDE:
        return None
    found = idle[-1] if idle else PythonWorker(key[1], key[2], key[3])
    _POOL.pop(found, None)
    _POOL[found] = key
    _BUSY.add(found)
    return found


@atexit.register
def close_all() -> None:
    """End all processes; the next call starts a new one."""
    for one, (owner, *_) in list(_POOL.items()):
        if owner == os.getpid():  # after a fork, the child has them in its memory too
            one.close()
            _POOL.pop(one, None)
