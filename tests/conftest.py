"""A test that is skipped in CI fails: nothing is left out silently."""

import os
from importlib.util import find_spec

import pytest

if find_spec("hypothesis"):  # the quick tests on every interpreter do without
    from hypothesis import settings

    # How long a test takes is measured in bench/, not here.
    settings.register_profile("shared-machine", deadline=None, max_examples=50)
    settings.load_profile("shared-machine")

collect_ignore = [] if find_spec("torch") else ["trainer"]
LEFT_OUT = "tests/trainer is left out: PyTorch is not installed here. Run: make trainer"


def pytest_report_header(config):
    return LEFT_OUT if collect_ignore else None


def pytest_terminal_summary(terminalreporter):
    """With -q there is no header; it must be seen all the same."""
    if collect_ignore and terminalreporter.config.get_verbosity() < 0:
        terminalreporter.write_line(LEFT_OUT)


@pytest.fixture(scope="session", autouse=True)
def lean_subprocesses():
    """Where a test starts pytest, only what it needs is loaded: Hypothesis' plugin alone takes a second of processor time.

    These processes use the bytecode of our modules that this one wrote, and write none: a suite that a test writes twice in one
    second, with as many bytes, would be taken for the one before.
    """
    plugins = [name for name in ("distilltest.pytest_plugin", "xdist.plugin") if find_spec(name.partition(".")[0])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        patch.setenv("PYTEST_PLUGINS", ",".join(plugins))
        patch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report
