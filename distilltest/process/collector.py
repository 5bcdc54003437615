"""Less frequent garbage collection while many calls are in flight."""

from __future__ import annotations

import gc
from collections.abc import Callable

_ALLOCATIONS = 20_000
"""Allocations between collections. Python's default of 700 is reached every few calls; each collection stops all threads and
finds no garbage."""


def collect_rarely() -> Callable[[], None]:
    """Collect garbage less often; return a function that restores the threshold.

    Measured with 1,000 cases and their judgements: 1.10 instead of 1.16 times the bound. Has no effect if the process has
    disabled the collector or collects even less often.
    """
    young, *older = before = gc.get_threshold()
    if 0 < young < _ALLOCATIONS:
        gc.set_threshold(_ALLOCATIONS, *older)

    def undo() -> None:
        if gc.get_threshold()[0] == _ALLOCATIONS:  # otherwise other code has changed it
            gc.set_threshold(*before)

    return undo
