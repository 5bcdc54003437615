"""The pytest plugin: options, fixtures, and the hooks that run evaluations.

Every pytest session on the machine loads this package, so it imports nothing else of distilltest until pytest collects an
evaluation. It contains no assert, so pytest need not rewrite it: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import pytest

from distilltest.pytest_plugin import fixtures
from distilltest.pytest_plugin.hooks import EvaluationPlugin, declaration
from distilltest.pytest_plugin.options import add_options

# pytest looks for fixtures in this module.
globals().update({name: getattr(fixtures, name) for name in ("case", "completion", *fixtures.GRADERS)})


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Turn pytest-xdist off for ``--plan``: one process estimates everything."""
    if config.option.plan and hasattr(config.option, "numprocesses"):
        config.option.numprocesses, config.option.dist, config.option.tx = None, "no", []


def pytest_configure(config: pytest.Config) -> None:
    """Register the hooks of this session."""
    plugin = EvaluationPlugin(config)
    config.pluginmanager.register(plugin, "distilltest-session")
    if plugin.worker is None and hasattr(config.option, "numprocesses"):
        from distilltest.pytest_plugin.workers import Controller

        config.pluginmanager.register(Controller(plugin), "distilltest-workers")


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, name: str, obj: object) -> None:
    """Reject an evaluation that cannot work when pytest collects it, without a traceback."""
    declared = declaration(obj)
    if declared is not None:
        from distilltest.errors import SuiteError
        from distilltest.untrusted.edges import shown

        try:
            declared.check(f"{collector.nodeid}::{name}")
        except SuiteError as error:
            raise collector.CollectError(shown(str(error))) from None
