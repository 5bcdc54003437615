"""The processes of Python graders: for each source and its limits as many as there are processors, kept for the next call."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from distilltest.graders.python_process import PythonWorker

MOST = 8
"""How many processes are kept at once."""
BESIDE = min(MOST, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
"""How many run one source at once: no more than there are processors, since each call has a limit of time."""

_Key = tuple[int, str, int, float]
_POOL: dict[PythonWorker, _Key] = {}
"""Processes and what they run; the last one used is the last one here."""
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
    """One that is idle, else a new one, else none: all are at work."""
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
    """End every process; the next call starts one again."""
    for one, (owner, *_) in list(_POOL.items()):
        if owner == os.getpid():  # a fork has them in its memory too
            one.close()
            _POOL.pop(one, None)
