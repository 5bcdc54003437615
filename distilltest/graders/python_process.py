"""One process of a Python grader: start, call, end."""

from __future__ import annotations

import json
import math
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time as time_module
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from distilltest.errors import SuiteError
from distilltest.graders.python_isolation import LAYERS

_SCRIPT = Path(__file__).with_name("python_worker.py")
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
_DISK = 1024**3
_START = 60.0
_LONGEST = 1024 * 1024
"""The longest answer, in bytes."""


class TookTooLong(Exception):
    """No answer came in time; the process has been ended."""


class Ended(Exception):
    """The process ended without an answer; the message says how."""


class PythonWorker:
    """A process that runs one source. Use it under its lock."""

    def __init__(self, source: str, memory: int, time: float, *, layers: Sequence[str] = LAYERS) -> None:
        self.lock = threading.Lock()
        self._closed = False
        self.isolation: dict[str, Any] = {}
        """How the process is isolated, once it runs; see :class:`distilltest.graders.python_grader.Isolation`."""
        self._settings = {
            "source": source,
            "memory": memory,
            "disk": _DISK,
            "alarm": math.ceil(time) + 5,
            "layers": list(layers),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._directory = ""

    def is_closed(self) -> bool:
        """Whether the process has been ended; it does not start again."""
        return self._closed

    def ask(self, message: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send one call and wait for its answer; starts the process if necessary.

        Raises:
            TookTooLong: No answer came in time.
            Ended: The process ended.
            SuiteError: The source is invalid, or no process can be started.
        """
        call = secrets.token_hex(8)
        line = _line({**message, "call": call})
        if self._process is None:
            self._start()
        answer = self._exchange(line, seconds)
        if answer.pop("call", None) != call:  # the grader may have written to the pipe itself
            self.close()
            return {"error": "the answer of its process was overwritten"}
        return answer

    def _start(self) -> None:
        self._directory = tempfile.mkdtemp(prefix="distilltest-grader-")
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        places = dict.fromkeys(("HOME", "TMPDIR", "TEMP", "TMP"), self._directory)
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- our own script
                [sys.executable, "-I", "-X", "utf8", str(_SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=self._directory,
                env={**inherited, **threads, **places, "LANG": "C.UTF-8"},
                start_new_session=True,
            )
            hello = self._exchange(_line(self._settings), _START)
        except (OSError, TookTooLong, Ended) as error:
            self.close()
            raise SuiteError(
                f"python_grader: no process can be started for it: {type(error).__name__}: {error}."
            ) from None
        if "broken" in hello:
            self.close()
            raise SuiteError(f"python_grader: the source is broken: {hello['broken']}.")
        self.isolation = hello

    def _exchange(self, line: bytes, seconds: float) -> dict[str, Any]:
        found: list[bytes] = []
        # In a thread, since reading from and writing to a pipe can block, and not every system has a timeout for it.
        thread = threading.Thread(target=self._talk, args=(line, found), daemon=True)
        self._thread = thread
        thread.start()
        thread.join(seconds)
        if thread.is_alive():
            self.close()
            raise TookTooLong(f"there was no answer in {seconds:g} s")
        if not found or (len(found[0]) < _LONGEST and not found[0].endswith(b"\n")):
            raise Ended(_how(self.close(by_itself=True)))
        try:
            answer = json.loads(found[0])
        except ValueError:
            return {}
        return answer if isinstance(answer, dict) else {}

    def _talk(self, line: bytes, found: list[bytes]) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(OSError, ValueError):
            process.stdin.write(line)
            process.stdin.flush()
            found.append(process.stdout.readline(_LONGEST))
        if self._closed:
            self._close_pipes()

    def close(self, *, by_itself: bool = False) -> int | None:
        """End the process and its children, or wait for it to end first; returns the exit code."""
        self._closed = True
        process = self._process
        if process is not None and process.returncode is None:
            if by_itself:
                _await(process.pid)
            with suppress(OSError):  # not reaped yet, so its id is not reused
                os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
            process.wait()
            if self._thread is not None:
                self._thread.join(1)
            # A process that left the group may keep the thread reading; closing would block too, so the thread closes them later.
            if self._thread is None or not self._thread.is_alive():
                self._close_pipes()
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)
        return process.returncode if process is not None else None

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout) if self._process is not None else ():
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def _line(message: dict[str, Any]) -> bytes:
    try:
        return json.dumps(message).encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise SuiteError(f"python_grader: the sample or the item is not JSON: {error}.") from None


def _await(pid: int) -> None:
    """Wait up to a second for the process to end, without reaping it."""
    for _ in range(100):
        if not hasattr(os, "waitid") or os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
            return
        time_module.sleep(0.01)


def _how(code: int | None) -> str:
    """How a process ended, in words."""
    if code is not None and code < 0:
        try:
            return f"its process was ended by {signal.Signals(-code).name}"
        except ValueError:
            pass
    return f"its process ended (exit code {code})"
