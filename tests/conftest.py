"""Rules for all tests: the same environment everywhere, the same examples each time, nothing skipped or left behind."""

import os

os.environ.setdefault(
    "OPENBLAS_NUM_THREADS", "1"
)  # set before numpy is imported: its threads would slow down other tests

import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import leftovers
import processes
import pytest

HYPOTHESIS = find_spec("hypothesis") is not None  # the quick tests on every interpreter run without it
TIMES = int(os.environ.get("DISTILLTEST_EXAMPLES", "0"))
"""Multiplies the number of Hypothesis examples and makes them random; 0 keeps the usual number, the same each time."""

if HYPOTHESIS:
    from hypothesis import HealthCheck, is_hypothesis_test, settings

    # No deadline: the time of an example depends on the machine.
    patient = {"deadline": None, "max_examples": 25, "suppress_health_check": [HealthCheck.too_slow]}
    settings.register_profile("the same every time", derandomize=True, **patient)
    settings.register_profile("explore", print_blob=True, **patient)
    settings.load_profile("explore" if TIMES else "the same every time")

collect_ignore = [] if find_spec("torch") else ["trainer"]
LEFT_OUT = "tests/trainer is left out: PyTorch is not installed here. Run: make trainer"

OURS = ("distilltest", "bench", "suites", "tests", *{path.stem for path in Path(__file__).parent.glob("[a-z]*")})
"""The top-level modules whose warnings are errors, also if another package names them as the caller."""


def _in_memory(folder: str = "/dev/shm", least: int = 4 << 30) -> bool:
    """Whether there is a folder in memory that is large enough for the tests and allows programs. It is faster than a disk."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return os.access(folder, os.W_OK) and found.f_bavail * found.f_frsize >= least and not found.f_flag & os.ST_NOEXEC


if "TMPDIR" not in os.environ and _in_memory():
    tempfile.tempdir = os.environ["TMPDIR"] = "/dev/shm"

FOREIGN = ("BUILD_NUMBER", "CI", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "PYTEST_ADDOPTS", "PY_COLORS")
FOREIGN_PREFIXES = ("AZURE_", "DISTILLTEST_", "GIT_", "GITHUB_", "LC_", "OPENAI_", "PYTHONWARN", "TIKTOKEN_")
"""Environment variables that affect programs and differ between machines."""


def pytest_configure(config):
    config.addinivalue_line("filterwarnings", f"error:::({'|'.join(sorted(OURS))})(\\.|$)")
    processes.have_usual_signals()
    leftovers.adopt_orphans()
    config.pluginmanager.register(leftovers.Watch(), "leftovers")


def pytest_collection_modifyitems(items):
    """Multiply the number of examples if requested."""
    if not (HYPOTHESIS and TIMES):
        return
    for item in items:
        test = getattr(item, "obj", None)
        owner = getattr(item, "cls", None)
        if is_hypothesis_test(test):
            own = test._hypothesis_internal_use_settings
            test._hypothesis_internal_use_settings = settings(own, max_examples=own.max_examples * TIMES)
        elif owner is not None and isinstance(getattr(owner, "settings", None), settings):  # a state machine
            owner.settings = settings(owner.settings, max_examples=owner.settings.max_examples * TIMES)


def pytest_report_header(config):
    return LEFT_OUT if collect_ignore else None


def pytest_terminal_summary(terminalreporter):
    """Print the note also with -q, which hides the header."""
    if collect_ignore and terminalreporter.config.get_verbosity() < 0:
        terminalreporter.write_line(LEFT_OUT)


@pytest.fixture(scope="session", autouse=True)
def same_surroundings(tmp_path_factory):
    """Hide the influence of the terminal, the CI system and the home folder."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name in FOREIGN or name.startswith(FOREIGN_PREFIXES) or name.lower().endswith("_proxy"):
                patch.delenv(name)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("LANG", "C.UTF-8")
        patch.setenv("TERM", "dumb")
        patch.setenv("TZ", "UTC")
        time.tzset()
        mask = os.umask(0o022)
        yield
        os.umask(mask)
    time.tzset()


@pytest.fixture(scope="session", autouse=True)
def lean_subprocesses(same_surroundings):
    """Load only the needed plugins in pytest processes that tests start: Hypothesis's plugin alone takes a second.

    These processes use the bytecode of our modules that this process wrote, but write none: Python would take a suite that is
    rewritten within a second, with the same size, for the old one.
    """
    plugins = [name for name in ("distilltest.pytest_plugin", "xdist.plugin") if find_spec(name.partition(".")[0])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        patch.setenv("PYTEST_PLUGINS", ",".join(plugins))
        patch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        patch.setattr(subprocess, "Popen", processes.Warm)
        yield
    processes.end_warm()


def _not_skipped(report):
    """Turn a skip into a failure: skipped tests go unnoticed."""
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"A test that is skipped shows nothing: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return _not_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _not_skipped((yield))
