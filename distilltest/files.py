"""Writing files that nobody may ever see half written."""

from __future__ import annotations

import os
from pathlib import Path

from distilltest.errors import DistilltestError


def write_whole(path: Path, content: bytes) -> None:
    """Write a whole file or none: durable in a file beside it first, then renamed.

    Raises:
        DistilltestError: It cannot be written.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise DistilltestError(
            f"{path} cannot be written: {error.strerror}. Make room or change the rights, and run the same command again."
        ) from None
