"""Runs a command that ends when this process is asked to end."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

PATIENCE = 20.0
"""Seconds that a command has to end after it is asked to."""


def run_to_its_end(
    command: Sequence[str], folder: Path, environment: dict[str, str] | None = None, *, keep: bool = False
) -> tuple[int, str]:
    """Run a command. If this process is interrupted, terminate the command, wait for it, and then raise.

    Returns:
        Its exit code, and its output if ``keep`` is set (otherwise the output goes to ours).
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
