"""Measures the cost of the plugin in a pytest session without evaluations."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 15


def session(folder: str, *options: str) -> float:
    """The seconds of a session with one empty test."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, folder],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
        session(folder)
        pairs = [(session(folder), session(folder, "-p", "no:distilltest")) for _ in range(RUNS)]
    with_plugin, without = (statistics.median(times) for times in zip(*pairs, strict=True))
    difference = statistics.median(a - b for a, b in pairs)
    print(f"with the plugin {with_plugin:.3f} s, without {without:.3f} s; median difference {1000 * difference:.0f} ms")


if __name__ == "__main__":
    main()
