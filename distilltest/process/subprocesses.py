"""Running a command that is to end as we do: whoever asks us to end asks it too."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

PATIENCE = 20.0
"""Seconds that a command has for its end, when it was asked to end."""


def run_to_its_end(
    command: Sequence[str], folder: Path, environment: dict[str, str] | None = None, *, keep: bool = False
) -> tuple[int, str]:
    """Run a command; where we are interrupted, ask it to end, wait for it, and only then end too.

    Returns:
        Its exit code, and what it printed where that is to be kept (else it goes where ours goes).
    """
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if keep else {}
    with subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipe) as child:  # type: ignore[call-overload]  # noqa: S603
        try:
            said, _ = child.communicate()
        except BaseException:
            child.terminate()
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
            raise
    return child.returncode, said or ""
