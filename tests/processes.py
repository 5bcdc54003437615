"""Processes that tests start: with the signals that a terminal gives them, none outlives its test, and few import the world.

While tests run, ``[sys.executable, "-m", "pytest", ...]`` and the same with ``distilltest`` are forked from a process that has
imported everything (``warm.py``), which takes a tenth of the time. ``DISTILLTEST_COLD=1`` starts each of them anew, and so does
``processes.Cold``. So is a script of ``FORKED``. Any other command is started as always.
"""

from __future__ import annotations

import inspect
import marshal
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeVar

import leftovers

T = TypeVar("T")

_PYTHONS_OWN = {signal.SIGPIPE, getattr(signal, "SIGXFSZ", signal.SIGPIPE)}
"""Ignored by Python itself; ``subprocess`` restores them."""
_MODULES = ("distilltest", "pytest")
FORKED = "# This may be forked from a process that has imported everything.\n"
"""What a script for ``python -c`` begins with if what is imported and how much memory it takes does not matter to it."""
_POSSIBLE = sys.platform == "linux" and not os.environ.get("DISTILLTEST_COLD")

PATIENCE = 600.0
"""Seconds after which something that is waited for is taken never to come, on the busiest machine."""

Cold = subprocess.Popen
"""What starts every process anew, also while tests run."""
_PARAMETERS = inspect.signature(Cold._execute_child)  # type: ignore[attr-defined]


def have_usual_signals() -> None:
    """Take signals as in a terminal where this process was started with some ignored, and so would its children be.

    A shell does so with SIGINT in the background, ``nohup`` with SIGHUP. Then tests of signals, here and in children, would hang.
    """
    for number in signal.valid_signals() - _PYTHONS_OWN:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


@contextmanager
def started(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that runs while the block does; at its end it is killed, with all that it started, and its pipes are closed."""
    process = subprocess.Popen(command, text=True, start_new_session=True, **options)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):  # all of its group have ended
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


def until(holds: Callable[[], T]) -> T:
    """Ask until there is an answer, for what tells nobody when it happens."""
    deadline = time.monotonic() + PATIENCE
    while not (value := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def line_with(words: str, stream: IO[str]) -> str:
    """The next line of a process's output that has certain words; it is waited for."""
    before = []
    for line in stream:
        if words in line:
            return line
        before.append(line)
    raise AssertionError(f"it ended without {words!r}, after:\n{''.join(before)}")


def after_three_steps(process: subprocess.Popen[str]) -> int:
    """Where a process has made three steps and rests; it prints the number of each and reads a line before it goes on."""
    assert process.stdin is not None
    assert process.stdout is not None
    for _ in range(2):
        process.stdout.readline()
        process.stdin.write("\n")
        process.stdin.flush()
    return int(process.stdout.readline())


def module_of(command: Any) -> tuple[str, list[str]] | None:
    """The module that a command runs and its arguments, if that is one that can be forked."""
    if not _POSSIBLE or not isinstance(command, list | tuple) or not command or command[0] != sys.executable:
        return None
    words = [str(word) for word in command[1:]]
    if words[:1] == ["-m"]:
        words[:2] = ["".join(words[:2])]
    if words and words[0].startswith("-m") and words[0][2:] in _MODULES:
        return words[0][2:], words[1:]
    if words[:1] == ["-c"] and words[1].startswith(FORKED):
        return "-c", words[1:]
    return None


class Warm(Cold):  # type: ignore[type-arg]
    """A process like any other, which was forked from a warm one."""

    def _execute_child(self, *arguments: Any) -> None:
        given = _PARAMETERS.bind(self, *arguments).arguments
        found = module_of(given["args"])
        if found is None or given["executable"] or given["preexec_fn"] or given["shell"] or given["pass_fds"]:
            return super()._execute_child(*arguments)
        ours = [given[name] for name in ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")]
        with _lock:
            _warm or _start()
        environment = os.environ if given["env"] is None else given["env"]
        task = {
            "module": found[0],
            "arguments": found[1],
            "folder": str(Path(given["cwd"] or ".").absolute()),
            "environment": {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()}
            | {"DISTILLTEST_WARM": os.environ["DISTILLTEST_WARM"]},  # for what it starts itself
            "session": given["start_new_session"],
            "ignored": [int(each) for each in signal.valid_signals() if signal.getsignal(each) == signal.SIG_IGN],
        }
        descriptors = [
            theirs if theirs != -1 else standard for standard, theirs in enumerate(ours[i] for i in (0, 3, 5))
        ]
        if not Path(task["folder"]).is_dir():
            return super()._execute_child(*arguments)  # which knows the error
        self.pid = _fork(task, descriptors)
        self._child_created = True
        self._close_pipe_fds(*ours)
        return None


def put_commands_into(folder: Path) -> None:
    """Write the programs ``distilltest`` and ``pytest``, for the PATH of a shell."""
    folder.mkdir(parents=True, exist_ok=True)
    for module in _MODULES:
        words = [sys.executable, "-m", module]
        if _POSSIBLE:
            with _lock:
                _warm or _start()
            words = [sys.executable, "-IS", str(Path(__file__).with_name("warm_client.py")), module]
        (folder / module).write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        (folder / module).chmod(0o755)


_lock = threading.Lock()
_warm: tuple[subprocess.Popen[bytes], socket.socket] | None = None


def _fork(task: dict[str, Any], descriptors: list[int]) -> int:
    """Have the warm process fork; what it forks is a child of this process."""
    with _lock:
        _, channel = _warm or _start()
        socket.send_fds(channel, [marshal.dumps(task)], descriptors)
        return int(channel.recv(32))


def _start() -> tuple[subprocess.Popen[bytes], socket.socket]:
    global _warm
    with leftovers.lasting():
        leftovers.adopt_orphans()  # so it comes that what it forks is ours
        channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, str(Path(__file__).with_name("warm.py")), str(theirs.fileno())]
            folder = tempfile.mkdtemp(prefix="distilltest-warm-")
            os.environ["DISTILLTEST_WARM"] = f"{folder}/socket"
            environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
            process = Cold(command, pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL)
        if channel.recv(32) != b"ready":
            raise RuntimeError("the warm process did not start")
    _warm = process, channel
    return _warm


def end_warm() -> None:
    """End the warm process."""
    global _warm
    if _warm is not None:
        process, channel = _warm
        channel.close()
        process.wait()
        shutil.rmtree(Path(os.environ.pop("DISTILLTEST_WARM")).parent)
        _warm = None
