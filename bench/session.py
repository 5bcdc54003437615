"""Whole pytest processes: 1,000 cases on three roles, the same again from the store, and the shortest possible run."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.server import TEXT
from bench.throughput import AT_ONCE, CALLS, CASES, LATENCY, start

SUITE = """\
from distilltest import at_least, evaluation, not_worse_than

@evaluation(dataset="cases.jsonl", prompt="prompt.yaml", gate=[{gate}])
def test_answers(case, completion, exact_match):
    exact_match(completion.text, case.reference)
"""
GATE = 'at_least(0.5), not_worse_than("teacher", margin=0.05), not_worse_than("base", margin=0.05)'
REPEATS = 5


def project(folder: Path, url: str, cases: int, gate: str, *roles: str) -> Path:
    """A suite that the bench server answers rightly."""
    models = "".join(f"  {role}: {{server: s, model: {role}}}\n" for role in roles)
    (folder / "distilltest.yaml").write_text(
        f"servers:\n  s: {{base_url: '{url}', max_concurrency: {AT_ONCE}}}\nmodels:\n{models}"
    )
    (folder / "prompt.yaml").write_text('messages:\n  - {role: user, content: "{{ item.question }}"}\n')
    rows = [{"id": f"c{n}", "question": f"number {n}", "reference": TEXT} for n in range(cases)]
    (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "test_suite.py").write_text(SUITE.format(gate=gate))
    (folder / "test_plain.py").write_text("def test_plain():\n    pass\n")
    return folder


def run(folder: Path, what: str, *options: str) -> float:
    """Seconds of one pytest process."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, what]
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)
    assert done.returncode in (0, 10), done.stdout
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    process, url = start(LATENCY)
    bound = CALLS * LATENCY / AT_ONCE
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        large = project(Path(one), url, CASES, GATE, "base", "teacher", "candidate")
        plain = statistics.median(run(large, "test_plain.py", "-p", "no:distilltest") for _ in range(REPEATS))
        live, again = run(large, "test_suite.py"), run(large, "test_suite.py")
        print(f"pytest alone, one empty test: {plain:.2f} s (the start of every figure below)")
        print(
            f"{CASES} cases on 3 roles: {live:.2f} s; without pytest's own start {(live - plain) / bound:.2f} x the bound"
        )
        print(f"again from the store: {again:.2f} s, {CALLS / (again - plain):.0f} cases x roles a second")
        small = project(Path(two), url, 1, "at_least(0.5)", "candidate")
        first = run(small, "test_suite.py")
        later = statistics.median(run(small, "test_suite.py") for _ in range(REPEATS))
        print(f"one case, one role: {first:.2f} s the first time, {later:.2f} s from the store")
    process.terminate()


if __name__ == "__main__":
    main()
