"""Checks that every request is sent once, with whole processes against a counting server: evaluations, workers, kills.

Each row runs many times. The server must receive exactly the number of distinct requests, which is also the number that our
processes report, and every outcome must be a grade of the stored text.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

SUITE = """\
from distilltest import evaluation, not_worse_than

@evaluation(dataset="cases.jsonl", prompt="prompt.yaml", gate=[not_worse_than(role, margin=0.5) for role in ("base", "teacher")])
def test_{name}(case, completion, {grader}):
    {body}
"""
ROLES = ("base", "teacher", "candidate")
PLAIN = ("exact_match", "exact_match(completion.text, case.reference)")
JUDGED = ("criteria_match", "criteria_match(completion.text, f'It is right for {case.id} of {completion.model}.')")
SENT = (r"([\d,]+) requests sent", r"([\d,]+) new")
"""The output of pytest and ``collect`` about sent requests."""
PYTEST, COLLECT = "pytest", "collect"


@dataclass(frozen=True)
class Row:
    """One way to use a store."""

    name: str
    processes: tuple[tuple[str, ...], ...] = ((PYTEST,),)
    """Command lines, started at the same moment."""
    evaluations: int = 1
    """The number of evaluations that share all requests."""
    model: str = "candidate"
    """The candidate's model, which selects a fault of ``bench.counting_server``."""
    judged: bool = False
    fewer: bool = False
    """Whether fewer requests may be enough: a model may be closed, or an interim analysis may decide."""
    killed: bool = False
    """Whether the process is killed halfway with ``kill -9`` and started again."""
    linked: str = ""
    """What the second process accesses through a symbolic link: ``folder`` or ``file``."""
    one_by_one: bool = False
    """Whether each process waits for the previous one to end."""
    times: int = 1
    """How often each request has to be sent (two runs at once with ``--fresh`` send it twice)."""


TWO = ("-n", "2")
ROWS = (
    Row("one evaluation, 3 roles"),
    Row("two evaluations that share, -n 2", ((PYTEST, *TWO),), 2),
    Row("two pytest on one store", ((PYTEST,), (PYTEST,))),
    Row("two collect on one store", ((COLLECT,), (COLLECT,))),
    Row("three processes on one store", ((PYTEST,), (COLLECT,), (PYTEST,))),
    Row("candidate always 400, one evaluation", model="refused", fewer=True),
    Row("candidate always 400, three that share", evaluations=3, model="refused", fewer=True),
    Row("candidate always 400, three that share, -n 2", ((PYTEST, *TWO),), 3, "refused", fewer=True),
    Row("half a JSON, no retries, three that share", evaluations=3, model="half", fewer=True),
    Row("one in twenty fails once, two that share", evaluations=2, model="flaky"),
    Row("judges, two that share", evaluations=2, judged=True),
    Row("judges, two that share, -n 2", ((PYTEST, *TWO),), 2, judged=True),
    Row(
        "--fresh over a full store, two that share, -n 2",
        ((PYTEST,), (PYTEST, "--fresh", *TWO)),
        2,
        one_by_one=True,
        times=2,
    ),
    Row("two pytest --fresh at once", ((PYTEST, "--fresh"), (PYTEST, "--fresh")), times=2),
    Row("--stop-early", ((PYTEST, "--stop-early"),), fewer=True),
    Row("kill -9 in the middle, then again", killed=True),
    Row("the folder through a symbolic link", ((PYTEST,), (PYTEST,)), linked="folder"),
    Row("the store's file through a symbolic link", ((PYTEST,), (PYTEST,)), linked="file"),
)


@dataclass(frozen=True)
class Played:
    """The result of one run of a row."""

    wanted: int
    """The expected number of requests."""
    received: int
    beyond: int
    """The number of repeated requests."""
    said: int
    """The number of sent requests that our processes report."""
    wrong: tuple[str, ...]
    """The violations."""


