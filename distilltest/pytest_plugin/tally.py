"""The results of a session's tests, and the exit code that follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from distilltest.exit_codes import COULD_NOT_RUN, INCOMPLETE, INTERNAL_ERROR, OF_VERDICT
from distilltest.pytest_plugin import fixtures

STATUS = "distilltest_verdict"
"""The user property of a test report that has the item's verdict; JUnit files have it too."""
ROLES = "distilltest_roles"
"""The user property with a line for each role, for ``-v``."""
ERROR = "error"
"""Its value for an evaluation that could not reach a verdict."""
_CRASHED = "???"
"""The phase in pytest-xdist's report of a test whose worker died."""


@dataclass
class SessionTally:
    """Verdicts, evaluations without one, and other failures."""

    verdicts: dict[str, str] = field(default_factory=dict)
    """Node id → verdict."""
    unjudged: list[str] = field(default_factory=list)
    """Evaluations that were skipped because no judge is configured."""
    broken: set[str] = field(default_factory=set)
    """Evaluations that could not run, or whose fixtures failed afterwards."""
    uncollected: int = 0
    """Modules that could not be collected: they may hold evaluations."""
    other_failures: int = 0
    """Ordinary tests that failed."""

    @property
    def anything(self) -> bool:
        """Whether the session had an evaluation."""
        return bool(self.verdicts or self.unjudged or self.broken)

    def note(self, report: pytest.TestReport, may_hold: Callable[[str], bool]) -> bool:
        """Count a test's report, and return whether it has a verdict.

        Args:
            report: From this process or from a worker.
            may_hold: Whether a test file may hold an evaluation; the report of a worker that died does not tell.
        """
        status = dict(report.user_properties).get(STATUS)
        if report.skipped and status == fixtures.NOT_JUDGED:
            self.unjudged.append(report.nodeid)
        elif report.failed and status is not None and (report.when != "call" or status == ERROR):
            self.broken.add(report.nodeid)
        elif report.when == "call" and status is not None:
            self.verdicts[report.nodeid] = str(status)
            return True
        elif report.when == _CRASHED and may_hold(report.nodeid.partition("::")[0]):
            self.broken.add(report.nodeid)
        elif report.failed:
            self.other_failures += 1
        return False

    def unfinished(self, session: pytest.Session) -> str | None:
        """Why evaluations may be without a verdict, None if all have one."""
        if session.exitstatus == pytest.ExitCode.INTERRUPTED or session.shouldstop or session.shouldfail:
            return "the session was stopped before its end"
        without = self.other_failures + len(self.broken) + self.uncollected
        if without:
            return f"{without} tests failed or errored without a verdict"
        if self.unjudged:
            return f"{len(self.unjudged)} evaluations were not judged, because no judge is configured"
        return None

    def exit_code(self, exitstatus: int, error: bool, bug: bool) -> int:
        """The session's exit code: pytest's own 1 if a candidate is blocked or another test failed, else why it does not promote.

        Args:
            exitstatus: pytest's own exit code.
            error: Whether something failed at the end of the session.
            bug: Whether that was a bug in distilltest, such as a report that could not be made.
        """
        verdicts = self.verdicts.values()
        if self.other_failures or "block" in verdicts:
            return exitstatus
        if bug:
            return INTERNAL_ERROR
        if self.broken or self.uncollected or error:
            return COULD_NOT_RUN
        if self.unjudged:
            return INCOMPLETE
        return next((code for verdict, code in OF_VERDICT.items() if verdict in verdicts), 0) or exitstatus
