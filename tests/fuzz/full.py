"""The long form of the fuzz tests: run ``python -m fuzz.full [COUNT [SEED]]`` in ``tests/``. Each kind has its own process.

Prints a line per kind (files, files read and refused, commands, the slowest file, peak memory) and the failures. The exit code
is 1 if there are failures.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

MOST_MEMORY = 200
"""The limit of a process's memory in MB, interpreter and imports included."""


def one(name: str, count: int, seed: int) -> int:
    """Run one kind in this process."""
    import resource

    from fuzz.rounds import named, run

    with tempfile.TemporaryDirectory() as folder:
        done = run(named(name), count, Path(folder), seed=seed)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name:28} {done.files:6} files  {done.read:5} read  {done.refused:5} refused  {done.commands:4} commands  "
        f"slowest {done.slowest:5.2f} s  peak {peak:4.0f} MB  {len(done.failures)} failures"
    )
    for failure in done.failures[:5]:
        print(re.sub(r"(?m)^", "    ", failure))
    return int(bool(done.failures) or peak > MOST_MEMORY)


def main() -> int:
    """Run all kinds."""
    from fuzz.kinds import KINDS

    if len(sys.argv) > 3:
        return one(sys.argv[3], int(sys.argv[1]), int(sys.argv[2]))
    count, seed = [*sys.argv[1:], "2000", "1"][:2] if len(sys.argv) < 3 else sys.argv[1:3]
    if len(sys.argv) == 2:
        seed = "1"
    codes = [
        subprocess.run([sys.executable, "-m", "fuzz.full", count, seed, kind.name], check=False).returncode
        for kind in KINDS
    ]
    print(f"{len(KINDS)} kinds, {sum(map(bool, codes))} with failures")
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
