"""A run: all evaluations of one pytest session, and its record in the store.

A session is made when the first evaluation is about to run. This module does not import pytest: the plugin passes on what a
session needs to know.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distilltest.pytest_plugin.run_ids import new_run_id
from distilltest.untrusted.secrets import mask

if TYPE_CHECKING:
    from distilltest.completions.engine import Counts, Engine
    from distilltest.config import Config
    from distilltest.evaluations.declaration import Evaluation
    from distilltest.evaluations.estimate import PlanEstimate
    from distilltest.evaluations.grading import BoundBody
    from distilltest.evaluations.plan import Plan
    from distilltest.evaluations.runner import ProgressListener
    from distilltest.evaluations.selection import CaseSelection
    from distilltest.reporting.formats import Reports
    from distilltest.reporting.report import EvaluationReport
    from distilltest.store import Store


PURPOSE = "DISTILLTEST_PURPOSE"
"""The environment variable with which a command marks a run that does not decide about a candidate."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line that concern evaluations."""

    models: dict[str, str] = field(default_factory=dict)
    """Role → model id, from ``--candidate``, ``--base`` and ``--teacher``."""
    limit: int | None = None
    tags: tuple[str, ...] = ()
    case_ids: tuple[str, ...] = ()
    fresh: bool = False
    offline: bool = False
    stop_early: bool = False
    without_leaked: bool = False


@dataclass
class Session:
    """The evaluations of one pytest process: store, engine and results."""

    root: Path
    options: Options
    command: str
    run_id: str = field(default_factory=new_run_id)
    paths: tuple[str, ...] = ()
    """The files and folders that pytest collects, relative to the root."""
    share: int = 1
    """The number of processes (pytest-xdist's workers) that share the servers' limits."""
    narrowed: Callable[[], str | None] = lambda: None
    """Why the pytest session does not run every evaluation; called when an evaluation begins."""
    say: Callable[[str], None] = lambda _: None
    """Shows a line to the user."""
    started: float = field(default_factory=time.time)
    plans: dict[str, Plan] = field(default_factory=dict)
    made_of: dict[str, dict[str, str]] = field(default_factory=dict)
    """Test file → the files that it is made of, with their fingerprints."""
    counts: list[Counts] = field(default_factory=list)
    """The counts of requests of the other processes of this run."""

    @cached_property
    def store(self) -> Store:
        """The store, opened on first use; entries that are too old are removed."""
        from distilltest.store.prepare import open_for_work

        return open_for_work(self.base_config, self.say)

    @cached_property
    def base_config(self) -> Config:
        """distilltest.yaml as written."""
        from distilltest.config import load_config

        return load_config(self.root)

    @cached_property
    def config(self) -> Config:
        """distilltest.yaml with the command line's models and the promoted one; the model tuned last is the default candidate."""
        from distilltest.promotion.role import with_promoted

        config = self.base_config
        for role, model in self.options.models.items():
            config = config.with_model(role, model)
        named = config.models.get("candidate")
        return with_promoted(config.with_tuned(self.store.tuned(named.model if named else None)))

    @cached_property
    def engine(self) -> Engine:
        """The engine, made on first use."""
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
        """The Unix time of the last promotion, 0 if there is none."""
        from distilltest.promotion.role import promoted_at

        return promoted_at(self.root)

    @staticmethod
    def other_purpose() -> str | None:
        """The purpose of a run that does not decide about a candidate, such as a learning curve. Such a run never promotes."""
        purpose = os.environ.get(PURPOSE)
        return f"this run is for a {purpose}" if purpose else None

    def plan(self, identity: str, evaluation: Evaluation) -> Plan:
        """Resolve an evaluation once.

        Raises:
            DistilltestError: The suite, its data or the configuration are wrong.
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
        """The cases to evaluate, and the reason if they are not all."""
        from distilltest.evaluations.selection import CaseSelection

        options = self.options
        return CaseSelection(options.limit, options.tags, options.case_ids, self.other_purpose() or self.narrowed())

    def estimate(self, identity: str, evaluation: Evaluation, judged: int) -> PlanEstimate:
        """Estimate what an evaluation costs and can show, without sending anything. The base stands in for a missing candidate.

        Raises:
            DistilltestError: The suite, its data or the configuration are wrong.
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
        """Run one evaluation and store its report.

        Args:
            identity: The pytest node id.
            evaluation: What the decorator declared.
            body: The body with the item's fixtures.
            progress: Is called as answers are graded.
            upcoming: The next evaluation, whose requests go out while this one is graded.

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
                return  # reported when that evaluation runs

        result = runner.evaluate(plan, body, then=fetch_ahead)
        del self.plans[identity]
        if self.other_purpose() is None and candidate.counts_as_attempt(plan, result.outcomes):
            result = candidate.counted(plan, result, self.store, self.promoted_at, self.config.attempts)
        report = with_origin(EvaluationReport.of(result), plan, self.config, self.store, sources)
        self.store.save_evaluation(self.run_id, identity, report.to_json())
        return report

    def sources(self, test_file: str) -> dict[str, str]:
        """The fingerprints of the files that a test file is made of, taken before its first evaluation ran."""
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
        """Collect the evaluations of all processes of the run, and write the reports.

        Args:
            order: Node ids in the order of the report; other stored evaluations come last.
            unfinished: Why evaluations may be missing; such a run never promotes.
            not_judged: Node ids of evaluations that were skipped because no judge is configured.
            judged: Node ids of evaluations that have a verdict, which the store must have.

        Returns:
            The run's reports, None if no evaluation has a verdict.

        Raises:
            StoreError: The store lost a report.
        """
        from distilltest.errors import StoreError
        from distilltest.pytest_plugin.run_info import run_info
        from distilltest.reporting import formats
        from distilltest.reporting.report import EvaluationReport, RunReport

        stored = self.store.run_evaluations(self.run_id)
        lost = sorted({*judged} - {content["id"] for content in stored})
        if lost:
            raise StoreError(
                f"The store {self.store.path} has no report of {', '.join(lost)}, which came to a verdict in this run: it was "
                "deleted, moved or replaced during the run. Run again."
            )
        if not stored:
            return None
        position = {name: index for index, name in enumerate(order)}
        evaluations = sorted(
            (EvaluationReport.from_json(content) for content in stored), key=lambda e: position.get(e.id, len(position))
        )
        info = run_info(self)
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

    @property
    def sent_anything(self) -> bool:
        """Whether this process has an engine, without which nothing is sent."""
        return "engine" in self.__dict__

    def stop(self) -> None:
        """Stop calls in flight, and keep the responses that arrived."""
        if self.sent_anything:
            self.engine.stop()

    def close(self) -> None:
        """Stop, and close the store."""
        self.stop()
        if "store" in self.__dict__:
            self.store.close()


def import_ahead() -> None:
    """Import the modules of verdict and reports while requests are in flight: NumPy takes a tenth of a second."""
    if "numpy" not in sys.modules:
        threading.Thread(
            target=lambda: (import_module("numpy"), import_module("distilltest.reporting.formats"))
        ).start()


def command_line(arguments: Iterable[Any]) -> str:
    """The command, as you would type it again."""
    import shlex

    program = Path(sys.argv[0]).name
    start = "pytest" if program in ("pytest", "py.test", "__main__.py", "pytest.exe") else program
    return shlex.join([start, *map(str, arguments)])
