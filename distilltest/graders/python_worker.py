"""The script in the process of a Python grader. It uses the standard library alone, and is started with ``python -I``.

The first line on standard input has the source and its limits, each further line a call; the script answers each line with one.
All lines are JSON. See ``python_grader`` for the isolation and its limits.
"""

from __future__ import annotations

import importlib
import inspect
import json
import math
import os
import signal
import sys
import traceback
from contextlib import suppress
from types import CodeType, ModuleType
from typing import Any, BinaryIO

_FILE = "<grader>"
_NETWORK = ("socket.connect", "socket.bind", "socket.send", "socket.get", "urllib.", "ftplib.", "smtplib.", "http.")
_PROGRAMS = (
    "subprocess.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.startfile",
    "pty.spawn",
)


class Broken(Exception):
    """The source is invalid for every sample."""


def main() -> None:
    """Answer calls until there is no more input."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # discard the grader's output, and hide its calls from it
        os.dup2(null, descriptor)
    settings = json.loads(requests.readline())
    held = _isolation().isolate(os.getcwd(), settings["layers"])  # noqa: PTH109
    own = os.getpid()
    try:
        code = compile(settings["source"], _FILE, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        _answer(answers, {"broken": _tell(error)})
        return
    _answer(answers, {**held, "memory": _limit(settings)})
    sys.addaudithook(_guard(programs=held["processes"] == "limited"))
    for line in requests:
        _alarm(settings["alarm"])
        answer = _call(code, line)
        if os.getpid() != own:  # a fork of the grader returned here
            os._exit(0)
        _alarm(0)
        if held["processes"] == "limited":
            _end_others()
        _answer(answers, answer)


def _end_others() -> None:
    """End the processes that the grader left behind; the namespace has no others."""
    with suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with suppress(ChildProcessError):
        while True:
            os.wait()


def _isolation() -> Any:
    """The module beside this script, whose folder ``-I`` removes from the path."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 -- pathlib is slow to import
    try:
        return importlib.import_module("python_isolation")
    finally:
        del sys.path[0]


def _call(code: CodeType, line: bytes) -> dict[str, Any]:
    call = None
    try:
        request = json.loads(line)
        call = request["call"]
        grade = _load(code)
        score = _score(grade(request["sample"], request["item"]))
    except Broken as error:
        return {"broken": str(error), "call": call}
    except ImportError as error:
        return {"broken": _tell(error), "call": call}
    except BaseException as error:  # SystemExit and KeyboardInterrupt are the grader's too
        return {"error": _tell(error), "call": call}
    return {"score": score, "call": call}


def _load(code: CodeType) -> Any:
    """Execute the source again, so that calls do not share a module."""
    made = ModuleType("grader")
    made.__file__ = _FILE
    sys.modules["grader"] = made  # dataclasses resolve annotations there
    module = made.__dict__
    try:
        exec(code, module)  # noqa: S102 -- the purpose of this process
        grade = module["grade"]
        inspect.signature(grade).bind(None, None)
    except KeyError as error:
        missing = error.args == ("grade",)
        raise Broken("it has no function grade(sample, item)" if missing else _tell(error)) from None
    except TypeError as error:
        called = callable(module.get("grade"))
        raise Broken("grade does not take exactly (sample, item)" if called else _tell(error)) from None
    except BaseException as error:
        raise Broken(_tell(error)) from None
    return grade


def _score(value: Any) -> float:
    if isinstance(value, str | bytes | bytearray | complex) or not hasattr(type(value), "__float__"):
        raise TypeError(f"grade returned {repr(value)[:80]}, which is not a number")
    score = float(value)
    if not math.isfinite(score):
        raise ValueError(f"grade returned {score}, which is not a score")
    return score


def _tell(error: BaseException) -> str:
    """The kind, message and line of an error in the grader."""
    try:
        text = str(error)
    except BaseException:
        text = ""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == _FILE]
    told = type(error).__name__ + (f": {text[:300]}" if text else "")
    return f"{told} (line {lines[-1]})" if lines else told


def _answer(answers: BinaryIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()


def _guard(programs: bool) -> Any:
    """An audit hook that refuses network and programs with a clear message; the only guard where the system has none."""

    def hook(event: str, _: tuple[Any, ...]) -> None:
        if event.startswith(_NETWORK):
            raise PermissionError(f"a grader has no network ({event})")
        if not programs and event.startswith(_PROGRAMS):
            raise PermissionError(f"a grader starts no programs here ({event})")

    return hook


def _limit(settings: dict[str, Any]) -> bool:
    """Limit memory and file size; returns whether the memory limit is enforced."""
    try:
        import resource
    except ImportError:
        return False
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (settings["disk"], settings["disk"]))
    try:
        resource.setrlimit(resource.RLIMIT_AS, (settings["memory"], settings["memory"]))
    except (OSError, ValueError):
        return False
    return sys.platform.startswith("linux")  # other systems accept the limit without enforcing it


def _alarm(seconds: int) -> None:
    """End this process after a number of seconds, in case its parent has died."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


if __name__ == "__main__":
    main()
