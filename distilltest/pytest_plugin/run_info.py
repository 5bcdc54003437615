"""The circumstances of a run, for its reports."""

from __future__ import annotations

import platform
import time
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING

from distilltest.evaluations.results import RunInfo
from distilltest.promotion.identity import commit
from distilltest.untrusted.secrets import mask

if TYPE_CHECKING:
    from distilltest.pytest_plugin.session import Session


def run_info(session: Session) -> RunInfo:
    """The command, the versions, the Git commit, and what all processes of the run sent."""
    counts = [*session.counts, *([session.engine.counts] if session.sent_anything else [])]
    return RunInfo(
        id=session.run_id,
        started=datetime.fromtimestamp(session.started, UTC).isoformat(timespec="seconds"),
        command=mask(session.command),
        versions={
            "distilltest": metadata.version("distilltest"),
            "python": platform.python_version(),
            "pytest": metadata.version("pytest"),
            "openai": metadata.version("openai"),
        },
        git_commit=commit(session.root),
        sent=sum(c.sent for c in counts),
        retried=sum(c.retried for c in counts),
        shared=sum(c.shared for c in counts),
        from_store=sum(c.from_store for c in counts),
        failed=sum(c.failed for c in counts),
        seconds=time.time() - session.started,
    )
