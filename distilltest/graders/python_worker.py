"""What runs in the process of a Python grader: a script of the standard library alone, started with ``python -I``.

The first line on standard input says what to run and its limits, each further one is a call; every line is answered by
one, all of them JSON. See ``python_grader`` for what this keeps out and what it does not.
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
    """The source cannot work, whatever the sample is."""


def main() -> None:
    """Answer calls until there is no more input."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # what a grader prints goes nowhere, and it cannot read its own calls
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
        if os.getpid() != own:  # a process that the grader forked off came back here
            os._exit(0)
        _alarm(0)
        if held["processes"] == "limited":
            _end_others()
        _answer(answers, answer)


def _end_others() -> None:
    """End what the grader left behind: nobody else is in this namespace."""
    with suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with suppress(ChildProcessError):
        while True:
            os.wait()


def _isolation() -> Any:
    """The module beside this script: with ``-I`` its folder is not searched."""
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
    """Execute the source anew, so that no call sees what another one left in the module."""
    made = ModuleType("grader")
    made.__file__ = _FILE
    sys.modules["grader"] = made  # where dataclasses look up annotations that are texts
    module = made.__dict__
    try:
        exec(code, module)  # noqa: S102 -- to run it is what this process is for
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
        raise TypeError(f"grade returned {repr(value)[:80]}, which is no number")
    score = float(value)
    if not math.isfinite(score):
        raise ValueError(f"grade returned {score}, which is no score")
    return score


def _tell(error: BaseException) -> str:
    """The kind of an error, what it says, and the line of the grader, if it has one."""
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
    """A hook that says in words what is not allowed, and where the system keeps nothing, the only thing that refuses it."""

    def hook(event: str, _: tuple[Any, ...]) -> None:
        if event.startswith(_NETWORK):
            raise PermissionError(f"a grader has no network ({event})")
        if not programs and event.startswith(_PROGRAMS):
            raise PermissionError(f"a grader starts no programs here ({event})")

    return hook


def _limit(settings: dict[str, Any]) -> bool:
    """Limit memory and the size of files. Does the limit of memory hold here?"""
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
    return sys.platform.startswith("linux")  # others take the limit and do not keep it


def _alarm(seconds: int) -> None:
    """End this process after so many seconds by itself, should nobody be left who does it."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


if __name__ == "__main__":
    main()
