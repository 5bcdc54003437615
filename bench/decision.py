"""Measures how long the gate takes to decide: the first time in a process, imports included, and later."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from tabulate import tabulate

RUNS = 5


def passes(n: int) -> Callable[[], object]:
    """Pass and fail; a tenth of the cases differ."""
    from distilltest import better_than, decide, not_worse_than

    luck = random.Random(1)
    teacher = [int(luck.random() < 0.9) for _ in range(n)]
    candidate = [1 - value if luck.random() < 0.1 else value for value in teacher]
    base = [int(luck.random() < 0.4) for _ in range(n)]
    rules = [better_than("base"), not_worse_than("teacher", margin=0.05)]
    return lambda: decide(rules, candidate=candidate, teacher=teacher, base=base)


def slices(n: int, scores: bool) -> Callable[[], object]:
    """The same two rules, with twenty slices."""
    from distilltest import better_than, decide, no_slice_regresses, not_worse_than

    luck = random.Random(2)
    teacher = [luck.random() if scores else float(luck.random() < 0.9) for _ in range(n)]
    candidate = [luck.random() if luck.random() < 0.3 and scores else value for value in teacher]
    base = [value * float(luck.random() < 0.5) for value in teacher]
    tags = [(f"topic {i % 20}",) for i in range(n)]
    rules = [better_than("base"), not_worse_than("teacher", margin=0.05), no_slice_regresses("teacher")]
    return lambda: decide(rules, candidate=candidate, teacher=teacher, base=base, tags=tags)


def clusters(n: int) -> Callable[[], object]:
    """Documents of ten cases."""
    from distilltest import decide, not_worse_than

    luck = random.Random(3)
    teacher = [float(luck.random() < 0.9) for _ in range(n)]
    candidate = [1 - value if luck.random() < 0.1 else value for value in teacher]
    rule = not_worse_than("teacher", margin=0.05)
    return lambda: decide(rule, candidate=candidate, teacher=teacher, clusters=[i // 10 for i in range(n)])


WAYS: list[tuple[str, Callable[[], Callable[[], object]]]] = [
    ("pass and fail, 100 cases, two rules", lambda: passes(100)),
    ("pass and fail, 386 cases, two rules", lambda: passes(386)),
    ("pass and fail, 1,000 cases, two rules", lambda: passes(1000)),
    ("pass and fail, 10,000 cases, 20 slices, three rules", lambda: slices(10_000, scores=False)),
    ("scores, 10,000 cases, 20 slices, three rules", lambda: slices(10_000, scores=True)),
    ("pass and fail, 1,000 cases in 100 clusters", lambda: clusters(1000)),
    ("pass and fail, 10,000 cases in 1,000 clusters", lambda: clusters(10_000)),
]


def main() -> None:
    """Measure and print. With a number, measure only that way, and print the seconds of the first and of later decisions."""
    if len(sys.argv) > 1:
        decide = WAYS[int(sys.argv[1])][1]()
        taken = []
        for _ in range(RUNS + 1):
            started = time.process_time()
            decide()
            taken.append(time.process_time() - started)
        print(taken[0], statistics.median(taken[1:]))
        return
    rows = []
    for number, (name, _) in enumerate(WAYS):
        command = [sys.executable, "-m", "bench.decision", str(number)]
        first, later = map(float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
        rows.append((name, f"{first * 1000:.0f} ms", f"{later * 1000:.0f} ms"))
    print(f"processor time of a decision, each in a separate process; later: the median of {RUNS}")
    print(tabulate(rows, headers=["what", "first, with imports", "later"]))


if __name__ == "__main__":
    main()
