"""Hooks of pytest-xdist: workers record into one run, and the controller adds up what they sent.

It contains no assert, so pytest need not rewrite it: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from distilltest.pytest_plugin.hooks import EvaluationPlugin


class Controller:
    """The hooks that pytest-xdist calls in the controller of its workers."""

    def __init__(self, plugin: EvaluationPlugin) -> None:
        self._plugin = plugin

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give a worker the id of the run."""
        node.workerinput["distilltest_run"] = self._plugin.start().run_id

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Remember the order of the tests, and handle signals to the controller from here on."""
        self._plugin.order = list(ids)
        self._plugin.ending.control(self._plugin.evaluates)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Show a worker's messages, and add its counts to those of the run."""
        output = getattr(node, "workeroutput", {})
        for line in output.get("distilltest_said", ()):
            self._plugin.say(line)
        self._plugin.ending.take(output)
        counts = output.get("distilltest_counts")
        if counts:
            from distilltest.completions.engine import Counts
            from distilltest.data.stored import restore

            self._plugin.start().counts.append(restore(Counts, counts))
