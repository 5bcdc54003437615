"""Reads mutated files one after another in this process, with a time limit for each."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import time
import traceback
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from fuzz.kinds import KINDS, ROWS, SUPERVISED, Kind, _jsonl
from fuzz.mutations import mutated

from distilltest.cli import main
from distilltest.errors import DistilltestError

PATIENCE, WAITING = 20, 300
"""The time limits for one file: seconds of processor time, and seconds in total, so that nothing waits forever."""
CODES = {0, 2, 3, 13}
"""The allowed exit codes; 13 means that a command checked a file and found it unfit for training."""


class Hung(BaseException):
    """A file took too long."""


@dataclass
class Round:
    """The results for the mutated files of a kind."""

    kind: Kind
    read: int = 0
    refused: int = 0
    commands: int = 0
    slowest: float = 0.0
    failures: list[str] = field(default_factory=list)

    @property
    def files(self) -> int:
        """The number of files that were read or refused."""
        return self.read + self.refused


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    def give_up(*_: object) -> None:
        raise Hung

    clocks = {signal.ITIMER_REAL: (signal.SIGALRM, WAITING), signal.ITIMER_VIRTUAL: (signal.SIGVTALRM, PATIENCE)}
    before = {number: signal.signal(number, give_up) for number, _ in clocks.values()}
    for clock, (_, seconds) in clocks.items():
        signal.setitimer(clock, seconds)
    try:
        yield
    finally:
        for clock in clocks:
            signal.setitimer(clock, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def run(kind: Kind, count: int, folder: Path, *, seed: int = 1, every: int = 20) -> Round:
    """Read mutated files of a kind.

    Args:
        kind: The kind.
        count: The number of files.
        folder: An empty folder, which becomes the working directory.
        seed: The seed of the mutations.
        every: Run the command line on one file in this number.
    """
    done = Round(kind)
    path = folder / kind.file
    neighbours(folder)
    with contextlib.chdir(folder):
        for number in range(count):
            random = Random(f"{kind.name} {seed} {number}")
            content = mutated(random.choice(kind.seeds), random, kind.ending)
            if kind.name == "configuration" or path.name != "distilltest.yaml":
                path.write_bytes(content)
            start = time.process_time()
            try:
                with _patience():
                    _read(done, path)
                    if kind.command and number % every == 0:
                        _command(done, path.name)
            except (Exception, Hung) as failure:  # errors that are not DistilltestError
                last = "".join(traceback.format_exception(failure)[-3:])
                done.failures.append(f"{kind.name}, file {number} of seed {seed}: {last}")
                _keep(content, kind, number)
            done.slowest = max(done.slowest, time.process_time() - start)
    return done


def neighbours(folder: Path) -> None:
    """Write the other files that commands need."""
    (folder / "distilltest.yaml").write_text(
        "servers: {s: {base_url: 'http://127.0.0.1:9'}}\nmodels: {teacher: {server: s, model: m}}\nprices: prices.yaml\n"
    )
    (folder / "prices.yaml").write_text("m: {input: 1}\n")
    (folder / "prompt.yaml").write_text("messages: [{role: user, content: x}]\n")
    (folder / "good.txt").write_text("a request\n")
    (folder / "good.jsonl").write_bytes(_jsonl(SUPERVISED * 20))
    (folder / "cases.jsonl").write_bytes(_jsonl(ROWS))


def _read(done: Round, path: Path) -> None:
    try:
        done.kind.read(path)
    except DistilltestError as error:
        done.refused += 1
        said = str(error)
        assert said.strip(), "an error without words"
        assert len(said) < 20_000, f"an error of {len(said):,} characters: {said[:300]}"
    else:
        done.read += 1


def _command(done: Round, name: str) -> None:
    arguments = [name if word == "FILE" else word for word in done.kind.command]
    Path("out.jsonl").unlink(missing_ok=True)
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
    done.commands += 1
    assert code in CODES, f"exit code {code}: {said.getvalue()[:2000]}"
    assert "Traceback" not in said.getvalue(), said.getvalue()


def _keep(content: bytes, kind: Kind, number: int) -> None:
    """Save a failed file to the folder in DISTILLTEST_FUZZ_KEEP, if set."""
    folder = os.environ.get("DISTILLTEST_FUZZ_KEEP")
    if folder:
        name = f"{zlib.crc32(kind.name.encode()):08x}-{number}.{kind.ending}"
        (Path(folder) / name).write_bytes(content)


def named(name: str) -> Kind:
    """The kind with this name."""
    return next(kind for kind in KINDS if kind.name == name)
