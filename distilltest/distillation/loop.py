"""``distilltest distill``: five steps from requests to a verdict; each can be resumed and is skipped if nothing changed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from distilltest.completions.client import openai_client
from distilltest.completions.engine import Engine
from distilltest.config import Config, Distillation
from distilltest.data.dataset import load_dataset
from distilltest.data.prompt import Prompt, load_prompt
from distilltest.distillation.collect import Collected, asked, collect
from distilltest.distillation.matching import keep_matching
from distilltest.errors import ConfigError, DistilltestError, asking_again
from distilltest.exit_codes import VERDICTS
from distilltest.finetuning.answers import endpoint_errors
from distilltest.finetuning.candidate import remember
from distilltest.finetuning.follow import Event, Follower, result
from distilltest.finetuning.jobs import TuningServer
from distilltest.finetuning.order import Order
from distilltest.process.subprocesses import run_to_its_end
from distilltest.records import Case, Completion
from distilltest.store import Store, state_keys
from distilltest.training_files.file_rules import refuse_bad
from distilltest.training_files.inputs import read_inputs
from distilltest.training_files.overlap import find_overlap, texts_of
from distilltest.training_files.supervised import supervised_findings
from distilltest.training_files.supervised_file import write_supervised
from distilltest.training_files.whole_file import LeftOut, TrainingFile

STEPS = 5
SHOWN = 3
"""The most reasons for another run that are shown."""


class ProgressBar(AbstractContextManager["ProgressBar"], Protocol):
    """A progress bar."""

    def __call__(self, done: int) -> None:
        """Show how many are done."""


@dataclass
class Loop:
    """One run of ``distilltest distill``."""

    config: Config
    store: Store
    say: Callable[[str], None]
    """Prints one line of result."""
    bar: Callable[[str, int], ProgressBar]
    """Opens a progress bar: title, total."""
    why_again: Callable[[Store, str, str], list[str]]
    """(Store, run, model) → the reasons why the run is out of date; empty if it is current."""
    force: bool = False
    """Evaluate even if nothing has changed."""
    train_limit: int | None = None
    suffix: str | None = None
    steps: int = STEPS
    """The number of all steps, including those of the caller."""
    clock: Callable[[], float] = time.perf_counter
    plan: Distillation = field(init=False)
    prompt: Prompt = field(init=False)
    student_prompt: Prompt = field(init=False)
    cases: tuple[Case, ...] = field(init=False)
    candidate: str = field(init=False)
    """The tuned model, after the loop."""
    run_id: str = field(init=False)
    """The run that evaluated the candidate."""
    idle: bool = field(init=False, default=True)
    """Whether nothing was sent, tuned or evaluated."""

    def __post_init__(self) -> None:
        config = self.config
        if config.distillation is None:
            place = config.source or config.root / "distilltest.yaml"
            raise ConfigError(
                f'{place}: there is no "distillation:". '
                "Write distillation: {train: FILE, prompt: FILE, metadata: {task: NAME}}, or begin with `distilltest init`."
            )
        self.plan = config.distillation
        self.prompt = load_prompt(config.root / self.plan.prompt, self.plan.prompt)
        student = self.plan.student_prompt or self.plan.prompt
        self.student_prompt = load_prompt(config.root / student, student)
        limit = self.train_limit or self.plan.train_limit
        self.cases = read_inputs(config.root / self.plan.train, self.plan.train).cases[:limit]

    def run(self) -> int:
        """Run all steps.

        Returns:
            The exit code of the evaluation.
        """
        written = self._write(self._collect())
        self.candidate = self._tune(written)
        return self._evaluate(self.candidate, written)

    def _step(self, number: int, name: str, result: str, started: float) -> None:
        self.say(f"{number}/{self.steps}  {name:<15} {result}   ({self.clock() - started:.1f} s)")

    def _collect(self) -> list[tuple[Case, Completion]]:
        started = self.clock()
        teacher = self.config.model("teacher")
        self.config.server(teacher.server)
        self.config.check_budget([teacher])
        collected = Collected()
        requests = asked(self.cases, teacher, self.prompt, dict(self.plan.metadata))
        with Engine(self.config, self.store) as engine, self.bar("teacher answers", len(self.cases)) as bar:
            answers = [(e.case, said) for e, said in collect(engine, self.store, requests, collected, bar)]
            new = engine.counts.new
        if collected.failed:
            kind, sentence = next(iter(collected.sentences.items()))
            raise DistilltestError(
                f"{collected.failed} of {len(self.cases)} requests got no answer: {kind}: {sentence} "
                f"{asking_again(collected.failures)}"
            )
        self.idle = self.idle and not new
        done = f"{new} new" if new else "all in the store, nothing sent"
        self._step(1, "teacher answers", f"{len(answers)} of {len(self.cases)} requests, {done}", started)
        return answers

    def _write(self, answers: list[tuple[Case, Completion]]) -> TrainingFile:
        started = self.clock()
        left_out = LeftOut()
        kept = keep_matching(answers, left_out) if self.plan.keep == "matching" else answers
        examples = ((said, self.student_prompt.render(case)) for case, said in kept)
        written = write_supervised(self.config.state_dir / "training" / "supervised.jsonl", examples, left_out)
        findings = refuse_bad(written.path, supervised_findings(written.path))
        shown = written.path.relative_to(self.config.root)
        notes = [f"{count} left out ({reason})" for reason, count in written.left_out.items()]
        notes += [f"{len(findings)} remarks"] if findings else []
        result = ", ".join([f"{written.examples} examples in {shown}", "checked", *notes])
        self._step(2, "training file", result, started)
        return written

    def _tune(self, written: TrainingFile) -> str:
        started = self.clock()
        student = self.config.model("base")
        server = self.config.server(student.server)
        suffix = self.suffix or self.plan.suffix
        order = Order(student.model, written.path, written.sha256, suffix=suffix)
        mark = order.mark(student.base_url)
        known = self.store.get_state(state_keys.TUNED.of(mark))
        if known:
            self._remember(known, written)
            self._step(3, "fine-tuning", f"{known}, tuned before on the same file", started)
            return str(known)
        self.idle = False
        with endpoint_errors(server.name, written.path), openai_client(server, self.config) as client:
            tuning = TuningServer(server.name, student.base_url, client, self.config.state_dir)
            job, _ = tuning.start(order, known=self.store.get_state(state_keys.JOB.of(mark)))
            self.store.set_state(state_keys.JOB.of(mark), job.id)
            losses: list[float] = []
            with self.bar(f"job {job.id}", 0) as bar:

                def told(event: Event) -> None:
                    bar(len(losses) + 1)
                    if event.train_loss is not None:
                        losses.append(event.train_loss)

                model = result(Follower(tuning, told).follow(job.id)[0])
        self.store.set_state(state_keys.TUNED.of(mark), model)
        self._remember(model, written)
        loss = f", training loss {losses[0]:g} → {losses[-1]:g}" if losses else ""
        self._step(3, "fine-tuning", f"{model}{loss}", started)
        return model

    def _remember(self, model: str, written: TrainingFile) -> None:
        details: dict[str, Any] = {"training_file": str(written.path), "sha256": written.sha256}
        prompts = {"prompt": self.plan.student_prompt, "prompt_instead_of": self.plan.prompt}
        remember(self.store, model, details | prompts)

    def _evaluate(self, model: str, written: TrainingFile) -> int:
        started = self.clock()
        state = state_keys.EVALUATED.of(self.plan.suites)
        before = self.store.get_state(state) or {}
        why = self._why_again(before, model)
        if not why and before:
            self._step(4, "evaluation", f"nothing has changed since run {before['run']}", started)
            self._conclude(before["run"], written)
            return int(before["code"])
        self.idle = False
        if why:
            more = f", and {len(why) - SHOWN} more" if len(why) > SHOWN else ""
            self.say(f"     run {before['run']} is out of date: {'; '.join(why[:SHOWN])}{more}")
        self.say(f"4/{self.steps}  evaluation      pytest {self.plan.suites} --candidate {model}")
        earlier = self.store.latest_run()
        self.store.close()  # pytest opens it
        code, _ = run_to_its_end(
            [sys.executable, "-m", "pytest", self.plan.suites, "--candidate", model], self.config.root
        )
        self.store = Store.open(self.config.store_path)
        run = self.store.latest_run()
        if run is None or run == earlier or run[1] is None:
            raise DistilltestError(
                f"pytest {self.plan.suites} came to no verdict (exit code {code}); its output says why."
            )
        if code in VERDICTS:
            self.store.set_state(state, {"run": run[0], "code": code})
        self._step(4, "evaluation", f"run {run[0]}, exit code {code}", started)
        self._conclude(run[0], written)
        return code

    def _why_again(self, before: dict[str, Any], model: str) -> list[str]:
        """The reasons to run the evaluation again; empty if the run before is current or there is none."""
        if not before:
            return []
        if self.force:
            return ["--force"]
        if not (self.config.reports_dir / str(before["run"]) / "report.md").is_file():
            return ["its report is gone"]
        return self.why_again(self.store, before["run"], model)

    def _conclude(self, run: str, written: TrainingFile) -> None:
        from distilltest.reporting.report import EvaluationReport

        started = self.clock()
        self.run_id = run
        leaked: list[str] = []
        total = near = 0
        for content in self.store.run_evaluations(run):
            report = EvaluationReport.from_json(content)
            candidate = next(line for line in report.roles if line.role == "candidate")
            prompt = load_prompt(self.config.root / candidate.prompt, candidate.prompt)
            dataset = load_dataset(self.config.root / report.dataset, report.dataset)
            total += len(dataset.cases)
            overlap = find_overlap(written.path, texts_of(dataset.cases, prompt))
            leaked += overlap.leaked
            near += len(overlap.near)
            self._step(5, "verdict", report.verdict.sentence, started)
        nearly = f", {near} nearly" if near else ""
        self.say(f"     {len(leaked)} of {total} test requests are in the training file{nearly}")
        folder = (self.config.reports_dir / run).relative_to(self.config.root)
        self.say(f"     read {folder / 'report.md'} (the same as data: {folder / 'report.json'})")
        if leaked:
            raise DistilltestError(
                f"{len(leaked)} test requests were trained on ({', '.join(leaked[:5])}): the verdict is worth nothing. "
                f"Take them out of {self.plan.train} and run again."
            )
