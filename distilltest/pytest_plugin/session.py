"""A run: everything that one pytest session does with evaluations, and its record in the store.

Nothing here is made before the first evaluation is about to run. pytest is not imported: the plugin tells a session
what it needs to know.
"""

from __future__ import annotations

import os
import platform
import string
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distilltest.untrusted.secrets import mask

if TYPE_CHECKING:
    from distilltest.completions.engine import Counts, Engine
    from distilltest.config import Config
    from distilltest.evaluations.declaration import Evaluation
    from distilltest.evaluations.estimate import PlanEstimate
    from distilltest.evaluations.grading import BoundBody
    from distilltest.evaluations.plan import Plan
    from distilltest.evaluations.results import RunInfo
    from distilltest.evaluations.runner import ProgressListener
    from distilltest.evaluations.selection import CaseSelection
    from distilltest.reporting.formats import Reports
    from distilltest.reporting.report import EvaluationReport
    from distilltest.store import Store


_BASE_36 = string.digits + string.ascii_lowercase
PURPOSE = "DISTILLTEST_PURPOSE"
"""The environment variable by which a command says that a run is not to decide about a candidate."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line said about evaluations."""

    models: dict[str, str] = field(default_factory=dict)
    """Role → model id, from ``--candidate``, ``--base`` and ``--teacher``."""
    limit: int | None = None
    tags: tuple[str, ...] = ()
    case_ids: tuple[str, ...] = ()
    fresh: bool = False
    offline: bool = False
    stop_early: bool = False
    without_leaked: bool = False


def new_run_id() -> str:
    """A name for a run that sorts by time, to the microsecond: ``20261121-093000-c2lp``."""
    return run_id(datetime.now(UTC))


