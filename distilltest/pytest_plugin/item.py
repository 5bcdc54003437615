"""Running one evaluation as a pytest item: it ends with a verdict, or with an error that pytest shows without a traceback.

It contains no assert, so pytest need not rewrite it: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import inspect
import types
from typing import TYPE_CHECKING

import pytest

from distilltest.errors import DistilltestError, StoreError
from distilltest.evaluations.grading import BoundBody
from distilltest.process.interruption import TimeIsUp
from distilltest.pytest_plugin.progress import PytestProgress
from distilltest.pytest_plugin.tally import ROLES, STATUS

if TYPE_CHECKING:
    from distilltest.evaluations.declaration import Evaluation
    from distilltest.pytest_plugin.hooks import EvaluationPlugin
    from distilltest.reporting.report import EvaluationReport


def run(
    plugin: EvaluationPlugin, item: pytest.Function, declared: Evaluation, upcoming: tuple[str, Evaluation] | None
) -> None:
    """Run an evaluation, and fail its item unless the verdict is ``promote``."""
    report: EvaluationReport | None = None
    problem, ending = "", plugin.ending
    interruption = ending.interruptible(plugin.worker is not None)
    progress, when = _progress(plugin, item.nodeid), "before it began"
    try:
        with interruption.exposed(), progress:
            if ending.store_failed:
                raise StoreError(ending.store_failed)
            if ending.left() == 0:
                raise TimeIsUp
            when = "before an answer was graded"
            report = plugin.start().evaluate(item.nodeid, declared, _bound(item, declared), progress, upcoming)
    except DistilltestError as error:
        problem = str(error)
        if isinstance(error, StoreError):
            ending.store_failed = problem
            ending.attempt(plugin.start().stop)  # do not pay for responses that cannot be stored
    except TimeIsUp:
        ending.attempt(plugin.start().stop)
        item.user_properties.append((STATUS, "incomplete"))
        if progress.done:
            when = f"when {progress.done} of {progress.total} answers were graded"
        limit = plugin.config.option.time_limit
        problem = f"incomplete: the time limit of {limit} was over {when}. {ending.resume()}"
    except KeyboardInterrupt:
        ending.interrupted = True
        ending.attempt(plugin.start().stop if plugin.worker is None else plugin.start().close)
        raise
    except pytest.skip.Exception as error:
        problem = (
            f"{item.name} called pytest.skip({str(error)!r}) in its body; a skipped case would look like a pass. "
            "Leave cases out of the dataset, or skip the whole evaluation with a mark."
        )
    if report is None:  # outside of except, or pytest would show both exceptions
        pytest.fail(problem, pytrace=False)
    _conclude(plugin, item, report)


def _bound(item: pytest.Function, declared: Evaluation) -> BoundBody:
    body = declared.body if item.instance is None else types.MethodType(declared.body, item.instance)
    parameters = inspect.signature(body).parameters
    return BoundBody.of(body, item.name, {name: item.funcargs[name] for name in parameters if name in item.funcargs})


def _progress(plugin: EvaluationPlugin, title: str) -> PytestProgress:
    """A bar on a terminal, lines in a log, nothing in a worker or with ``-q``."""
    plugins = plugin.config.pluginmanager
    # Without the terminal plugin, pytest has no option ``verbose``.
    silent = plugin.worker is not None or not plugins.hasplugin("terminalreporter")
    quiet = silent or plugin.config.option.verbose < 0
    return PytestProgress(title, None if quiet else plugins.getplugin("capturemanager"), quiet)


def _conclude(plugin: EvaluationPlugin, item: pytest.Function, report: EvaluationReport) -> None:
    """Attach the verdict to the item, and fail it unless the verdict is ``promote``."""
    from distilltest.reporting import terminal

    item.user_properties.append((STATUS, report.verdict.status.value))
    lines = plugin.ending.attempt(lambda: terminal.role_lines(report)) or []
    item.user_properties.append((ROLES, "\n".join(lines)))
    if report.verdict.status != "promote":
        failure = plugin.ending.attempt(lambda: terminal.failure(report))
        pytest.fail(failure or report.verdict.sentence, pytrace=False)
