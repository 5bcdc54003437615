"""pytest's hooks, each a line or two into the session of evaluations.

Inert until an evaluation is collected: nothing else of distilltest is imported before.

There is no assert here to explain, so pytest need not rewrite it: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import inspect
import os
import sys
import types
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from distilltest.pytest_plugin import fixtures
from distilltest.pytest_plugin.ending import Ending
from distilltest.pytest_plugin.options import add_options
from distilltest.pytest_plugin.tally import ERROR, STATUS, SessionTally

if TYPE_CHECKING:
    from distilltest.evaluations.declaration import Evaluation
    from distilltest.pytest_plugin.session import Session
    from distilltest.reporting.formats import Reports
    from distilltest.reporting.report import EvaluationReport

globals().update(
    {name: getattr(fixtures, name) for name in ("case", "completion", *fixtures.GRADERS)}
)  # pytest looks here

_ATTRIBUTE = "__distilltest_evaluation__"
_ROLES = "distilltest_roles"
"""The user property with a line for each role, for -v."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """A plan is made by one process: pytest-xdist's workers are not needed."""
    if config.option.plan and hasattr(config.option, "numprocesses"):
        config.option.numprocesses, config.option.dist, config.option.tx = None, "no", []


def pytest_configure(config: pytest.Config) -> None:
    """Register what keeps this session's evaluations together."""
    config.pluginmanager.register(EvaluationPlugin(config), "distilltest-session")


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, name: str, obj: object) -> None:
    """Complain of an evaluation that cannot work when it is collected, without a traceback."""
    declared = _evaluation(obj)
    if declared is not None:
        from distilltest.errors import SuiteError
        from distilltest.untrusted.edges import shown

        try:
            declared.check(f"{collector.nodeid}::{name}")
        except SuiteError as error:
            raise collector.CollectError(shown(str(error))) from None


def _evaluation(obj: object) -> Evaluation | None:
    """What ``@evaluation`` put on a function; never asks objects that make up attributes."""
    if isinstance(obj, types.MethodType):
        obj = obj.__func__
    return obj.__dict__.get(_ATTRIBUTE) if isinstance(obj, types.FunctionType) else None


def _paths(config: pytest.Config) -> tuple[str, ...]:
    """What pytest was asked to collect, relative to its rootdir, without the names of tests."""
    folder = config.invocation_params.dir
    found = (os.path.relpath(folder / argument.split("::")[0], config.rootpath) for argument in config.args)
    return tuple(dict.fromkeys(path.replace(os.sep, "/") for path in found))


