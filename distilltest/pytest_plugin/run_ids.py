"""The names of runs."""

from __future__ import annotations

import string
from datetime import UTC, datetime

_BASE_36 = string.digits + string.ascii_lowercase


def new_run_id() -> str:
    """A name for a run that begins now; names sort by time."""
    return run_id(datetime.now(UTC))


def run_id(began: datetime) -> str:
    """The name of a run that began at a moment: the second, and the microseconds in base 36.

    >>> run_id(datetime(2026, 11, 21, 9, 30, 0, 564013))
    '20261121-093000-c371'
    """
    rest, last = divmod(began.microsecond, 36)
    digits = (rest // 36**2, rest // 36 % 36, rest % 36, last)
    return f"{began:%Y%m%d-%H%M%S}-{''.join(_BASE_36[digit] for digit in digits)}"
