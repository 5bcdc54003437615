"""Checks that the store survives ``kill -9``, during a migration from an older schema and during a run.

Each kill hits a process at a random moment, and the next process continues from there. The exit code is 1 if anything is damaged,
lost, changed or duplicated.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import older_store
from bench.once import counting, settled, stats, warm
from distilltest.completions.engine import Engine
from distilltest.config import load_config
from distilltest.records import Completion, Request
from distilltest.store import Store, old_rows

AT_ONCE = 20
REQUESTS = 300


def child(work: Callable[[], None]) -> int:
    """Fork a process that does the work; return its id."""
    sys.stdout.flush()
    forked = os.fork()
    if forked:
        return forked
    code = 99
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def killed(process: int, after: float) -> bool:
    """Kill a process after this many seconds; return whether it was still running.

    Raises:
        RuntimeError: The process failed by itself.
    """
    deadline = time.monotonic() + after
    while (left := deadline - time.monotonic()) > 0:
        if ended(process, os.WNOHANG):
            return False
        time.sleep(min(left, 0.002))
    os.kill(process, signal.SIGKILL)
    return not ended(process)


def ended(process: int, options: int = 0) -> bool:
    """Whether a process ended by itself. Without options, wait until it has ended or was killed."""
    pid, status = os.waitpid(process, options)
    if pid and os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise RuntimeError(f"a process ended with {os.WEXITSTATUS(status)}")
    return bool(pid) and os.WIFEXITED(status)


def migrations(kills: int, rows: int, chance: random.Random) -> str:
    """Kill migrations from schema 5; every other time, two processes migrate at once."""
    old_rows._ROWS = 100  # many transactions
    done = whole = 0
    with tempfile.TemporaryDirectory() as folder:
        source, path = Path(folder, "older/store.sqlite3"), Path(folder, "store/store.sqlite3")
        wanted = older_store.make(source, rows)
        counts = (len(wanted.completions), len(wanted.outcomes))

        def migrate() -> None:
            Store.open(path).close()

        took = 0.0
        while done < kills or not whole:
            shutil.copytree(source.parent, path.parent)
            if not took:  # the first time without a kill
                began = time.perf_counter()
                ended(child(migrate))
                took = time.perf_counter() - began
            else:
                begun = True
                while begun:
                    several = [child(migrate) for _ in range(1 + whole % 2)]
                    hit = [killed(each, chance.uniform(0, 0.5 * took)) for each in several]
                    done += sum(hit)
                    begun = all(hit)
                    look = Path(folder, "look")  # a copy, so that the next process recovers the log, not this one
                    shutil.copytree(path.parent, look)
                    found = older_store.moved_so_far(look / path.name)
                    if found != counts:
                        raise ValueError(f"{found} rows after a kill, wanted {counts}")
                    shutil.rmtree(look)
                    if done >= kills:
                        break
            ended(child(migrate))
            if older_store.read(path) != wanted:
                raise ValueError("what the store has is not what it had")
            shutil.rmtree(path.parent)
            whole += 1
    return f"{done} kills in {whole} migrations of {rows:,} completions and {2 * rows:,} outcomes: nothing lost, changed or twice"


def runs(kills: int, chance: random.Random) -> str:
    """Kill runs. All answers that a run has returned must be stored, and no stored request may be sent again."""
    done = whole = asked_again = most = 0
    with counting(0.005) as url:
        while done < kills:
            with tempfile.TemporaryDirectory() as folder:
                stats(url, "reset")
                path = Path(folder, ".distilltest/store.sqlite3")
                requests = project(Path(folder), url)
                lost = received = stored = 0
                while done < kills:
                    hit, told = kill_in_mid_run(partial(ask, Path(folder), requests), chance, stored + AT_ONCE)
                    done += hit
                    before, received = received, settled(url)["received"]
                    kept = look_at(path, told) if path.exists() else 0
                    most = max(most, unkept := received - before - (kept - stored))
                    lost, stored = lost + unkept, kept
                    if not hit:
                        break
                ended(child(partial(ask, Path(folder), requests, os.open(os.devnull, os.O_WRONLY))))
                counts = settled(url)
                if (look_at(path, []), counts["distinct"]) != (REQUESTS, REQUESTS):
                    raise ValueError(f"{counts['distinct']} distinct requests, wanted {REQUESTS}")
                if counts["received"] != REQUESTS + lost:
                    raise ValueError(f"received {counts['received']}, wanted {REQUESTS} and {lost} that kills took")
                asked_again += lost
                whole += 1
    return (
        f"{done} kills in {whole} runs of {REQUESTS} requests, {AT_ONCE} at once: every answer that was handed out is stored; "
        f"asked again: {asked_again}, at most {most} after one kill"
    )


def project(folder: Path, url: str) -> list[Request]:
    """Write a configuration; return the requests."""
    text = (
        f"servers:\n  s: {{base_url: '{url}/v1', max_concurrency: {AT_ONCE}}}\nmodels:\n  m: {{server: s, model: m}}\n"
    )
    (folder / "distilltest.yaml").write_text(text)
    return [Request("s", f"{url}/v1", "m", ({"role": "user", "content": f"n {n}"},)) for n in range(REQUESTS)]


def ask(folder: Path, requests: list[Request], out: int) -> None:
    """Send the requests, and report each answer that is returned."""
    config = load_config(folder)
    with Store.open(config.store_path) as store, Engine(config, store) as engine:
        for _, answer in engine.results(requests):
            assert isinstance(answer, Completion)
            os.write(out, f"{answer.key} {answer.text!r}\n".encode())


def kill_in_mid_run(work: Callable[[int], None], chance: random.Random, most: int) -> tuple[bool, list[str]]:
    """Kill a process once it has reported some answers; return whether it was still running, and its reports."""
    reading, writing = os.pipe()
    process = child(partial(work, writing))
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = [pipe.readline() for _ in range(chance.randrange(most))]
        hit = killed(process, chance.uniform(0, 0.01))
        return hit, [*told, *pipe.read().splitlines(keepends=True)]


def look_at(path: Path, told: list[str]) -> int:
    """The number of completions in a store. The reported ones must be among them.

    Raises:
        ValueError: It is not, or the file is damaged.
    """
    kept = older_store.moved_so_far(path)[0]
    with Store.open(path) as store:
        there = {stored.completion.key: stored.completion.text for stored in store.each_completion()}
    for line in told:
        key, _, text = line.partition(" ")
        if line.endswith("\n") and f"{there.get(key)!r}\n" != text:
            raise ValueError(f"{key} was handed out as {text!r}, and is stored as {there.get(key)!r}")
    return kept


def main() -> int:
    """Run both kinds of kills, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--migrations", type=int, default=100, metavar="KILLS")
    parser.add_argument("--runs", type=int, default=100, metavar="KILLS")
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    chance = random.Random(options.seed)
    warm()
    print(f"seed {options.seed}", flush=True)
    try:
        if options.migrations:
            print(migrations(options.migrations, options.rows, chance), flush=True)
        if options.runs:
            print(runs(options.runs, chance), flush=True)
    except (RuntimeError, ValueError) as error:
        print(f"wrong: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
