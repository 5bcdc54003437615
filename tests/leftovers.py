"""Finds processes, threads and open files that a test leaves behind. The check takes a few system calls if there are none."""

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
"""How long to wait for things that are ending, in seconds. Only a test that leaves something behind waits this long."""
KEPT_BY_LIBRARIES = ("TMonitor",)
"""Threads that a library keeps for the whole process (tqdm's)."""
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER in <linux/prctl.h>


@dataclass(frozen=True)
class Belongings:
    """The child processes, threads and open files of this process at one moment."""

    processes: frozenset[int]
    """The children; after :func:`adopt_orphans`, also orphans of children that have ended."""
    threads: frozenset[threading.Thread]
    files: frozenset[tuple[str, str]]
    """File descriptors, each with its target: a path, or the number of a socket or pipe."""

    @classmethod
    def now(cls) -> Belongings:
        """The current belongings."""
        return cls(children(), frozenset(threads()), frozenset(open_files()))

    def __or__(self, other: Belongings) -> Belongings:
        return Belongings(self.processes | other.processes, self.threads | other.threads, self.files | other.files)

    def __sub__(self, other: Belongings) -> Belongings:
        return Belongings(self.processes - other.processes, self.threads - other.threads, self.files - other.files)

    def __bool__(self) -> bool:
        return bool(self.processes or self.threads or self.files)

    def lines(self) -> Iterator[str]:
        """Describe each process, thread and file in one line."""
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
    """Things started in this block outlive the test, and do not count as leftovers."""
    global _kept
    before = Belongings.now()
    try:
        yield
    finally:
        _kept |= Belongings.now() - before


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants, so that none escapes the check."""
    if LINUX:
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def children() -> frozenset[int]:
    """The running child processes of this process, without zombies."""
    if not LINUX:
        return frozenset()
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # there are no children
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
            with suppress(OSError):  # the descriptor of this listing
                yield name, os.readlink(f"/proc/self/fd/{name}")  # noqa: PTH115 -- for each test, and a path takes twice as long


def _close_pools() -> None:
    """Stop what distilltest keeps for later calls: processes of Python graders, and embedded servers."""
    pool = sys.modules.get("distilltest.graders.python_pool")
    if pool is not None:
        pool.close_all()
    servers = getattr(sys.modules.get("distilltest.completions.client"), "_embedded", {})
    while servers:
        servers.popitem()[1].stop()


def _left(before: Belongings) -> Belongings:
    """The new belongings, after waiting for things that are ending."""
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
    """A pytest plugin: a test that leaves a process, a thread or an open file behind gets an error that names it.

    Things that fixtures of a wider scope start may stay until the session ends.
    """

    def __init__(self) -> None:
        self._failed = False
        self._before = NOTHING

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Iterator[None]:
        """Record things that fixtures of a wider scope start."""
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
        """Check after all of the test's fixtures are torn down."""
        result = yield
        if self._failed:  # leftovers of a failed test are consequences, and its traceback keeps objects alive
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
                + "\nEnd a process with `with processes.started(...)`, join a thread, close open files; "
                "start shared things in a fixture of a wider scope.",
                pytrace=False,
            )
        return result


def kill(pid: int) -> None:
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
