"""Attacks on the isolation of a Python grader, for each layer that the system may refuse.

What a system does not allow is not skipped: then `held` must say so, which is what docs/reference/graders.md promises.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from distilltest.graders.python_isolation import LAYERS, PROCESSES
from distilltest.graders.python_process import Ended, PythonWorker, TookTooLong

LINUX = sys.platform.startswith("linux")
SOURCE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)

def grade(sample, item):
    found = {"libc": libc, "os": os, "ctypes": ctypes, **item}
    exec(item["code"], found)
    return float(found["escaped"])
"""
TIERS = {
    "all layers": LAYERS,
    "no namespaces, as in most containers": ("user", "landlock", "seccomp"),
    "no namespaces and no Landlock": ("user", "seccomp"),
    "no seccomp": ("namespaces", "user", "landlock"),
    "Landlock alone": ("landlock",),
    "nothing": (),
}


def apart(held):
    return held["network"] == "namespace"


def calls(held):
    """Whether seccomp holds."""
    return held["processes"] in ("limited", "refused") and held["layers"].count("seccomp")


def files(held):
    return held["files"] == "own directory"


def other_user(held):
    return held["user"] == "nobody"


ATTACKS = {
    "read the environment of the process that asks": (
        "escaped = len(open(f'/proc/{parent}/environ', 'rb').read())",
        lambda held: apart(held) or files(held) or other_user(held) or privileged(),
    ),
    "read the environment of any process that holds a secret": (
        """
escaped = False
for name in filter(str.isdigit, os.listdir("/proc")):
    try: escaped |= b"planted-secret" in open(f"/proc/{name}/environ", "rb").read()
    except OSError: pass
""",
        lambda held: apart(held) or files(held) or other_user(held) or privileged(),
    ),
    "return to the system's network": (
        "escaped = libc.setns(os.open(f'/proc/{parent}/ns/net', os.O_RDONLY), 0) == 0",
        lambda held: True,
    ),
    "gain privileges in a user namespace": ("escaped = libc.unshare(0x10000000) == 0", calls),
    "connect to a server on this machine, past Python": (
        """
address = (2).to_bytes(2, "little") + port.to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
escaped = libc.connect(libc.socket(2, 1, 0), address, 16) == 0
""",
        lambda held: apart(held) or held["network"] == "seccomp" or (files(held) and landlock() >= 4),
    ),
    "connect to a Unix socket": (
        """
address = (1).to_bytes(2, "little") + unix.encode() + bytes(1)
escaped = libc.connect(libc.socket(1, 1, 0), address, len(address)) == 0
""",
        lambda held: calls(held) or other_user(held),
    ),
    "write outside its directory": ("open(outside + '/new', 'w').close()\nescaped = True", files),
    "read a file of its user's, such as the store": (
        "escaped = open(outside + '/.distilltest/store.sqlite3').read() == 'stored'",
        lambda held: files(held) or other_user(held),
    ),
    "list the folder of the project": (f"escaped = 'tests' in os.listdir({str(Path(__file__).parents[2])!r})", files),
    "read the system's passwords": (
        "escaped = len(open('/etc/shadow').read()) > 0",
        lambda held: files(held) or other_user(held),
    ),
    "signal the process that asks": (
        "escaped = libc.kill(parent, 0) == 0",
        lambda held: apart(held) or calls(held) or other_user(held) or (files(held) and landlock() >= 6),
    ),
    "signal every process": (
        "escaped = libc.kill(-1, 0) == 0",
        lambda held: not apart(held) and calls(held),
    ),
    "trace the process that asks": (
        "escaped = libc.ptrace(16, parent, 0, 0) == 0",
        lambda held: apart(held) or calls(held) or files(held) or other_user(held) or privileged(),
    ),
    "write into the memory of the process that asks": (
        "open(f'/proc/{parent}/mem', 'r+b').close()\nescaped = True",
        lambda held: apart(held) or files(held) or other_user(held) or privileged(),
    ),
    "keep a capability": (
        """
data = (ctypes.c_uint32 * 6)()
libc.capget((ctypes.c_uint32 * 2)(0x20080522, 0), data)
escaped = any(data)
""",
        lambda held: True,
    ),
    "become root again": ("escaped = os.getuid() != 0 and libc.setuid(0) == 0", lambda held: True),
    "raise its own limits": (
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))\nescaped = True",
        lambda held: held["memory"],
    ),
    "take two gigabytes": ("escaped = len(bytearray(2 << 30)) > 0", lambda held: held["memory"]),
    "start a hundred processes": (
        f"""
escaped = 0
for _ in range({PROCESSES + 40}):
    child = libc.fork()
    if child == 0:
        while True: libc.pause()
    if child < 0: break
    escaped += 1
escaped = escaped >= {PROCESSES}
""",
        lambda held: held["processes"] in ("limited", "refused"),
    ),
}


def landlock():
    return ctypes.CDLL(None).syscall(444, None, 0, 1) if LINUX else 0


