"""What came of a session's tests, and the exit code that says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from distilltest.exit_codes import COULD_NOT_RUN, INCOMPLETE, INTERNAL_ERROR, OF_VERDICT
from distilltest.pytest_plugin import fixtures

STATUS = "distilltest_verdict"
"""The user property of a test report that says an item's verdict; JUnit files carry it too."""
ERROR = "error"
"""What stands there for an evaluation that came to no verdict, because something that it needs is broken."""
_CRASHED = "???"
"""What pytest-xdist's report of a test says of the phase in which its worker died."""


@dataclass
class SessionTally:
    """Verdicts, evaluations without one, and what else failed."""

    verdicts: dict[str, str] = field(default_factory=dict)
    """Node id → verdict."""
    unjudged: list[str] = field(default_factory=list)
    """Evaluations that were left out for want of a judge."""
    broken: set[str] = field(default_factory=set)
    """Evaluations that could not run, or whose fixtures failed afterwards."""
    uncollected: int = 0
    """Modules that could not be collected: they may hold evaluations."""
    other_failures: int = 0
    """Ordinary tests that failed."""

    @property
    def anything(self) -> bool:
        """Whether there was an evaluation."""
        return bool(self.verdicts or self.unjudged or self.broken)

    def note(self, report: pytest.TestReport, may_hold: Callable[[str], bool]) -> bool:
        """Take a test's report; whether it brought a verdict.

        Args:
            report: From this process or from a worker.
            may_hold: Whether a file of tests may hold an evaluation; a worker that died did not say what it was running.
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
        """Why there may be evaluations without a verdict, None where there are none."""
        if session.exitstatus == pytest.ExitCode.INTERRUPTED or session.shouldstop or session.shouldfail:
            return "the session was stopped before its end"
        without = self.other_failures + len(self.broken) + self.uncollected
        if without:
            return f"{without} tests failed or errored without a verdict"
        if self.unjudged:
            return f"{len(self.unjudged)} evaluations were not judged, because no judge is configured"
        return None

    def exit_code(self, exitstatus: int, error: bool, bug: bool) -> int:
        """Blocked is pytest's own 1, as is any other failing test; if there is neither, say what else kept it from promoting.

        Args:
            exitstatus: pytest's own.
            error: Whether something failed at the session's end.
            bug: Whether it was a bug of ours: a report that could not be made, say.
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