@contextmanager
def counting(latency: float) -> Iterator[str]:
    """Start the server, and yield its address."""
    command = [sys.executable, "-m", "bench.counting_server", str(latency)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def stats(url: str, what: str = "stats") -> dict[str, int]:
    """The server's counts."""
    with urllib.request.urlopen(f"{url}/{what}") as answer:
        counts: dict[str, int] = json.load(answer)
        return counts


def project(folder: Path, url: str, row: Row, cases: int) -> None:
    """Write the project of a row."""
    folder.mkdir()
    models = {role: row.model if role == "candidate" else role for role in ROLES}
    lines = [
        f"servers:\n  s: {{base_url: '{url}/v1', max_concurrency: 100, max_retries: {2 * (row.model == 'flaky')}}}"
    ]
    lines += ["models:", *(f"  {role}: {{server: s, model: {model}}}" for role, model in models.items())]
    lines += ["judge: {server: s, model: j, structured: false}"] if row.judged else []
    (folder / "distilltest.yaml").write_text("\n".join(lines))
    (folder / "prompt.yaml").write_text('messages:\n  - {role: user, content: "{{ item.question }}"}\n')
    rows = [{"id": f"c{n}", "question": f"number {n}", "reference": "git status"} for n in range(cases)]
    (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    grader, body = JUDGED if row.judged else PLAIN
    for number in range(row.evaluations):
        text = SUITE.format(name=f"e{number}", grader=grader, body=body)
        (folder / f"test_e{number}.py").write_text(text)


def linked(folder: Path, row: Row, url: str, cases: int) -> Path:
    """Create another project with a link to the same store."""
    other = folder.with_name("other")
    project(other, url, row, cases)
    (folder / ".distilltest").mkdir(mode=0o700)
    if row.linked == "folder":
        (other / ".distilltest").symlink_to(folder / ".distilltest")
    else:
        (other / ".distilltest").mkdir(mode=0o700)
        (folder / ".distilltest/store.sqlite3").touch(mode=0o600)
        (other / ".distilltest/store.sqlite3").symlink_to(folder / ".distilltest/store.sqlite3")
    return other


def warm() -> None:
    """Import the modules that the processes need, which are forked from this one: twenty runs then import them once."""
    import _pytest.pytester
    import aiohttp
    import openai
    import xdist  # type: ignore[import-untyped]

    import distilltest.cli.main
    import distilltest.completions.engine
    import distilltest.distillation.collect
    import distilltest.evaluations.runner
    import distilltest.pytest_plugin
    import distilltest.pytest_plugin.session

    assert all((_pytest, aiohttp, openai, xdist, distilltest))


def start(folder: Path, arguments: Sequence[str], output: Path) -> int:
    """Fork a process that runs a command; return its id."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        os.chdir(folder)
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        code = work(arguments)
    finally:
        sys.stdout.flush()
        os._exit(code)


def work(arguments: Sequence[str]) -> int:
    """Run the command in this process."""
    if arguments[0] == PYTEST:
        import pytest

        return int(pytest.main(["-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments[1:]]))
    from distilltest.cli.main import main

    codes = [main(["collect", "--role", role, "--dataset", "cases.jsonl", "--prompt", "prompt.yaml"]) for role in ROLES]
    return max(codes)


def ended(children: Sequence[int]) -> None:
    """Wait for processes."""
    for child in children:
        os.waitpid(child, 0)


def said(output: Path) -> int:
    """The number of sent requests that a process reports."""
    text = output.read_text()
    return sum(int(number.replace(",", "")) for pattern in SENT for number in re.findall(pattern, text))


def stored(folder: Path) -> int:
    """The number of completions in the store."""
    with sqlite3.connect(folder / ".distilltest/store.sqlite3") as sql:
        return int(sql.execute("SELECT count(*) FROM completion").fetchone()[0])


def contradictions(folder: Path, *, judged: bool) -> list[str]:
    """Errors in the store: damage, duplicate keys, grades that contradict the stored text."""
    wrong = []
    with sqlite3.connect(folder / ".distilltest/store.sqlite3") as sql:
        state = sql.execute("PRAGMA integrity_check").fetchone()[0]
        if state != "ok":
            wrong.append(f"integrity: {state}")
        twice = sql.execute("SELECT count(*) FROM (SELECT 1 FROM completion GROUP BY key, session HAVING count(*) > 1)")
        if number := twice.fetchone()[0]:
            wrong.append(f"{number} keys twice")
        query = """
            SELECT count(*) FROM outcome JOIN completion ON completion.id = outcome.completion
            WHERE passed IS NOT NULL AND passed != (instr(CAST(response AS TEXT), 'git status') > 0)
        """
        if not judged and (number := sql.execute(query).fetchone()[0]):
            wrong.append(f"{number} grades contradict the stored text")
    return wrong


def settled(url: str) -> dict[str, int]:
    """The server's counts once they no longer change."""
    before, now = dict[str, int](), stats(url)
    while before != now:
        time.sleep(0.02)
        before, now = now, stats(url)
    return now


def play(row: Row, url: str, cases: int, folder: Path) -> Played:
    """Run a row once."""
    settled(url)
    stats(url, "reset")
    root = folder / "project"
    project(root, url, row, cases)
    places = [root] * len(row.processes)
    if row.linked:
        places[1] = linked(root, row, url, cases)
    outputs = [folder / f"output{number}" for number in range(len(row.processes))]
    begun = list(zip(places, row.processes, outputs, strict=True))
    asked = wanted = 0
    if row.killed:
        child = start(*begun[0])
        while stats(url)["received"] < cases:
            time.sleep(0.005)
        os.kill(child, signal.SIGKILL)
        ended([child])
        asked = settled(url)["received"]  # the killed process cannot report it
        wanted = asked - stored(root)  # in flight, or not committed yet
        ended([start(*begun[0])])
    elif row.one_by_one:
        for each in begun:
            ended([start(*each)])
    else:
        ended([start(*each) for each in begun])
    counts = settled(url)
    wanted += cases * len(ROLES) * (2 if row.judged else 1) * row.times + counts["faults"]
    words = asked + sum(map(said, outputs))
    wrong = contradictions(root, judged=row.judged)
    if counts["received"] != wanted and not row.fewer:
        wrong.append(f"received {counts['received']}, wanted {wanted}")
    if row.fewer and not 0 < counts["received"] == counts["distinct"] <= wanted:
        wrong.append(f"received {counts['received']}, distinct {counts['distinct']}, wanted at most {wanted}")
    if words != counts["received"]:
        wrong.append(f"said {words}, received {counts['received']}")
    if wrong:
        wrong.append("; ".join(output.read_text()[-1500:] for output in outputs))
    return Played(wanted, counts["received"], counts["received"] - counts["distinct"], words, tuple(wrong))


def main() -> int:
    """Run everything and print a table; return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cases", type=int, default=100, help="on 3 roles")
    parser.add_argument("--latency", type=float, nargs="+", default=[0.0, 0.005, 0.05], help="seconds")
    parser.add_argument("--rows", nargs="+", default=[row.name for row in ROWS], metavar="NAME", help="only these")
    options = parser.parse_args()
    warm()
    lines, broken = [], []
    for latency in options.latency:
        with counting(latency) as url:
            for row in (row for row in ROWS if row.name in options.rows):
                began = time.perf_counter()
                played = []
                for number in range(options.runs):
                    with tempfile.TemporaryDirectory() as folder:
                        played.append(play(row, url, options.cases, Path(folder)))
                    for what in played[-1].wrong:
                        broken.append(f"{row.name}, {latency * 1000:.0f} ms, run {number}: {what}")
                        print(broken[-1], flush=True)
                lines.append(line(row, latency, played, time.perf_counter() - began))
                print(*lines[-1], sep=" | ", flush=True)
    heads = ["what", "ms", "runs", "wanted", "received", "beyond distinct", "said = received", "wrong", "s a run"]
    print(tabulate(lines, heads, disable_numparse=True))
    return 1 if broken else 0


def line(row: Row, latency: float, played: Sequence[Played], seconds: float) -> list[str]:
    """One line of the table."""
    return [
        row.name,
        f"{latency * 1000:.0f}",
        str(len(played)),
        ("at most " if row.fewer else "") + span([p.wanted for p in played]),
        span([p.received for p in played]),
        span([p.beyond for p in played]),
        f"{sum(p.said == p.received for p in played)} of {len(played)}",
        str(sum(bool(p.wrong) for p in played)),
        f"{seconds / len(played):.1f}",
    ]


def span(numbers: Sequence[int]) -> str:
    """The range of the numbers."""
    least, most = min(numbers), max(numbers)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


if __name__ == "__main__":
    sys.exit(main())
