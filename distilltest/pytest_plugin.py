"""pytest's hooks, each a line or two into the session of evaluations.

Inert until an evaluation is collected: nothing else of distilltest is imported before.
"""

from __future__ import annotations

import inspect
import os
import time
import types
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from distilltest import fixtures
from distilltest.exit_codes import COULD_NOT_RUN, INCOMPLETE, UNDECIDED

if TYPE_CHECKING:
    from distilltest.evaluations.declaration import Evaluation
    from distilltest.interruption import Interruption
    from distilltest.reporting.report import EvaluationReport, RunReport
    from distilltest.session import Session

T = TypeVar("T")

globals().update(
    {name: getattr(fixtures, name) for name in ("case", "completion", *fixtures.GRADERS)}
)  # pytest looks here

_ATTRIBUTE = "__distilltest_evaluation__"
_STATUS = "distilltest_verdict"
"""The user property of a test report that says an item's verdict; JUnit files carry it too."""
_ERROR = "error"
"""What stands there for an evaluation that came to no verdict, because something that it needs is broken."""
_CRASHED = "???"
"""What pytest-xdist's report of a test says of the phase in which its worker died."""
_ROLES = "distilltest_roles"
"""The user property with a line for each role, for -v."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("distilltest", "evaluations of models (distilltest)")
    group.addoption("--candidate", metavar="MODEL", help="the fine-tune on trial, instead of the configured one")
    group.addoption("--base", metavar="MODEL", help="the untuned student, instead of the configured one")
    group.addoption("--teacher", metavar="MODEL", help="the teacher, instead of the configured one")
    group.addoption("--limit", metavar="N", type=_positive, help="only the first N cases; such a run never promotes")
    group.addoption(
        "--tag", metavar="TAG", action="append", default=[], help="only cases with this tag; may be repeated"
    )
    group.addoption(
        "--case", metavar="ID", action="append", default=[], help="only the case with this id; may be repeated"
    )
    group.addoption(
        "--plan", action="store_true", help="send nothing: say what the evaluations will cost and what they can show"
    )
    group.addoption(
        "--stop-early",
        action="store_true",
        help="look at a quarter, half and three quarters of the cases, and stop when decided",
    )
    group.addoption("--without-leaked", action="store_true", help="leave out cases that the candidate was trained on")
    group.addoption(
        "--time-limit",
        metavar="TIME",
        type=_duration,
        help="stop evaluating after 90s, 10m or 1h30m; what has no verdict then is incomplete, and running again goes on",
    )
    group.addoption("--fresh", action="store_true", help="ask again, whatever the store has")
    group.addoption("--offline", action="store_true", help="send nothing: only completions that the store has")


def _positive(text: str) -> int:
    import argparse

    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of cases; give a whole number from 1")
    return int(text)


def _duration(text: str) -> str:
    from distilltest.interruption import duration

    return duration(text)


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
        from distilltest.edges import shown
        from distilltest.errors import SuiteError

        try:
            declared.check(f"{collector.nodeid}::{name}")
        except SuiteError as error:
            raise collector.CollectError(shown(str(error))) from None


def _evaluation(obj: object) -> Evaluation | None:
    """What ``@evaluation`` put on a function; never asks objects that make up attributes."""
    if isinstance(obj, types.MethodType):
        obj = obj.__func__
    return obj.__dict__.get(_ATTRIBUTE) if isinstance(obj, types.FunctionType) else None


def _channel(config: pytest.Config) -> Any:
    """The channel from a worker of pytest-xdist to its controller, None where there is none of a kind that we know."""
    plugins = config.pluginmanager.get_plugins()
    return next((plugin.channel for plugin in plugins if hasattr(getattr(plugin, "channel", None), "waitclose")), None)


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
        self.report: RunReport | None = None
        self.order: list[str] = []
        self.verdicts: dict[str, str] = {}
        self.unjudged: list[str] = []
        self.broken: set[str] = set()
        """Evaluations that could not run, or whose fixtures failed afterwards."""
        self.uncollected = 0
        self.other_failures = 0
        self.deselected = 0
        self.upcoming: pytest.Item | None = None
        self.planned = ""
        self.error: str | None = None
        self.interrupted = False
        self.began = time.monotonic()
        self.interruption: Interruption | None = None
        self.store_failed = ""
        """What was wrong with the store; nothing more is asked then."""
        self.over = False
        """Whether this session has done its work: a controller that goes now was waited for by nobody."""
        self.said: list[str] = []

    def start(self) -> Session:
        """The session of evaluations, made when the first one is about to run."""
        if self.session is None:
            from distilltest.session import Options, Session, command_line, new_run_id

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
        from distilltest.progress import write_line

        if self.worker is None:
            write_line(self.config.pluginmanager, line)
        else:
            self.said.append(line)

    def not_judged(self, item: pytest.Item) -> None:
        """An evaluation is about to be skipped for want of a judge: the report says so, and the run does not promote."""
        item.user_properties.append((_STATUS, fixtures.NOT_JUDGED))

    def narrowed(self) -> str | None:
        """Why this pytest session does not run every evaluation, None where it does."""
        option = self.config.option
        if option.keyword:
            return f"-k {option.keyword!r}"
        if option.markexpr:
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

        self.attempt(plan)
        session.testsfailed += self.error is not None  # pytest's way to an exit code that is not 0; ours replaces it
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
        from distilltest.grading import BoundBody
        from distilltest.interruption import TimeIsUp
        from distilltest.reporting import terminal

        body = declared.body if pyfuncitem.instance is None else types.MethodType(declared.body, pyfuncitem.instance)
        arguments = {
            name: pyfuncitem.funcargs[name]
            for name in inspect.signature(body).parameters
            if name in pyfuncitem.funcargs
        }
        following = _evaluation(getattr(self.upcoming, "obj", None))
        upcoming = (self.upcoming.nodeid, following) if self.upcoming is not None and following else None
        problem = ""
        interruption, progress, when = self.interruptible(), self.progress(pyfuncitem.nodeid), "before it began"
        try:
            with interruption.exposed(), progress:
                if self.store_failed:
                    raise StoreError(self.store_failed)
                if self.left() == 0:
                    raise TimeIsUp
                when = "before an answer was graded"
                report = self.start().evaluate(
                    pyfuncitem.nodeid, declared, BoundBody.of(body, pyfuncitem.name, arguments), progress, upcoming
                )
        except DistilltestError as error:
            problem = str(error)
            if isinstance(error, StoreError):
                self.store_failed = problem
                self.attempt(self.start().stop)  # what cannot be kept must not be paid for
        except TimeIsUp:
            self.attempt(self.start().stop)
            pyfuncitem.user_properties.append((_STATUS, "incomplete"))
            if progress.done:
                when = f"when {progress.done} of {progress.total} answers were graded"
            problem = f"incomplete: the time limit of {self.config.option.time_limit} was over {when}. {self.resume()}"
        except KeyboardInterrupt:
            self.interrupted = True
            self.attempt(self.start().stop if self.worker is None else self.start().close)
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
            pytest.fail(terminal.failure(report), pytrace=False)
        return True

    def interruptible(self) -> Interruption:
        """What turns signals, the time limit and a controller that dies into an orderly end, from the first evaluation on."""
        if self.interruption is None:
            from distilltest.interruption import Interruption, watch

            self.interruption = Interruption(code=int(pytest.ExitCode.INTERRUPTED))
            self.interruption.enter()
            left = self.left()
            if left:
                self.interruption.limit(left)
            if self.worker is not None:
                watch(self.interruption, _channel(self.config), lambda: self.over)
        return self.interruption

    def left(self) -> float | None:
        """Seconds until the time limit, None without one."""
        limit = self.config.option.time_limit
        if limit is None:
            return None
        from distilltest.interruption import seconds_of

        return max(0.0, self.began + seconds_of(limit) - time.monotonic())

    def evaluates(self) -> bool:
        """Whether this session is about evaluations, as far as the controller of workers can know it: by the tests' files."""
        return any(map(self.may_hold, {name.partition("::")[0] for name in self.order}))

    def may_hold(self, name: str) -> bool:
        """Whether a file of tests may hold an evaluation: one names distilltest, if only to import it."""
        path = self.config.rootpath / name
        return path.is_file() and b"distilltest" in path.read_bytes()

    def resume(self) -> str:
        """What is true of a run that was stopped."""
        if self.error or self.store_failed:
            return "Not everything that had arrived could be stored."
        return "Every response that had arrived is in the store: the same command asks only for what is missing."

    def _note(self, item: pytest.Function, report: EvaluationReport) -> None:
        from distilltest.reporting import terminal

        item.user_properties.append((_STATUS, report.verdict.status.value))
        item.user_properties.append((_ROLES, "\n".join(terminal.role_lines(report))))

    def progress(self, title: str) -> Any:
        """A bar on a terminal, a line now and then in a log, nothing in a worker or with -q."""
        from distilltest.progress import PytestProgress

        reporter = self.config.pluginmanager.getplugin("terminalreporter")
        quiet = reporter is None or self.worker is not None or self.config.option.verbose < 0
        return PytestProgress(title, None if quiet else self.config.pluginmanager.getplugin("capturemanager"), quiet)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Mark an evaluation that failed without a verdict; a worker's reports carry the mark to the controller."""
        report = yield
        if _evaluation(getattr(item, "obj", None)) is not None:
            from distilltest.captured import show_safely

            if report.failed and _STATUS not in dict(report.user_properties):
                report.user_properties.append((_STATUS, _ERROR))
            show_safely(report)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect verdicts, evaluations without one, and failures that are none of ours."""
        properties = dict(report.user_properties)
        if report.skipped and properties.get(_STATUS) == fixtures.NOT_JUDGED:
            self.unjudged.append(report.nodeid)
        elif report.failed and _STATUS in properties and (report.when != "call" or properties[_STATUS] == _ERROR):
            self.broken.add(report.nodeid)
        elif report.when == "call" and _STATUS in properties:
            self.verdicts[report.nodeid] = str(properties[_STATUS])
            reporter = self.config.pluginmanager.getplugin("terminalreporter")
            if reporter is not None and self.config.option.verbose > 0:
                reporter.ensure_newline()
                for line in str(properties[_ROLES]).splitlines():
                    reporter.write_line(f"    {line}")  # filtered where it was made
        elif report.when == _CRASHED and self.may_hold(report.nodeid.partition("::")[0]):
            self.broken.add(report.nodeid)
        elif report.failed:
            self.other_failures += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count modules that could not be collected: they may hold evaluations."""
        self.uncollected += report.failed

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports and say the exit code; nothing about printing can skip this."""
        if self.worker is not None:
            output: dict[str, Any] = self.config.workeroutput  # type: ignore[attr-defined]
            output["distilltest_said"] = self.said
            if self.session is not None:
                self.attempt(self.session.close)
                if self.session.sent_anything:
                    output["distilltest_counts"] = self.session.engine.counts.to_json()
            output["distilltest_error"] = self.error
            output["distilltest_interrupted"] = self.interrupted
            output["distilltest_store_failed"] = self.store_failed
            self.over = True
        elif self.verdicts or self.unjudged or self.broken or self.error:
            if self.verdicts or self.unjudged:
                unfinished = self.unfinished(session)
                judged = [name for name, verdict in self.verdicts.items() if verdict != "incomplete"]
                self.report = self.attempt(lambda: self.start().finish(self.order, unfinished, self.unjudged, judged))
            self.attempt(self.start().close)
            if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
                session.exitstatus = self.exit_code(int(session.exitstatus))

    def attempt(self, action: Callable[[], T]) -> T | None:
        """Do something at the session's end, where pytest would show a traceback: what goes wrong is kept to be shown."""
        from distilltest.errors import DistilltestError, unexpected

        try:
            return action()
        except DistilltestError as error:
            self.error = self.error or str(error)
        except Exception as error:
            self.error = self.error or unexpected(error)
        return None

    def unfinished(self, session: pytest.Session) -> str | None:
        """Why there may be evaluations without a verdict, None where there are none."""
        if session.exitstatus == pytest.ExitCode.INTERRUPTED or session.shouldstop or session.shouldfail:
            return "the session was stopped before its end"
        without = self.other_failures + len(self.broken) + self.uncollected
        if without:
            return f"{without} tests failed or errored without a verdict"
        if self.unjudged:
            return f"{len(self.unjudged)} evaluations were not judged, because no judge is configured"
        return None

    def exit_code(self, exitstatus: int) -> int:
        """Blocked is pytest's own 1, as is any other failing test; if there is neither, say what else kept it from promoting."""
        verdicts = self.verdicts.values()
        if self.other_failures or "block" in verdicts:
            return exitstatus
        if self.broken or self.uncollected or self.error:
            return COULD_NOT_RUN
        if "incomplete" in verdicts or self.unjudged:
            return INCOMPLETE
        return UNDECIDED if "undecided" in verdicts else exitstatus

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the comparison and the verdict."""
        if not (self.interrupted or self.error or self.planned or self.report):
            return
        from distilltest.captured import conclusion, section

        if self.interrupted:
            section(terminalreporter, f"Interrupted. {self.resume()}", yellow=True)
        if self.error:
            section(terminalreporter, self.error, red=True)
        if self.planned:
            section(terminalreporter, self.planned, bold=True)
        if self.report is not None:
            folder = self.start().config.reports_dir / self.report.info.id
            section(terminalreporter, conclusion(self.report, folder, self.config.rootpath), bold=True)

    @pytest.hookimpl(wrapper=True)
    def pytest_unconfigure(self) -> Generator[None]:
        """Stop what still runs, keep what arrived."""
        try:
            return (yield)
        finally:
            if self.session is not None:
                self.attempt(self.session.close)
            if self.interruption is not None:
                self.interruption.leave()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember the order of the suite."""
        self.order = [item.nodeid for item in session.items]

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """The same, where the workers collect; from here on the controller ends in order, too."""
        self.order = list(ids)
        if self.interruption is None:
            from distilltest.interruption import Interruption

            self.interruption = Interruption(code=int(pytest.ExitCode.INTERRUPTED), wanted=self.evaluates)
            self.interruption.enter()

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
        self.error = self.error or output.get("distilltest_error")
        self.interrupted = self.interrupted or output.get("distilltest_interrupted", False)
        self.store_failed = self.store_failed or output.get("distilltest_store_failed", "")
        counts = output.get("distilltest_counts")
        if counts:
            from distilltest.engine import Counts
            from distilltest.stored import restore

            self.start().counts.append(restore(Counts, counts))
