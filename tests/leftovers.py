"""What a test leaves behind: processes, threads and open files. Where there is nothing, a look takes a few system calls."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

LINUX = sys.platform == "linux"
GRACE = 10.0
"""Seconds that whatever is just ending may take. Only a test that leaves something behind waits so long."""
KEPT_BY_LIBRARIES = ("TMonitor",)
"""Threads that a library keeps for the whole process: tqdm's."""
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER in <linux/prctl.h>


@dataclass(frozen=True)
class Belongings:
    """What this process has at a moment."""

    processes: frozenset[int]
    """Its children; with :func:`adopt_orphans` also the children of children that have ended."""
    threads: frozenset[threading.Thread]
    files: frozenset[tuple[str, str]]
    """Numbers of file descriptors, and what each stands for: a path, or the number of a socket or pipe."""

    @classmethod
    def now(cls) -> Belongings:
        """Look."""
        return cls(children(), frozenset(threads()), frozenset(open_files()))

    def __or__(self, other: Belongings) -> Belongings:
        return Belongings(self.processes | other.processes, self.threads | other.threads, self.files | other.files)

    def __sub__(self, other: Belongings) -> Belongings:
        return Belongings(self.processes - other.processes, self.threads - other.threads, self.files - other.files)

    def __bool__(self) -> bool:
        return bool(self.processes or self.threads or self.files)

    def lines(self) -> Iterator[str]:
        """Say what it is."""
        for pid in sorted(self.processes):
            yield f"process {pid}: {command_of(pid)}"
        for thread in sorted(self.threads, key=lambda each: each.name):
            yield f"thread {thread.name}{' (daemon)' if thread.daemon else ''}"
        for number, target in sorted(self.files):
            yield f"file descriptor {number}: {target}"


NOTHING = Belongings(frozenset(), frozenset(), frozenset())


_kept = NOTHING


@contextmanager
def lasting() -> Iterator[None]:
    """Whatever is started in this block lives longer than one test, and is nobody's leftover."""
    global _kept
    before = Belongings.now()
    try:
        yield
    finally:
        _kept |= Belongings.now() - before


def adopt_orphans() -> None:
    """Become the parent of whatever loses its own below us, so that nothing can leave unseen."""
    if LINUX:
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def children() -> frozenset[int]:
    """The processes whose parent this is; those that have ended and that nobody waited for are let go."""
    if not LINUX:
        return frozenset()
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # there is none: one call has told
        return frozenset()
    ours = str(os.getpid())
    found = set()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):
                state, parent, *_ = Path(entry, "stat").read_text().rpartition(")")[2].split()
                if parent == ours and state != "Z":
                    found.add(int(entry.name))
    return frozenset(found)


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:200]
    except OSError:
        return "has ended"


def threads() -> Iterator[threading.Thread]:
    for thread in threading.enumerate():
        if type(thread).__name__ not in KEPT_BY_LIBRARIES:
            yield thread


def open_files() -> Iterator[tuple[str, str]]:
    if LINUX:
        with os.scandir("/proc/self/fd") as entries:
            names = [entry.name for entry in entries]
        for name in names:
            with suppress(OSError):  # the one that listed
                yield name, os.readlink(f"/proc/self/fd/{name}")  # noqa: PTH115 -- for each test, and a path takes twice as long


def _close_pools() -> None:
    """End what the product keeps for the next call: processes of Python graders, and embedded servers."""
    pool = sys.modules.get("distilltest.graders.python_pool")
    if pool is not None:
        pool.close_all()
    servers = getattr(sys.modules.get("distilltest.completions.client"), "_embedded", {})
    while servers:
        servers.popitem()[1].stop()


def _left(before: Belongings) -> Belongings:
    """What is there and was not, once everything that was just ending has ended."""
    left = Belongings.now() - before
    if not left:
        return left
    _close_pools()
    gc.collect()
    deadline = time.monotonic() + GRACE
    while (left := Belongings.now() - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


class Watch:
    """A pytest plugin: a test that leaves a process, a thread or an open file behind has an error that names it.

    What fixtures of a wider scope start is theirs until the session ends.
    """

    def __init__(self) -> None:
        self._failed = False
        self._before = NOTHING

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Iterator[None]:
        """Note what lives longer than one test."""
        if fixturedef.scope == "function":
            return (yield)
        with lasting():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        report = yield
        self._failed |= report.failed
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        self._failed = False
        self._before = Belongings.now()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        """Look when all of the test's fixtures are gone."""
        result = yield
        if self._failed:  # what a failed test left is a consequence; the frames of its error hold it
            for pid in Belongings.now().processes - (self._before | _kept).processes:
                kill(pid)
            return result
        kept = self._before | _kept
        if item.get_closest_marker("shares_a_server"):  # whose connections and threads come and go between tests
            now = Belongings.now()
            kept |= Belongings(frozenset(), now.threads, now.files)
        left = _left(kept)
        for pid in left.processes:
            kill(pid)
        if left:
            pytest.fail(
                "the test left behind:\n  "
                + "\n  ".join(left.lines())
                + "\nEnd a process with `with processes.started(...)`, join a thread, close what was opened; "
                "what many tests share is started by a fixture of a wider scope.",
                pytrace=False,
            )
        return result


def kill(pid: int) -> None:
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
