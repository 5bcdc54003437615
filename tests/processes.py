"""Starts processes for tests: with the usual signals, ending with their test, and forked where possible.

While tests run, ``[sys.executable, "-m", "pytest", ...]``, the same with ``distilltest``, and scripts that begin with ``FORKED``
are forked from a process that has imported everything (``warm.py``). This takes a tenth of the time. Set ``DISTILLTEST_COLD=1``
or use ``processes.Cold`` to start a new interpreter instead. Other commands start as usual.
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
"""Python itself ignores these; ``subprocess`` restores them."""
_MODULES = ("distilltest", "pytest")
FORKED = "# This may be forked from a process that has imported everything.\n"
"""The first line of a ``python -c`` script that may be forked, because its imports and memory do not matter."""
_POSSIBLE = sys.platform == "linux" and not os.environ.get("DISTILLTEST_COLD")

PATIENCE = 600.0
"""The timeout of all waits, in seconds. It is long enough for the busiest machine."""

Cold = subprocess.Popen
"""Starts a new interpreter, also while tests run."""
_PARAMETERS = inspect.signature(Cold._execute_child)  # type: ignore[attr-defined]


def have_usual_signals() -> None:
    """Restore signals that this process was started to ignore, for itself and its children.

    Shells ignore SIGINT for background jobs, and ``nohup`` ignores SIGHUP. Tests of signals would hang.
    """
    for number in signal.valid_signals() - _PYTHONS_OWN:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


@contextmanager
def started(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a process during the block; then kill it and its process group, and close its pipes."""
    process = subprocess.Popen(command, text=True, start_new_session=True, **options)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):  # the whole group has ended
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


def until(holds: Callable[[], T]) -> T:
    """Poll until the function returns a true value, for things without an event; return the value."""
    deadline = time.monotonic() + PATIENCE
    while not (value := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def line_with(words: str, stream: IO[str]) -> str:
    """Wait for the next line of a process's output that has these words."""
    before = []
    for line in stream:
        if words in line:
            return line
        before.append(line)
    raise AssertionError(f"it ended without {words!r}, after:\n{''.join(before)}")


def after_three_steps(process: subprocess.Popen[str]) -> int:
    """Let a process make three steps; return the last number. It prints a number per step and reads a line to continue."""
    assert process.stdin is not None
    assert process.stdout is not None
    for _ in range(2):
        process.stdout.readline()
        process.stdin.write("\n")
        process.stdin.flush()
    return int(process.stdout.readline())


def module_of(command: Any) -> tuple[str, list[str]] | None:
    """The module that a command runs and its arguments, if the command can be forked."""
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
    """Like ``Popen``, but forks from the warm process if possible."""

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
            | {"DISTILLTEST_WARM": os.environ["DISTILLTEST_WARM"]},  # for its own children
            "session": given["start_new_session"],
            "ignored": [int(each) for each in signal.valid_signals() if signal.getsignal(each) == signal.SIG_IGN],
        }
        descriptors = [
            theirs if theirs != -1 else standard for standard, theirs in enumerate(ours[i] for i in (0, 3, 5))
        ]
        if not Path(task["folder"]).is_dir():
            return super()._execute_child(*arguments)  # raises the right error
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
    """Ask the warm process to fork; the new process becomes a child of this one."""
    with _lock:
        _, channel = _warm or _start()
        socket.send_fds(channel, [marshal.dumps(task)], descriptors)
        return int(channel.recv(32))


def _start() -> tuple[subprocess.Popen[bytes], socket.socket]:
    global _warm
    with leftovers.lasting():
        leftovers.adopt_orphans()  # so that forked processes become our children
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
