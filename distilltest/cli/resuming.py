"""Commands that may be ended at any time, because the same command goes on from there."""

from __future__ import annotations

from typing import Any

from distilltest.process.interruption import duration


def resumable(command: Any) -> None:
    """Declare that a command keeps every answer when it arrives; it gets ``--time-limit``, which ends it as Ctrl-C would."""
    command.add_argument(
        "--time-limit", type=duration, metavar="TIME", help="stop after 90s, 10m or 1h30m as Ctrl-C would; exit code 11"
    )
    command.set_defaults(resumes=True)
