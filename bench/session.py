"""Measures whole pytest processes: 1,000 cases on three roles, the same from the store, and the shortest possible run."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

from bench.server import TEXT
from bench.throughput import AT_ONCE, CASES, LATENCY, ROLES, start

SUITE = """\
from distilltest import at_least, evaluation, not_worse_than

@evaluation(dataset="cases.jsonl", prompt="prompt.yaml", gate=[{gate}])
def test_answers(case, completion, exact_match):
    exact_match(completion.text, case.reference)
"""
GATE = 'at_least(0.5), not_worse_than("teacher", margin=0.05), not_worse_than("base", margin=0.05)'
REPEATS = 5
NAMES = {
    "bare": "bare aiohttp, the same rows into SQLite",
    "ours": "distilltest",
    "bare read": "bare read from SQLite",
    "again": "distilltest again, from the store",
}


def project(folder: Path, url: str, cases: int, gate: str, *roles: str) -> Path:
    """Write a project with a suite that the benchmark's server answers correctly."""
    folder.mkdir(parents=True, exist_ok=True)
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


class Spent(NamedTuple):
    """The resources that a process used."""

    wall: float
    """Wall-clock seconds."""
    cpu: float
    """Seconds of processor time."""
    megabytes: float
    """Peak memory."""


def process(command: list[str], folder: Path) -> Spent:
    """Run a process to its end."""
    started = time.perf_counter()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[1])
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    assert child.stdout is not None
    printed = child.stdout.read()
    child.stdout.close()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode in (0, 10), printed.decode()
    return Spent(time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def run(folder: Path, what: str, *options: str) -> Spent:
    """Run pytest with only our plugin, as in a user's session."""
    quiet = ["-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:xdist"]
    return process([sys.executable, "-m", "pytest", *quiet, *options, what], folder)


def bare(folder: Path, *arguments: str) -> Spent:
    """Run a process without distilltest and pytest."""
    return process([sys.executable, "-m", "bench.session_bound", *arguments], folder)


def median(spent: list[Spent]) -> Spent:
    """The median of each figure."""
    return Spent(*(statistics.median(values) for values in zip(*spent, strict=True)))


def store_bytes(folder: Path) -> int:
    """The size of the store on disk."""
    return sum(path.stat().st_size for path in (folder / ".distilltest").glob("store.sqlite3*"))


def main() -> None:
    """Measure and print. ``--cases N`` sets the number of cases, ``--latency S`` the server's latency."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--latency", type=float, default=LATENCY)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    arguments = parser.parse_args()
    server, url = start(arguments.latency)
    calls = arguments.cases * ROLES
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        plain_folder = project(root / "plain", url, 1, GATE, "base", "teacher", "candidate")
        run(plain_folder, "test_plain.py", "-p", "no:distilltest")
        plain = median([run(plain_folder, "test_plain.py", "-p", "no:distilltest") for _ in range(arguments.repeats)])
        figures: dict[str, list[Spent]] = {name: [] for name in ("bare", "ours", "bare read", "again")}
        for number in range(arguments.repeats):  # alternately, so that a slow moment affects both
            large = project(root / f"large-{number}", url, arguments.cases, GATE, "base", "teacher", "candidate")
            database = str(large / "bare.sqlite3")
            figures["bare"].append(bare(large, "live", url, str(arguments.cases), str(ROLES), database))
            figures["ours"].append(run(large, "test_suite.py"))
            taken, bare_taken = store_bytes(large) / calls, Path(database).stat().st_size / calls
            figures["bare read"].append(bare(large, "read", database))
            figures["again"].append(run(large, "test_suite.py"))
        spent = {name: median(each) for name, each in figures.items()}
        rows.append(["pytest alone, one empty test", *_cells(plain), "", ""])
        for name, bound in (("bare", "bare"), ("ours", "bare"), ("bare read", "bare read"), ("again", "bare read")):
            mine, other = spent[name], spent[bound]
            ours = name in ("ours", "again")
            own = [max(0.0, a - b) if ours else a for a, b in zip(mine[:2], plain[:2], strict=True)]
            ratios = (
                [f"{a / b:.2f} ({o / b:.2f})" for a, b, o in zip(mine[:2], other[:2], own, strict=True)]
                if ours
                else ["", ""]
            )
            rows.append([NAMES[name], *_cells(mine), *ratios])
        print(
            f"{arguments.cases} cases on {ROLES} roles, answers of {1000 * arguments.latency:g} ms, {AT_ONCE} at once"
        )
        heads = ["whole process", "wall", "processor", "memory", "wall, ratio to bare", "processor, ratio to bare"]
        print(tabulate(rows, heads, disable_numparse=True))
        print("In brackets: without pytest's own start.")
        print(f"from the store: {calls / (spent['again'].wall - plain.wall):,.0f} cases x roles a second")
        print(f"store: {taken:,.0f} bytes a call, outcomes included; bare {bare_taken:,.0f}")
        small = project(root / "small", url, 1, "at_least(0.5)", "candidate")
        first = run(small, "test_suite.py")
        later = median([run(small, "test_suite.py") for _ in range(arguments.repeats)])
        print(f"one case, one role: {first.wall:.2f} s the first time, {later.wall:.2f} s from the store")
    server.terminate()
    server.wait()


def _cells(spent: Spent) -> list[str]:
    return [f"{spent.wall:.2f} s", f"{spent.cpu:.2f} s", f"{spent.megabytes:.0f} MB"]


if __name__ == "__main__":
    main()