def run_id(began: datetime) -> str:
    """The name of a run that began at a moment: its second, and the microseconds in base 36.

    >>> run_id(datetime(2026, 11, 21, 9, 30, 0, 564013))
    '20261121-093000-c371'
    """
    rest, last = divmod(began.microsecond, 36)
    digits = (rest // 36**2, rest // 36 % 36, rest % 36, last)
    return f"{began:%Y%m%d-%H%M%S}-{''.join(_BASE_36[digit] for digit in digits)}"


@dataclass
class Session:
    """The evaluations of one pytest process: store, engine and results."""

    root: Path
    options: Options
    command: str
    run_id: str = field(default_factory=new_run_id)
    paths: tuple[str, ...] = ()
    """Files and folders that pytest was asked to collect, relative to the root."""
    share: int = 1
    """Processes among which the servers' limits are divided (pytest-xdist's workers)."""
    narrowed: Callable[[], str | None] = lambda: None
    """Why the pytest session is not whole, asked when an evaluation begins."""
    say: Callable[[str], None] = lambda _: None
    """Shows a line to whoever runs the tests."""
    started: float = field(default_factory=time.time)
    plans: dict[str, Plan] = field(default_factory=dict)
    made_of: dict[str, dict[str, str]] = field(default_factory=dict)
    """Test file → what it is made of."""
    counts: list[Counts] = field(default_factory=list)
    """What other processes of this run sent."""

    @cached_property
    def store(self) -> Store:
        """The store, opened when it is first needed, without what is too old."""
        from distilltest.store.prepare import open_for_work

        return open_for_work(self.base_config, self.say)

    @cached_property
    def base_config(self) -> Config:
        """distilltest.yaml as it is."""
        from distilltest.config import load_config

        return load_config(self.root)

    @cached_property
    def config(self) -> Config:
        """distilltest.yaml with the command line's models, else the model tuned last as candidate, and what is promoted."""
        from distilltest.promotion.role import with_promoted

        config = self.base_config
        for role, model in self.options.models.items():
            config = config.with_model(role, model)
        named = config.models.get("candidate")
        return with_promoted(config.with_tuned(self.store.tuned(named.model if named else None)))

    @cached_property
    def engine(self) -> Engine:
        """The engine, made when something is first asked."""
        from distilltest.completions.engine import Engine

        return Engine(
            self.config,
            self.store,
            fresh=self.options.fresh,
            offline=self.options.offline,
            share=self.share,
            session=self.run_id,
            say=self.say,
        )

    @cached_property
    def promoted_at(self) -> float:
        """When a model was promoted last (Unix time), 0 for never."""
        from distilltest.promotion.role import promoted_at

        return promoted_at(self.root)

    @staticmethod
    def other_purpose() -> str | None:
        """What the run is for, where it is not to decide about a candidate: a learning curve, say. It never promotes."""
        purpose = os.environ.get(PURPOSE)
        return f"this run is for a {purpose}" if purpose else None

    def plan(self, identity: str, evaluation: Evaluation) -> Plan:
        """Resolve an evaluation once.

        Raises:
            DistilltestError: Something it needs is missing or wrong.
        """
        from distilltest.evaluations.plan import Plan
        from distilltest.promotion import candidate

        if identity not in self.plans:
            plan = Plan.of(
                identity,
                evaluation,
                self.config,
                self.selection(),
                offline=self.options.offline,
                stop_early=self.options.stop_early,
            )
            plan = candidate.with_leaks(plan, self.store, self.options.without_leaked)
            if self.other_purpose() is None:
                plan = candidate.with_attempt(plan, self.store, self.promoted_at, self.config.attempts)
                plan = candidate.with_first_looks(plan, self.store)
            self.plans[identity] = plan
        return self.plans[identity]

    def selection(self) -> CaseSelection:
        """Which cases are evaluated, and what narrows the run."""
        from distilltest.evaluations.selection import CaseSelection

        options = self.options
        return CaseSelection(options.limit, options.tags, options.case_ids, self.other_purpose() or self.narrowed())

    def estimate(self, identity: str, evaluation: Evaluation, judged: int) -> PlanEstimate:
        """What an evaluation will cost and can show; nothing is sent. Where there is no candidate yet, the base stands in.

        Raises:
            DistilltestError: Something it needs is missing or wrong.
        """
        from distilltest.evaluations.estimate import estimate

        stands_in = "candidate" not in self.config.models
        if stands_in:
            self.config = self.config.with_model("candidate", self.config.model("base").model)
        plan = self.plan(identity, evaluation)
        found = estimate(plan, self.config, self.store, fresh=self.options.fresh, judged=judged)
        note = "There is no candidate yet; the base stands in for it."
        return replace(found, notes=(*found.notes, note)) if stands_in else found

    def evaluate(
        self,
        identity: str,
        evaluation: Evaluation,
        body: BoundBody,
        progress: ProgressListener,
        upcoming: tuple[str, Evaluation] | None = None,
    ) -> EvaluationReport:
        """Run one evaluation and keep its report in the store.

        Args:
            identity: The pytest node id.
            evaluation: What the decorator declared.
            body: The body with the item's fixtures.
            progress: Who is told how far it is.
            upcoming: The next evaluation of the session, to be fetched while this one is graded.

        Raises:
            DistilltestError: The suite, its data or the configuration are wrong.
        """
        from distilltest.errors import DistilltestError
        from distilltest.evaluations.runner import Runner
        from distilltest.promotion import candidate
        from distilltest.promotion.origin import with_origin
        from distilltest.reporting.report import EvaluationReport

        plan = self.plan(identity, evaluation)
        sources = self.sources(identity.partition("::")[0])
        runner = Runner(self.config, self.store, self.engine, self.run_id, progress)
        self.store.start_run(self.run_id, started=self.started, command=mask(self.command))

        def fetch_ahead() -> None:
            import_ahead()
            if upcoming is None:
                return
            try:
                runner.prefetch(self.plan(*upcoming))
            except DistilltestError:
                return  # it is reported when it is that evaluation's turn

        result = runner.evaluate(plan, body, then=fetch_ahead)
        del self.plans[identity]
        if self.other_purpose() is None and candidate.counts_as_attempt(plan, result.outcomes):
            result = candidate.counted(plan, result, self.store, self.promoted_at, self.config.attempts)
        report = with_origin(EvaluationReport.of(result), plan, self.config, self.store, sources)
        self.store.save_evaluation(self.run_id, identity, report.to_json())
        return report

    def sources(self, test_file: str) -> dict[str, str]:
        """The files that a test file is made of, as they were before its first evaluation ran, with their fingerprints."""
        if test_file not in self.made_of:
            from distilltest.promotion import code

            self.made_of[test_file] = code.fingerprints(test_file, self.root)
        return self.made_of[test_file]

    def finish(
        self,
        order: Iterable[str] = (),
        unfinished: str | None = None,
        not_judged: Sequence[str] = (),
        judged: Sequence[str] = (),
    ) -> Reports | None:
        """Put the run's evaluations together, whichever process ran them, and write the reports.

        Args:
            order: Node ids in the order of the report; stored ones that it does not name come last.
            unfinished: Why this may not be all that should have run; such a run never promotes.
            not_judged: Node ids of evaluations that were left out for want of a judge.
            judged: Node ids of evaluations that came to a verdict, which the store must therefore have.

        Returns:
            The run's reports, None where no evaluation came to a verdict.
        """
        from distilltest.errors import StoreError
        from distilltest.reporting import formats
        from distilltest.reporting.report import EvaluationReport, RunReport

        stored = self.store.run_evaluations(self.run_id)
        lost = sorted({*judged} - {content["id"] for content in stored})
        if lost:
            raise StoreError(
                f"The store {self.store.path} has no report of {', '.join(lost)}, which came to a verdict in this run: it was "
                "deleted, moved or replaced meanwhile. Run again."
            )
        if not stored:
            return None
        position = {name: index for index, name in enumerate(order)}
        evaluations = sorted(
            (EvaluationReport.from_json(content) for content in stored), key=lambda e: position.get(e.id, len(position))
        )
        info = self.info()
        made = formats.render_all(RunReport.of(info, evaluations, unfinished, not_judged))
        made.write(self.config.reports_dir / self.run_id, private=self.config.private_reports)
        record = {
            "info": asdict(info),
            "candidate": self.config.models["candidate"].model,
            "paths": list(self.paths),
            "narrowed": self.selection().narrowed(),
            "unfinished": unfinished or ("a report could not be made" if made.broken else None),
        }
        verdict = str(made.run.verdict.status.value)
        self.store.finish_run(self.run_id, verdict=verdict, finished=time.time(), record=record)
        return made

    def info(self) -> RunInfo:
        """The circumstances of the run."""
        from distilltest.evaluations.results import RunInfo
        from distilltest.promotion.identity import commit

        counts = [*self.counts, *([self.engine.counts] if self.sent_anything else [])]
        return RunInfo(
            id=self.run_id,
            started=datetime.fromtimestamp(self.started, UTC).isoformat(timespec="seconds"),
            command=mask(self.command),
            versions={
                "distilltest": metadata.version("distilltest"),
                "python": platform.python_version(),
                "pytest": metadata.version("pytest"),
                "openai": metadata.version("openai"),
            },
            git_commit=commit(self.root),
            sent=sum(c.sent for c in counts),
            retried=sum(c.retried for c in counts),
            shared=sum(c.shared for c in counts),
            from_store=sum(c.from_store for c in counts),
            failed=sum(c.failed for c in counts),
            seconds=time.time() - self.started,
        )

    @property
    def sent_anything(self) -> bool:
        """Whether this process has an engine at all."""
        return "engine" in self.__dict__

    def stop(self) -> None:
        """Stop calls in flight, keep what arrived."""
        if self.sent_anything:
            self.engine.stop()

    def close(self) -> None:
        """Stop, and close the store."""
        self.stop()
        if "store" in self.__dict__:
            self.store.close()


def import_ahead() -> None:
    """Import, while answers are on their way, what only the verdict and the reports need: NumPy takes a tenth of a second."""
    if "numpy" not in sys.modules:
        threading.Thread(
            target=lambda: (import_module("numpy"), import_module("distilltest.reporting.formats"))
        ).start()


def command_line(arguments: Iterable[Any]) -> str:
    """The command as somebody would type it again."""
    import shlex

    program = Path(sys.argv[0]).name
    start = "pytest" if program in ("pytest", "py.test", "__main__.py", "pytest.exe") else program
    return shlex.join([start, *map(str, arguments)])
