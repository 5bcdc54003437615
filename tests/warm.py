"""The warm process, from which tests fork ``python -m pytest`` and ``python -m distilltest``. It has imported what they need.

Each fork is a separate process with its own memory, signals, working directory, environment and exit code. It saves the second
that Python needs to import numpy, aiohttp, pytest and our modules. ``processes.py`` requests the forks.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import marshal
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
import types
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

LIBRARIES = (
    *(
        "aiohttp",
        "aiohttp.web",
        "execnet",
        "jsonschema",
        "jsonschema_rs",
        "numpy",
        "openai",
        "orjson",
        "rapidfuzz.distance",
    ),
    *("rapidfuzz.fuzz", "sqlite3", "statistics", "tabulate", "tqdm", "unittest.mock", "yaml"),
)
LEFT = (
    "distilltest.__main__",
    "distilltest.distillation.learning_curve.plugin",
    "distilltest.promotion.suite_plugin",
    "distilltest.pytest_plugin",
    "distilltest.trainer",
)
"""Modules that are not imported: they are run, rewritten by pytest on import, or need PyTorch."""
WORKER = ["-c", "import sys;exec(eval(sys.stdin.readline()))"]
"""How execnet starts a worker of pytest-xdist."""
CLIENT = str(Path(__file__).with_name("warm_client.py"))


def import_all() -> None:
    """Import what the commands need."""
    import _pytest.config

    import distilltest

    for name in LIBRARIES:
        importlib.import_module(name)
    for name in _pytest.config.default_plugins:
        importlib.import_module(f"_pytest.{name}")
    for module in pkgutil.walk_packages(distilltest.__path__, "distilltest."):
        if not module.name.startswith(LEFT):
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()


class Asked(NamedTuple):
    """A requested command."""

    task: dict[str, Any]
    descriptors: list[int]
    """Its standard input, output and error."""


def read(channel: socket.socket) -> Asked | None:
    """The next request, or None when the other end is closed."""
    message, descriptors, *_ = socket.recv_fds(channel, 1 << 20, 3)
    return Asked(marshal.loads(message), descriptors) if message else None


def serve(channel: socket.socket, listener: socket.socket) -> Asked:
    """Fork for each request until the other end closes ``channel``. Each child returns with its request."""
    while True:
        ready, *_ = select.select([channel, listener], [], [])
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if channel in ready:
            asked = read(channel)
            if asked is None:
                os._exit(0)
            if pid := fork_away():
                for number in asked.descriptors:
                    os.close(number)
                channel.send(str(pid).encode())
                continue
        else:
            caller, _ = listener.accept()
            if os.fork():
                caller.close()
                continue
            asked = read(caller)
            if asked is None:
                os._exit(0)
            if pid := os.fork():
                accompany(pid, caller)
            caller.close()
        channel.close()
        listener.close()
        return asked


def fork_away() -> int:
    """Fork a process whose parent is the nearest ancestor that adopts orphans; return its id, or 0 in the process itself."""
    reader, writer = os.pipe()
    between = os.fork()
    if between == 0:
        pid = os.fork()
        if pid:
            os.write(writer, str(pid).encode())
            os._exit(0)
        os.close(reader)
        os.close(writer)
        return 0
    os.close(writer)
    pid = int(os.read(reader, 32))
    os.close(reader)
    os.waitpid(between, 0)
    return pid


def accompany(pid: int, caller: socket.socket) -> NoReturn:
    """Pass signals to a process and its exit code back; kill it if the caller ends."""
    handle = os.pidfd_open(pid)
    while True:
        ready, *_ = select.select([handle, caller], [], [])
        if handle in ready:
            _, status = os.waitpid(pid, 0)
            with contextlib.suppress(OSError):
                caller.send(str(os.waitstatus_to_exitcode(status)).encode())
            os._exit(0)
        message = caller.recv(16)
        os.kill(pid, int(message) if message else signal.SIGKILL)


def become(task: dict[str, Any], descriptors: list[int]) -> None:
    """Set up this process as ``python -m`` would."""
    for target, number in enumerate(descriptors):
        os.dup2(number, target)
        os.close(number)
    if task["session"]:
        os.setsid()
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ, signal.SIGKILL, signal.SIGSTOP}:
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        with contextlib.suppress(OSError):  # signals that the C library uses
            signal.signal(number, signal.SIG_IGN if number in task["ignored"] else usual)
    os.environ.clear()
    os.environ.update(task["environment"])
    os.chdir(task["folder"])
    sys.stdout.reconfigure(line_buffering=os.isatty(1))
    sys.argv = [task["module"], *task["arguments"]]
    sys.path[0] = task["folder"]
    subprocess.Popen = Nested


class Nested(subprocess.Popen):
    """Makes commands and workers that a forked command starts forks as well."""

    def __init__(self, command: Any, *arguments: Any, **options: Any) -> None:
        if (
            isinstance(command, list)
            and command[:2] == [sys.executable, "-m"]
            and command[2] in ("distilltest", "pytest")
        ):
            command = [sys.executable, "-IS", CLIENT, *command[2:]]
        elif (
            isinstance(command, list)
            and command[:1] == [sys.executable]
            and command[-2:] == WORKER
            and "DISTILLTEST_WARM" in os.environ
        ):
            command = [sys.executable, "-IS", CLIENT, *WORKER]
        super().__init__(command, *arguments, **options)


def run_code(words: list[str]) -> None:
    """Run a script as ``python -c`` would."""
    code, *arguments = words
    sys.argv, sys.path[0] = ["-c", *arguments], ""
    main_module = sys.modules["__main__"] = types.ModuleType("__main__")
    exec(code, vars(main_module))


def leave(code: Any) -> None:
    """Exit like an interpreter, but skip the teardown of modules, which takes half of a short run."""
    if isinstance(code, str):
        print(code, file=sys.stderr)
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(0 if code is None else code & 0xFF if isinstance(code, int) else 1)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # this process ends when the other end closes the channel
    channel = socket.socket(fileno=int(sys.argv[1]))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(os.environ["DISTILLTEST_WARM"])
        listener.listen()
        import_all()
        channel.send(b"ready")
        task, descriptors = serve(channel, listener)
    become(task, descriptors)
    try:
        if task["module"] == "-c":
            run_code(task["arguments"])
        else:
            runpy.run_module(task["module"], run_name="__main__", alter_sys=True)
    except SystemExit as exit_:
        leave(exit_.code)
    except KeyboardInterrupt:
        traceback.print_exc()
        sys.stderr.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
        leave(1)
    leave(0)


if __name__ == "__main__":
    main()
