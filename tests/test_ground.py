"""The rules of the test suite: our warnings are errors, nothing is left behind or skipped, and children get signals."""

import os
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import leftovers
import processes
import pytest

TESTS = str(Path(__file__).parent)


def warn_as(module, category=DeprecationWarning, message="unread_data() is deprecated"):
    warnings.warn_explicit(message, category, "somewhere.py", 1, module=module, registry={})


@pytest.mark.parametrize(
    "module", ["distilltest.completions.client", "tests.completions.test_stop", "completions.scripted_server", "pages"]
)
def test_a_warning_that_our_own_modules_cause_is_an_error(module):
    with pytest.raises(DeprecationWarning):
        warn_as(module)


@pytest.mark.filterwarnings("ignore:unread_data")  # keeps it out of this run's summary
def test_a_warning_inside_another_package_is_none_of_ours():
    warn_as("aiohttp.multipart")
    warn_as("distilltest_extension", UserWarning)


@pytest.mark.parametrize(
    ("category", "message"),
    [
        (ResourceWarning, "unclosed file"),
        (RuntimeWarning, "coroutine 'f' was never awaited"),
        (pytest.PytestUnraisableExceptionWarning, "Exception ignored in"),
    ],
)
def test_what_names_no_caller_is_an_error_wherever_it_is_noticed(category, message):
    with pytest.raises(category):
        warn_as("asyncio.base_events", category, message)


SLEEPS = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
LEAVES = [
    (SLEEPS, "process"),
    (f"subprocess.run([sys.executable, '-c', {'import subprocess, sys; ' + SLEEPS!r}])", "process"),
    ("threading.Thread(target=os.until_told.wait, name='idle').start()", "thread idle"),
    ("os.open(__file__, os.O_RDONLY)", "file descriptor"),
    ("socket.socket().detach()", "socket"),
]
START = "import os, socket, subprocess, sys, threading, pytest\n"


def run_watched(pytester, monkeypatch, text):
    monkeypatch.setattr(leftovers, "GRACE", 0.1)
    pytester.makepyfile(START + text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytester.runpytest_inprocess(
            "-p", "no:cacheprovider", "-p", "no:distilltest", plugins=[leftovers.Watch()]
        )


@pytest.mark.parametrize(("leave", "named"), LEAVES, ids=["process", "orphan", "thread", "file", "socket"])
def test_what_a_test_leaves_behind_is_an_error_that_names_it(pytester, monkeypatch, leave, named):
    before = leftovers.Belongings.now()
    told = threading.Event()
    monkeypatch.setattr(os, "until_told", told, raising=False)  # the inner test finds it there
    result = run_watched(pytester, monkeypatch, f"def test_it():\n    {leave}\n")
    told.set()
    result.assert_outcomes(passed=1, errors=1)
    for number, _ in (leftovers.Belongings.now() - before).files:
        os.close(int(number))
    result.stdout.fnmatch_lines(["*the test left behind:*", f"*{named}*"])


def test_what_a_fixture_of_a_wider_scope_started_is_no_tests_leftover(pytester, monkeypatch):
    result = run_watched(
        pytester,
        monkeypatch,
        "@pytest.fixture(scope='module')\ndef shared():\n"
        "    with open(__file__) as file, subprocess.Popen(['cat'], stdin=subprocess.PIPE) as cat:\n        yield\n"
        "def test_first(shared): pass\ndef test_second(shared): pass\n",
    )
    result.assert_outcomes(passed=2)


def test_a_failed_test_has_no_second_error_and_its_processes_end(pytester, monkeypatch):
    result = run_watched(pytester, monkeypatch, f"def test_it():\n    {SLEEPS}\n    assert 0\n")
    result.assert_outcomes(failed=1)
    assert "sleep" not in "".join(map(leftovers.command_of, leftovers.children()))


CHILD = "from signal import *; print(getsignal(SIGINT) is default_int_handler, getsignal(SIGHUP).name)"
PARENT = f"""
import os, signal, subprocess, sys
sys.path.insert(0, {TESTS!r})
signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
import processes
processes.have_usual_signals()
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
subprocess.run([sys.executable, "-c", {CHILD!r}])
"""


def test_tests_and_their_children_get_signals_where_a_shell_in_the_background_ignores_them():
    done = subprocess.run([sys.executable, "-c", PARENT], capture_output=True, text=True, check=True)
    assert done.stdout == "True SIG_DFL\n"


@pytest.mark.parametrize("cold", [False, True])
def test_a_forked_command_is_as_one_that_was_started(tmp_path, cold):
    """Arguments, folder, environment, standard streams, exit code and ignored signals are as given."""
    (tmp_path / "test_it.py").write_text(
        "import os, signal, sys, pytest\n\ndef test_it():\n"
        "    assert (os.getcwd(), sys.path[0]) == (os.environ['FOLDER'],) * 2\n"
        "    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN\n"
        "    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler\n"
        "    assert 'HOME' not in os.environ and sys.stdin.read() == 'in'\n    print('out'); pytest.exit('done', 3)\n"
    )
    command = [sys.executable, "-m", "pytest", "-sq", "-p", "no:cacheprovider", "test_it.py"]
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "PYTEST_PLUGINS")} | {
        "FOLDER": str(tmp_path)
    }
    options = {"cwd": tmp_path, "env": environment, "text": True, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = (processes.Cold if cold else subprocess.Popen)(command, **options)
    finally:
        signal.signal(signal.SIGHUP, before)
    with process:
        said, _ = process.communicate("in")
    assert "out\n" in said, said
    assert process.returncode == 3


@pytest.mark.parametrize("cold", [False, True])
def test_a_forked_worker_is_as_one_that_was_started(tmp_path, cold):
    (tmp_path / "test_it.py").write_text(
        "import os, sys\n\ndef test_it():\n"
        "    assert (os.getcwd(), os.environ['PYTEST_XDIST_WORKER']) == (os.environ['FOLDER'], 'gw0')\n"
        "    assert 'processes' not in sys.modules\n"
        f"    assert ('openai' in sys.modules) is {not cold}\n"
        "    os._exit(3)\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "1", "--max-worker-restart", "0"]
    start = processes.Cold if cold else subprocess.Popen
    environment = {**os.environ, "FOLDER": str(tmp_path)}
    options = {"text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with start([*command, "test_it.py"], cwd=tmp_path, env=environment, **options) as process:
        said, errors = process.communicate()
    assert (process.returncode, errors) == (1, ""), said
    assert "worker 'gw0' crashed while running 'test_it.py::test_it'" in said


def test_a_started_process_ends_with_its_block_and_so_does_what_it_started():
    code = "import subprocess, sys; subprocess.Popen(['sleep', '60']); print('on', flush=True); sys.stdin.read()"
    with processes.started([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == "on\n"
    assert process.returncode == -9
    assert process.stdout.closed


def test_a_test_that_is_skipped_fails(pytester):
    conftest = Path(TESTS, "conftest.py").read_text()
    hook = conftest[conftest.index("def _not_skipped") :]
    pytester.makeconftest("import pytest\n\n" + hook)
    pytester.makepyfile(
        test_one="import pytest\ndef test_it(): pytest.skip('not today')",
        test_two="import pytest\npytest.importorskip('nothing')",
    )
    result = pytester.runpytest_inprocess(
        "-p", "no:cacheprovider", "-p", "no:distilltest", "--continue-on-collection-errors"
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(["*skipped shows nothing*not today*"])
