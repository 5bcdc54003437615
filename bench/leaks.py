"""Counts how many planted leaks are found and how many requests are near duplicates by chance, and times a large file.

``python -m bench.leaks`` plants leaks of each kind among the git requests, and with ``--gsm8k FOLDER`` also in GSM8K, whose
train.jsonl and test.jsonl are in github.com/openai/grade-school-math, data. ``--speed`` measures 100,000 lines against 10,000
cases.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tabulate import tabulate

from distilltest.training_files.overlap import find_overlap

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
PLANTED = 60
SEEDS = 3
INSTRUCTION = (
    "Read the following ticket of a customer carefully, decide which department has to handle it and how urgent it is, and "
    "answer with one line of JSON only: "
)
Pairs = list[tuple[str, str]]


def read(path: Path, request: str, answer: str) -> Pairs:
    rows = map(json.loads, path.read_text().splitlines())
    return [(row[request], row[answer]) for row in rows]


def on_a_form(pairs: Pairs) -> Pairs:
    return [(INSTRUCTION + request, answer) for request, answer in pairs]


def example(request: str, answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": request}, {"role": "assistant", "content": answer}]}


def looked_for(rows: list[dict[str, Any]], cases: Pairs) -> tuple[set[int], set[int]]:
    """The numbers of leaked cases, and of near duplicates."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "train.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        found = find_overlap(path, [(str(number), request) for number, (request, _) in enumerate(cases)])
    leaked = set(map(int, found.leaked))
    return leaked, {int(pair.case_id) for pair in found.pairs} - leaked


def shares(kind: str, cases: Pairs, others: Pairs) -> tuple[float, float, float]:
    """The shares of planted cases that are blocked, near and missed."""
    from training_files.planted import KINDS

    blocked = near = total = 0
    rows = [example(*each) for each in others]
    fit = [n for n, (request, _) in enumerate(cases) if kind != "numbers changed" or re.search(r"\d", request)]
    for seed in range(SEEDS):
        chance = random.Random(seed)
        some = chance.sample(fit, min(PLANTED, len(fit)))
        leaked, close = looked_for([*rows, *(KINDS[kind](chance, *cases[n], others) for n in some)], cases)
        blocked += len(leaked.intersection(some))
        near += len(close.intersection(some))
        total += len(some)
    return blocked / total, near / total, 1 - (blocked + near) / total


def planted(datasets: dict[str, tuple[Pairs, Pairs]]) -> None:
    from training_files.planted import KINDS

    table = []
    for kind in KINDS:
        found = [shares(kind, *both) for both in datasets.values()]
        table.append([kind, *(" / ".join(f"{100 * share:.0f}" for share in each) for each in found)])
    print(tabulate(table, ["planted (blocked / near / missed, %)", *datasets], tablefmt="github"))


def by_chance(datasets: dict[str, tuple[Pairs, Pairs]]) -> None:
    table = []
    for name, (cases, others) in datasets.items():
        leaked, near = looked_for([example(*each) for each in others], cases)
        table.append([name, len(others), len(cases), len(leaked), len(near), f"{len(leaked | near) / len(cases):.2%}"])
    print(tabulate(table, ["not planted", "lines", "cases", "blocked", "near", "share"], tablefmt="github"))


def speed(lines: int, cases: int) -> None:
    """Requests from templates with 50 values per field, and texts of random words."""
    chance = random.Random(1)
    requests = read(ROOT / "fixtures/git_requests/train.jsonl", "request", "reference")
    words = [word for request, _ in requests for word in request.split()]
    places = [[f"{chance.choice(words)}{n}" for n in range(50)] for _ in range(4)]

    def on_a_form() -> str:
        one, two, three, four = map(chance.choice, places)
        return f"{INSTRUCTION}My {one} {two} since {three} and {four}, please help, order {chance.randrange(10**6)}"

    def free() -> str:
        return " ".join(chance.choices(words, k=48))

    table = []
    for name, text in {"on a form": on_a_form, "free": free}.items():
        asked = [(str(number), text()) for number in range(cases)]
        with TemporaryDirectory() as folder:
            path = Path(folder) / "train.jsonl"
            with path.open("w") as file:
                for _ in range(lines):
                    file.write(json.dumps(example(text(), chance.choice(words))) + "\n")
            size, wall, cpu = path.stat().st_size / 1e6, time.perf_counter(), time.process_time()
            find_overlap(path, asked)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        table.append(
            [name, f"{lines:,}", f"{cases:,}", f"{size:.0f} MB", f"{wall:.0f} s", f"{cpu:.0f} s", f"{memory:.0f} MB"]
        )
    print(tabulate(table, ["requests", "lines", "cases", "file", "time", "processor", "memory"], tablefmt="github"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gsm8k", type=Path, metavar="FOLDER")
    parser.add_argument("--speed", action="store_true")
    arguments = parser.parse_args()
    if arguments.speed:
        speed(100_000, 10_000)
        return
    git = tuple(
        read(ROOT / f"fixtures/git_requests/{name}.jsonl", "request", "reference") for name in ("test", "train")
    )
    datasets: dict[str, tuple[Pairs, Pairs]] = {"git requests": (git[0], git[1])}
    if arguments.gsm8k:
        gsm = tuple(read(arguments.gsm8k / f"{name}.jsonl", "question", "answer") for name in ("test", "train"))
        datasets["GSM8K"] = (gsm[0], gsm[1])
    forms = {f"{name}, on a form": (on_a_form(cases), on_a_form(others)) for name, (cases, others) in datasets.items()}
    by_chance(datasets | forms)
    print()
    planted(datasets)


if __name__ == "__main__":
    main()
