"""Tune a model at every size and evaluate it; jobs and completions of earlier runs are reused."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from distilltest.config import Config
from distilltest.distillation.learning_curve.curve import Curve, LearningCurve, percent
from distilltest.distillation.learning_curve.subsets import Subset
from distilltest.errors import DistilltestError, PromptTooLong, asking_again
from distilltest.exit_codes import VERDICTS
from distilltest.finetuning.candidate import details_of, know
from distilltest.finetuning.follow import JobProgress, result
from distilltest.finetuning.jobs import TuningServer
from distilltest.finetuning.order import Order
from distilltest.process.subprocesses import run_to_its_end
from distilltest.reporting.report import EvaluationReport
from distilltest.store import Store, state_keys
from distilltest.training_files.lines import read_bytes

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob

PURPOSE = ("DISTILLTEST_PURPOSE", "learning-curve")
"""The environment variable, and its value, that tells a run not to count as an attempt at a promotion."""


@dataclass
class Measurement:
    """One run of ``distilltest learning-curve``."""

    config: Config
    store: Store
    server: TuningServer
    order: Order
    """The order for the whole file; each subset replaces its training file."""
    subsets: list[Subset]
    seed: int
    suite: str
    say: Callable[[str], None]
    """Prints one line."""
    follow: Callable[[str], tuple[FineTuningJob, JobProgress]]
    """Waits for a job to end, and shows its progress."""

    def run(self) -> LearningCurve:
        """Start all jobs, wait for them and evaluate their models.

        Raises:
            DistilltestError: A job failed, an evaluation has no result, or the server cannot be reached.
        """
        jobs = [
            (subset, self._start(subset)) for subset in self.subsets
        ]  # all at once, to wait in the server's queue only once
        reports: dict[str, list[tuple[int, str, EvaluationReport]]] = {}
        for subset, job in jobs:
            model = self._tuned(subset, job)
            run, found = self._evaluate(subset, model)
            for report in found:
                reports.setdefault(report.id, []).append((subset.size, run, report))
        whole = [each for each in reports.values() if len(each) == len(self.subsets)]
        if not whole:
            raise DistilltestError(f"No evaluation of {self.suite} was measured at every size; see the lines above.")
        return LearningCurve(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            file=self._shown(self.order.path),
            sha256=self.order.sha256,
            examples=sum(bool(line.strip()) for _, line in read_bytes(self.order.path)),
            seed=self.seed,
            base=self.order.model,
            curves=tuple(Curve.of(each) for each in whole),
        )

    def _order(self, subset: Subset) -> Order:
        order = self.order
        return Order.of(
            order.model,
            subset.path,
            method=order.method,
            hyperparameters=order.hyperparameters,
            suffix=order.suffix,
            seed=order.seed,
            metadata=order.metadata,
        )

    def _start(self, subset: Subset) -> str:
        order = self._order(subset)
        mark = order.mark(self.server.base_url)
        job, new = self.server.start(order, known=self.store.get_state(state_keys.JOB.of(mark)))
        self.store.set_state(state_keys.JOB.of(mark), job.id)
        self.say(f"{subset.size:>7,} examples  {job.id}  {'started' if new else 'started before'}, {job.status}")
        return job.id

    def _tuned(self, subset: Subset, job_id: str) -> str:
        """Wait for a job and record the prompt of its model, which does not become the project's candidate."""
        job, _ = self.follow(job_id)
        model = result(job)
        order = self._order(subset)
        know(self.store, [model], details_of(self.config, order.path, order.sha256))
        return model

    def _evaluate(self, subset: Subset, model: str) -> tuple[str, list[EvaluationReport]]:
        """Run pytest on a model; the run does not count as an attempt at a promotion."""
        started = time.perf_counter()
        before = self.store.latest_run()
        code, said = run_to_its_end(
            [sys.executable, "-m", "pytest", self.suite, "--candidate", model],
            self.config.root,
            {**os.environ, PURPOSE[0]: PURPOSE[1]},
            keep=True,
        )
        run = self.store.latest_run()
        if code not in VERDICTS or run is None or run == before or run[1] is None:
            raise DistilltestError(
                f"pytest {self.suite} --candidate {model} came to no verdict (exit code {code}):\n{_tail(said)}"
            )
        reports = [EvaluationReport.from_json(content) for content in self.store.run_evaluations(run[0])]
        shown = []
        for report in reports:
            line = next((line for line in report.roles if line.role == "candidate"), None)
            if line is None or line.model != model:
                raise DistilltestError(
                    f"Run {run[0]} did not evaluate {model}: another run began in the meantime. Run the command again."
                )
            if line.missing or line.rate is None or line.low is None or line.high is None:
                raise DistilltestError(
                    f"{report.id}: {line.missing} of {report.evaluated} cases have no answer of {model}. "
                    f"{_remedy(report)}"
                )
            name = f"{report.id.rpartition('::')[2]} " if len(reports) > 1 else ""
            shown.append(f"{name}{percent(line.rate)} [{100 * line.low:.1f}, {100 * line.high:.1f}]")
        seconds = time.perf_counter() - started
        self.say(f"{subset.size:>7,} examples  {model}  {', '.join(shown)}   ({seconds:.1f} s)")
        return run[0], reports

    def _shown(self, path: Path) -> str:
        root = self.config.root
        return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _remedy(report: EvaluationReport) -> str:
    """The remedy for missing answers."""
    if report.verdict.transient or not report.verdict.unanswerable:
        return asking_again({})
    return f"{asking_again({PromptTooLong.kind: 2})} The first are: {', '.join(report.verdict.unanswerable[:5])}."


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-15:])