def privileged():
    """Whether this process may do what one without privileges may not, even of the same user."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapPrm")]
    return int(line.split()[1], 16) != 0


def interpreters():
    """This one, and the system's: root's own is often in a folder that is closed to others, so that the user cannot change."""
    found = [sys.executable]
    system = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if system and os.path.realpath(system) != os.path.realpath(sys.executable):
        asked = subprocess.run(
            [system, "-c", "import sys; print(sys.version_info >= (3, 11))"], capture_output=True, check=False
        )
        found += [system] if asked.stdout.strip() == b"True" else []
    return found


@pytest.fixture(params=interpreters(), ids=["this Python", "the system's"][: len(interpreters())])
def interpreter(request, monkeypatch):
    monkeypatch.setattr(sys, "executable", request.param)
    monkeypatch.setenv("OPENAI_API_KEY", "planted-secret")


@pytest.fixture
def start():
    """Makes processes of graders, and ends them."""
    made = []
    yield lambda *arguments, **options: made.append(PythonWorker(*arguments, **options)) or made[-1]
    for worker in made:
        worker.close()


@pytest.fixture
def surroundings():
    """What is there to be attacked, in a folder that anybody may enter and write: no closed folder protects by chance."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / ".distilltest").mkdir(mode=0o755)
        store = folder / ".distilltest" / "store.sqlite3"
        store.touch(0o600)
        store.write_text("stored")
        with socket.socket(socket.AF_UNIX) as unix, socket.create_server(("127.0.0.1", 0)) as server:
            unix.bind(f"{name}/s")
            unix.listen()
            yield {"outside": name, "unix": f"{name}/s", "port": server.getsockname()[1], "parent": os.getpid()}


@pytest.mark.parametrize("tier", TIERS)
def test_each_attack_is_refused_if_the_isolation_promises_it(tier, interpreter, surroundings, start):
    """One process for the whole gallery: what one attack leaves behind must not help the next one."""
    worker = start(SOURCE, 1 << 30, 60, layers=TIERS[tier])
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        try:
            assert worker.ask({"sample": {}, "item": {"code": "escaped = True"}}, 60) == {"score": 1.0}
            held = {**worker.isolation, "layers": TIERS[tier]}
            promised = [name for name, (_, promise) in ATTACKS.items() if promise(held) and LINUX]
            escaped = []
            for name in promised:
                answer = worker.ask({"sample": {}, "item": {"code": ATTACKS[name][0], **surroundings}}, 60)
                if answer != {"score": 0.0} and "error" not in answer:
                    escaped.append((name, answer, held))
        finally:
            other.communicate(b"")
    assert escaped == []
    assert len(promised) >= (len(ATTACKS) - 1 if calls(held) and files(held) else 3 if LINUX else 0)


def test_here_every_layer_is_there_or_said_to_be_missing(interpreter):
    """Linux 6.7 and later lets anybody have all of them, unless a container or an administrator forbids it."""
    held = probe(LAYERS)
    assert set(held) == {"network", "processes", "files", "user", "memory"}
    if LINUX and landlock() > 0:
        assert held["files"] == "own directory"
    if LINUX and Path("/proc/sys/kernel/seccomp").exists():
        assert held["network"] in ("namespace", "seccomp")
        assert held["processes"] in ("limited", "refused")
    if held["user"] == "nobody":
        assert os.getuid() == 0


@pytest.mark.parametrize("left_out", LAYERS)
def test_a_layer_that_is_missing_is_not_claimed(interpreter, left_out):
    held = probe([layer for layer in LAYERS if layer != left_out])
    claims = {
        "namespaces": ("network", "namespace"),
        "user": ("user", "nobody"),
        "landlock": ("files", "own directory"),
    }
    if left_out in claims:
        name, value = claims[left_out]
        assert held[name] != value
    else:
        assert "seccomp" not in held.values()
        assert held["processes"] != "refused"


def probe(layers):
    worker = PythonWorker("def grade(sample, item): return 1", 1 << 31, 60, layers=layers)
    assert worker.ask({"sample": {}, "item": {}}, 60) == {"score": 1.0}
    worker.close()
    return worker.isolation


BENIGN = """
import asyncio, datetime, decimal, json, locale, multiprocessing, random, sqlite3, ssl, statistics, tempfile, threading, zoneinfo

def grade(sample, item):
    with tempfile.TemporaryDirectory() as folder, open(folder + "/x", "w") as file:
        file.write("x")
    sqlite3.connect("own.sqlite3").execute("CREATE TABLE IF NOT EXISTS t (a)").connection.close()
    thread = threading.Thread(target=random.random)
    thread.start()
    thread.join()
    async def one():
        await asyncio.sleep(0)
        return 1.0
    open("/dev/null", "w").write("x")
    return asyncio.run(one())
"""