class EvaluationPlugin:
    """One pytest session's evaluations: runs them, and says at the end what came of them."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.worker: dict[str, Any] | None = getattr(config, "workerinput", None)
        self.session: Session | None = None
        self.reports: Reports | None = None
        self.order: list[str] = []
        self.tally = SessionTally()
        self.ending = Ending(config)
        self.deselected = 0
        self.upcoming: pytest.Item | None = None
        self.planned = ""
        self.said: list[str] = []

    def start(self) -> Session:
        """The session of evaluations, made when the first one is about to run."""
        if self.session is None:
            from distilltest.pytest_plugin.session import Options, Session, command_line, new_run_id

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
            self.said.append(line)

    def not_judged(self, item: pytest.Item) -> None:
        """An evaluation is about to be skipped for want of a judge: the report says so, and the run does not promote."""
        item.user_properties.append((STATUS, fixtures.NOT_JUDGED))

    def narrowed(self) -> str | None:
        """Why this pytest session does not run every evaluation, None where it does.

        An expression for marks often stands in a project's ``addopts`` ("not slow"): it narrows only if it left evaluations out.
        """
        option = self.config.option
        if option.keyword:
            return f"-k {option.keyword!r}"
        if self.deselected and option.markexpr:
            return f"-m {option.markexpr!r}"
        return f"{self.deselected} evaluations deselected" if self.deselected else None

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Count evaluations that somebody left out."""
        self.deselected += sum(_evaluation(getattr(item, "obj", None)) is not None for item in items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """With --plan, no test runs: each evaluation is estimated."""
        if not self.config.option.plan:
            return None
        if session.testsfailed:
            raise session.Interrupted(f"{session.testsfailed} errors during collection")
        from distilltest.reporting.plan import render

        def plan() -> None:
            plans = []
            for item in session.items:
                declared = _evaluation(getattr(item, "obj", None))
                if declared is not None:
                    judged = len(set(getattr(item, "fixturenames", ())) & set(fixtures.JUDGED))
                    plans.append(self.start().estimate(item.nodeid, declared, judged))
            if plans:
                self.planned = render(plans, self.start().config.budget_usd)

        self.ending.attempt(plan)
        session.testsfailed += (
            self.ending.error is not None
        )  # pytest's way to an exit code that is not 0; ours replaces it
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Remember what comes next: its requests go out while this item is graded."""
        self.upcoming = nextitem

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Run an evaluation: one item, one verdict."""
        declared = _evaluation(pyfuncitem.obj)
        if declared is None:
            return None
        from distilltest.errors import DistilltestError, StoreError
        from distilltest.evaluations.grading import BoundBody
        from distilltest.process.interruption import TimeIsUp

        body = declared.body if pyfuncitem.instance is None else types.MethodType(declared.body, pyfuncitem.instance)
        arguments = {
            name: pyfuncitem.funcargs[name]
            for name in inspect.signature(body).parameters
            if name in pyfuncitem.funcargs
        }
        following = _evaluation(getattr(self.upcoming, "obj", None))
        upcoming = (self.upcoming.nodeid, following) if self.upcoming is not None and following else None
        problem = ""
        interruption = self.ending.interruptible(self.worker is not None)
        progress, when = self.progress(pyfuncitem.nodeid), "before it began"
        try:
            with interruption.exposed(), progress:
                if self.ending.store_failed:
                    raise StoreError(self.ending.store_failed)
                if self.ending.left() == 0:
                    raise TimeIsUp
                when = "before an answer was graded"
                report = self.start().evaluate(
                    pyfuncitem.nodeid, declared, BoundBody.of(body, pyfuncitem.name, arguments), progress, upcoming
                )
        except DistilltestError as error:
            problem = str(error)
            if isinstance(error, StoreError):
                self.ending.store_failed = problem
                self.ending.attempt(self.start().stop)  # what cannot be kept must not be paid for
        except TimeIsUp:
            self.ending.attempt(self.start().stop)
            pyfuncitem.user_properties.append((STATUS, "incomplete"))
            if progress.done:
                when = f"when {progress.done} of {progress.total} answers were graded"
            problem = (
                f"incomplete: the time limit of {self.config.option.time_limit} was over {when}. {self.ending.resume()}"
            )
        except KeyboardInterrupt:
            self.ending.interrupted = True
            self.ending.attempt(self.start().stop if self.worker is None else self.start().close)
            raise
        except pytest.skip.Exception as error:
            problem = (
                f"{pyfuncitem.name} called pytest.skip({str(error)!r}) in its body; a skipped case would look like a pass. "
                "Leave cases out of the dataset, or skip the whole evaluation with a mark."
            )
        if problem:  # outside of except, or pytest would show both exceptions
            pytest.fail(problem, pytrace=False)
        self._note(pyfuncitem, report)
        if report.verdict.status != "promote":
            from distilltest.reporting import terminal

            said = self.ending.attempt(lambda: terminal.failure(report))
            pytest.fail(said or report.verdict.sentence, pytrace=False)
        return True

    def evaluates(self) -> bool:
        """Whether this session is about evaluations, as far as the controller of workers can know it: by the tests' files."""
        return any(map(self.may_hold, {name.partition("::")[0] for name in self.order}))

    def may_hold(self, name: str) -> bool:
        """Whether a file of tests may hold an evaluation: one names distilltest, if only to import it."""
        path = self.config.rootpath / name
        return path.is_file() and b"distilltest" in path.read_bytes()

    def _note(self, item: pytest.Function, report: EvaluationReport) -> None:
        from distilltest.reporting import terminal

        item.user_properties.append((STATUS, report.verdict.status.value))
        lines = self.ending.attempt(lambda: terminal.role_lines(report)) or []
        item.user_properties.append((_ROLES, "\n".join(lines)))

    def progress(self, title: str) -> Any:
        """A bar on a terminal, a line now and then in a log, nothing in a worker or with -q."""
        from distilltest.pytest_plugin.progress import PytestProgress

        reporter = self.config.pluginmanager.getplugin("terminalreporter")
        quiet = reporter is None or self.worker is not None or self.config.option.verbose < 0
        return PytestProgress(title, None if quiet else self.config.pluginmanager.getplugin("capturemanager"), quiet)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Mark an evaluation that failed without a verdict; a worker's reports carry the mark to the controller.

        Errors of ours, say from the fixture of a judge, are shown without the way through our code.
        """
        report = yield
        errors = sys.modules.get("distilltest.errors")
        if report.failed and errors is not None and call.excinfo is not None:
            error = call.excinfo.value
            if isinstance(error, errors.DistilltestError):
                report.longrepr = str(error)
        if _evaluation(getattr(item, "obj", None)) is not None:
            from distilltest.pytest_plugin.captured import show_safely

            if report.failed and STATUS not in dict(report.user_properties):
                report.user_properties.append((STATUS, ERROR))
            show_safely(report)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect verdicts, evaluations without one, and failures that are none of ours; with -v, say how each role did."""
        reporter = self.config.pluginmanager.getplugin("terminalreporter")
        if self.tally.note(report, self.may_hold) and reporter is not None and self.config.option.verbose > 0:
            reporter.ensure_newline()
            for line in str(dict(report.user_properties).get(_ROLES, "")).splitlines():
                reporter.write_line(f"    {line}")  # filtered where it was made

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count modules that could not be collected: they may hold evaluations."""
        self.tally.uncollected += report.failed

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports and say the exit code; nothing about printing can skip this."""
        if self.worker is not None:
            output: dict[str, Any] = self.config.workeroutput  # type: ignore[attr-defined]
            output["distilltest_said"] = self.said
            if self.session is not None:
                self.ending.attempt(self.session.close)
                if self.session.sent_anything:
                    output["distilltest_counts"] = self.session.engine.counts.to_json()
            output.update(self.ending.to_output())
            self.ending.over = True
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

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the comparison and the verdict."""
        if not (self.ending.interrupted or self.ending.error or self.planned or self.reports):
            return
        from distilltest.pytest_plugin.captured import conclusion, section

        if self.ending.interrupted:
            section(terminalreporter, f"Interrupted. {self.ending.resume()}", yellow=True)
        if self.ending.error:
            section(terminalreporter, self.ending.error, red=True)
        if self.planned:
            section(terminalreporter, self.planned, bold=True)
        if self.reports is not None:
            folder = self.start().config.reports_dir / self.reports.run.info.id
            section(terminalreporter, conclusion(self.reports, folder, self.config.rootpath), bold=True)

    @pytest.hookimpl(wrapper=True)
    def pytest_unconfigure(self) -> Generator[None]:
        """Stop what still runs, keep what arrived."""
        try:
            return (yield)
        finally:
            if self.session is not None:
                self.ending.attempt(self.session.close)
            self.ending.leave()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember the order of the suite."""
        self.order = [item.nodeid for item in session.items]

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """The same, where the workers collect; from here on the controller ends in order, too."""
        self.order = list(ids)
        self.ending.control(self.evaluates)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Let pytest-xdist's workers record into one run."""
        node.workerinput["distilltest_run"] = self.start().run_id

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add up what a worker sent, and show what it said."""
        for line in getattr(node, "workeroutput", {}).get("distilltest_said", ()):
            self.say(line)
        output = getattr(node, "workeroutput", {})
        self.ending.take(output)
        counts = output.get("distilltest_counts")
        if counts:
            from distilltest.completions.engine import Counts
            from distilltest.data.stored import restore

            self.start().counts.append(restore(Counts, counts))
