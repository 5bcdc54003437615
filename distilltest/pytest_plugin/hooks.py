"""The hooks of one pytest session, each a line or two into the session of evaluations.

It contains no assert, so pytest need not rewrite it: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from distilltest.pytest_plugin import fixtures
from distilltest.pytest_plugin.ending import Ending
from distilltest.pytest_plugin.tally import ERROR, ROLES, STATUS, SessionTally

if TYPE_CHECKING:
    from distilltest.evaluations.declaration import Evaluation
    from distilltest.pytest_plugin.session import Session
    from distilltest.reporting.formats import Reports

_ATTRIBUTE = "__distilltest_evaluation__"


def declaration(obj: object) -> Evaluation | None:
    """What ``@evaluation`` attached to a function. Other objects are not asked, since some invent attributes."""
    if isinstance(obj, types.MethodType):
        obj = obj.__func__
    return obj.__dict__.get(_ATTRIBUTE) if isinstance(obj, types.FunctionType) else None


def _declared_by(item: pytest.Item | None) -> Evaluation | None:
    return declaration(getattr(item, "obj", None))


def _paths(config: pytest.Config) -> tuple[str, ...]:
    """The files and folders that pytest collects, relative to its rootdir, without the names of tests."""
    folder = config.invocation_params.dir
    found = (os.path.relpath(folder / argument.split("::")[0], config.rootpath) for argument in config.args)
    return tuple(dict.fromkeys(path.replace(os.sep, "/") for path in found))


class EvaluationPlugin:
    """The evaluations of one pytest session: runs them, and reports at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.worker: dict[str, Any] | None = getattr(config, "workerinput", None)
        """What pytest-xdist's controller sent to this worker; None in any other process."""
        self.session: Session | None = None
        self.reports: Reports | None = None
        self.order: list[str] = []
        """The node ids of the suite, in its order."""
        self.tally = SessionTally()
        self.ending = Ending(config)
        self.deselected = 0
        """Evaluations that an option of pytest left out."""
        self.upcoming: pytest.Item | None = None
        self.plan = ""
        """The text of ``--plan``."""
        self.messages: list[str] = []
        """Lines that a worker shows when it ends."""

    def start(self) -> Session:
        """The session of evaluations, made on the first call."""
        if self.session is None:
            from distilltest.pytest_plugin.run_ids import new_run_id
            from distilltest.pytest_plugin.session import Options, Session, command_line

            option = self.config.option
            models = {role: getattr(option, role) for role in ("base", "teacher", "candidate") if getattr(option, role)}
            self.session = Session(
                root=self.config.rootpath,
                options=Options(
                    models=models,
                    limit=option.limit,
                    tags=tuple(option.tag),
                    case_ids=tuple(option.case),
                    fresh=option.fresh,
                    offline=option.offline,
                    stop_early=option.stop_early,
                    without_leaked=option.without_leaked,
                ),
                command=command_line(self.config.invocation_params.args),
                paths=_paths(self.config),
                run_id=self.worker["distilltest_run"] if self.worker else new_run_id(),
                share=self.worker["workercount"] if self.worker else 1,
                narrowed=self.narrowed,
                say=self.say,
            )
        return self.session

    def say(self, line: str) -> None:
        """Show a line; a worker's is shown when the worker ends."""
        from distilltest.pytest_plugin.progress import write_line

        if self.worker is None:
            write_line(self.config.pluginmanager, line)
        else:
            self.messages.append(line)

    def not_judged(self, item: pytest.Item) -> None:
        """Note that an evaluation is skipped because no judge is configured; such a run does not promote."""
        item.user_properties.append((STATUS, fixtures.NOT_JUDGED))

    def narrowed(self) -> str | None:
        """Why this session does not run every evaluation, None if it does.

        ``-m`` counts only if it left evaluations out: many projects have "not slow" in ``addopts``.
        """
        option = self.config.option
        if option.keyword:
            return f"-k {option.keyword!r}"
        if self.deselected and option.markexpr:
            return f"-m {option.markexpr!r}"
        return f"{self.deselected} evaluations deselected" if self.deselected else None

    def evaluates(self) -> bool:
        """Whether the suite has evaluations, as far as the controller of workers can tell from the files."""
        return any(map(self.may_hold, {name.partition("::")[0] for name in self.order}))

    def may_hold(self, name: str) -> bool:
        """Whether a test file may hold an evaluation: such a file names distilltest, at least to import it."""
        path = self.config.rootpath / name
        return path.is_file() and b"distilltest" in path.read_bytes()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember the order of the suite."""
        self.order = [item.nodeid for item in session.items]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count modules that could not be collected: they may hold evaluations."""
        self.tally.uncollected += report.failed

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Count evaluations that an option of pytest left out."""
        self.deselected += sum(_declared_by(item) is not None for item in items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """With ``--plan``, estimate each evaluation and run no test."""
        if not self.config.option.plan:
            return None
        if session.testsfailed:
            raise session.Interrupted(f"{session.testsfailed} errors during collection")
        self.ending.attempt(lambda: self._estimate(session.items))
        # A failed test is pytest's way to an exit code other than 0; pytest_sessionfinish replaces the code.
        session.testsfailed += self.ending.error is not None
        return True

    def _estimate(self, items: Sequence[pytest.Item]) -> None:
        from distilltest.reporting.plan import render

        plans = []
        for item in items:
            declared = _declared_by(item)
            if declared is not None:
                judged = len(set(getattr(item, "fixturenames", ())) & set(fixtures.JUDGED))
                plans.append(self.start().estimate(item.nodeid, declared, judged))
        if plans:
            self.plan = render(plans, self.start().config.budget_usd)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Remember the next item: its requests go out while this one is graded."""
        self.upcoming = nextitem

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Run an evaluation: one item, one verdict."""
        declared = _declared_by(pyfuncitem)
        if declared is None:
            return None
        from distilltest.pytest_plugin.item import run

        following = _declared_by(self.upcoming)
        run(self, pyfuncitem, declared, (self.upcoming.nodeid, following) if self.upcoming and following else None)
        return True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Mark an evaluation that failed without a verdict; a worker's reports carry the mark to the controller.

        distilltest's own errors, such as one from a judge's fixture, are shown without a traceback.
        """
        report = yield
        errors = sys.modules.get("distilltest.errors")
        if report.failed and errors is not None and call.excinfo is not None:
            error = call.excinfo.value
            if isinstance(error, errors.DistilltestError):
                report.longrepr = str(error)
        if _declared_by(item) is not None:
            from distilltest.pytest_plugin.captured import show_safely

            if report.failed and STATUS not in dict(report.user_properties):
                report.user_properties.append((STATUS, ERROR))
            show_safely(report)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test's result; with ``-v``, show a line for each role of an evaluation."""
        reporter = self.config.pluginmanager.getplugin("terminalreporter")
        if self.tally.note(report, self.may_hold) and reporter is not None and self.config.option.verbose > 0:
            reporter.ensure_newline()
            for line in str(dict(report.user_properties).get(ROLES, "")).splitlines():
                reporter.write_line(f"    {line}")  # already filtered

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports and set the exit code; an error in printing cannot prevent either."""
        if self.worker is not None:
            self._finish_worker()
        elif self.tally.anything or self.ending.error:
            tally = self.tally
            if tally.verdicts or tally.unjudged:
                unfinished = tally.unfinished(session) or ("a report could not be made" if self.ending.bug else None)
                judged = [name for name, verdict in tally.verdicts.items() if verdict != "incomplete"]
                self.reports = self.ending.attempt(
                    lambda: self.start().finish(self.order, unfinished, tally.unjudged, judged)
                )
                self.ending.broken(self.reports.broken if self.reports else ())
            self.ending.attempt(self.start().close)
            if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
                session.exitstatus = tally.exit_code(
                    int(session.exitstatus), self.ending.error is not None, self.ending.bug
                )

    def _finish_worker(self) -> None:
        """Send the controller what it needs for the reports."""
        output: dict[str, Any] = self.config.workeroutput  # type: ignore[attr-defined]
        output["distilltest_said"] = self.messages
        if self.session is not None:
            self.ending.attempt(self.session.close)
            if self.session.sent_anything:
                output["distilltest_counts"] = self.session.engine.counts.to_json()
        output.update(self.ending.to_output())
        self.ending.over = True

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the comparison and the verdict."""
        if not (self.ending.interrupted or self.ending.error or self.plan or self.reports):
            return
        from distilltest.pytest_plugin.captured import conclusion, section

        if self.ending.interrupted:
            section(terminalreporter, f"Interrupted. {self.ending.resume()}", yellow=True)
        if self.ending.error:
            section(terminalreporter, self.ending.error, red=True)
        if self.plan:
            section(terminalreporter, self.plan, bold=True)
        if self.reports is not None:
            folder = self.start().config.reports_dir / self.reports.run.info.id
            section(terminalreporter, conclusion(self.reports, folder, self.config.rootpath), bold=True)

    @pytest.hookimpl(wrapper=True)
    def pytest_unconfigure(self) -> Generator[None]:
        """Stop calls in flight, keep the responses that arrived, and restore the signal handlers."""
        try:
            return (yield)
        finally:
            if self.session is not None:
                self.ending.attempt(self.session.close)
            self.ending.leave()