@pytest.mark.parametrize("tier", TIERS)
def test_what_graders_ordinarily_do_works_at_every_tier(tier, interpreter, start):
    worker = start(BENIGN, 2 << 30, 60, layers=TIERS[tier])
    assert [worker.ask({"sample": {}, "item": {}}, 60) for _ in range(2)] == [{"score": 1.0}] * 2


def test_packages_of_this_python_can_be_imported(start):
    worker = start("def grade(sample, item):\n    import numpy, yaml, distilltest\n    return 1", 2 << 30, 60)
    assert worker.ask({"sample": {}, "item": {}}, 60) == {"score": 1.0}


STARTS = """
def grade(sample, item):
    import os, signal, subprocess, sys
    if item.get("count"):
        return len([name for name in os.listdir("/proc") if name.isdigit()]) / 100
    if os.fork() == 0:
        os.setsid()
        os.closerange(3, 100)
        signal.pause()
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    if item.get("forever"):
        signal.pause()
    return 1
"""


def test_processes_that_a_call_left_behind_end_with_it(interpreter, start):
    worker = start(STARTS, 1 << 31, 60)
    answer = worker.ask({"sample": {}, "item": {}}, 60)
    if worker.isolation["processes"] == "limited":
        assert answer == {"score": 1.0}
        counts = {worker.ask({"sample": {}, "item": {"count": True}}, 60)["score"] for _ in range(20)}
        assert min(counts) == 0.02  # the first process of the namespace, which may still be reaping, and the grader's
        assert worker.ask({"sample": {}, "item": {}}, 60) == {"score": 1.0}
    else:
        assert "a grader starts no programs here (os.fork)" in answer["error"]


def test_a_fork_that_comes_back_answers_nothing_and_a_program_has_no_network_either(interpreter, start):
    program = "import socket; socket.create_connection(('127.0.0.1', %d), 2)"
    source = """
import os, subprocess, sys
def grade(sample, item):
    child = os.fork()
    return 0 if child == 0 else float(subprocess.run([sys.executable, "-c", item["program"]], stderr=-3).returncode == 1)
"""
    if probe(LAYERS)["processes"] == "limited":
        worker = start(source, 1 << 31, 60)
        with socket.create_server(("127.0.0.1", 0)) as server:
            item = {"program": program % server.getsockname()[1]}
            assert [worker.ask({"sample": {}, "item": item}, 60) for _ in range(3)] == [{"score": 1.0}] * 3


def test_a_call_that_takes_too_long_ends_with_everything_that_it_started(interpreter, start):
    """All of them hold an end of this pipe: it is at its end when the last one has ended."""
    if probe(LAYERS)["processes"] != "limited":
        return  # then none can be started: see above
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        started = subprocess.Popen
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(subprocess, "Popen", lambda *a, **more: started(*a, **more, pass_fds=[writing]))
            worker = start(STARTS.replace("closerange", "getpid() and str"), 1 << 31, 60)
            worker.ask({"sample": {}, "item": {"count": True}}, 60)
        os.close(writing)
        with pytest.raises(TookTooLong):
            worker.ask({"sample": {}, "item": {"forever": True}}, 1)
        assert pipe.read() == b""


def test_how_the_process_ended_is_still_told(interpreter, start):
    for code, words in (
        ("os._exit(3)", "exit code 3"),
        ("os.kill(os.getpid(), 9)", "SIGKILL"),
        ("libc.abort()", "SIGABRT"),
    ):
        worker = start(SOURCE, 1 << 31, 60)
        with pytest.raises(Ended, match=words):
            worker.ask({"sample": {}, "item": {"code": code}}, 60)


FORGES = """
import os, stat
def grade(sample, item):
    for number in range(3, 64):
        try:
            if stat.S_ISFIFO(os.fstat(number).st_mode):
                os.write(number, eval(item["forged"]))
        except OSError:
            pass
    return 0
"""


@pytest.mark.parametrize(
    "forged",
    [
        "b'{\"score\": 1}\\n' * 3",
        'b\'{"score": 1, "call": null}\\n\'',
        'b\'{"score": 1, "call": "0000000000000000"}\\n\'',
        "b'x' * 2_000_000",
        "b'\\n' * 50",
        "b'[1]\\n'",
    ],
)
def test_an_answer_that_was_written_past_the_protocol_counts_for_no_call(forged, start):
    """Earlier, the first forged line was taken for this call's answer, and the second for the next call's."""
    worker = start(FORGES, 1 << 31, 60)
    answer = worker.ask({"sample": {}, "item": {"forged": forged}}, 60)
    assert answer == {"error": "the answer of its process was overwritten"}
    assert worker.is_closed()


def test_the_process_that_asks_keeps_its_threads_and_signals(interpreter):
    before = (threading.active_count(), signal.getsignal(signal.SIGCHLD), os.getpgrp())
    probe(LAYERS)
    assert (threading.active_count(), signal.getsignal(signal.SIGCHLD), os.getpgrp()) == before
