"""The evidence for a promotion: the latest complete run of each required evaluation on the model."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from distilltest.config import Config
from distilltest.gate import Status, combine
from distilltest.promotion.entry import Entry
from distilltest.promotion.freshness import changes, why_not_whole
from distilltest.promotion.required import inside, matches, path_of, tidy
from distilltest.promotion.suite import Declared, collect_suite
from distilltest.reporting.report import EvaluationReport
from distilltest.store import Store, StoredRun


@dataclass(frozen=True, slots=True)
class Evidence:
    """One required evaluation."""

    id: str
    status: Status
    """``promote``, or the status that prevents it."""
    sentence: str
    """The verdict, or why no verdict counts."""
    remedy: str = ""
    """What to do, with the command; empty for ``promote``."""
    run: str | None = None
    """The latest complete run; None if there is none."""
    report: EvaluationReport | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """All evidence for and against a model."""

    evidence: tuple[Evidence, ...]
    suite: Mapping[str, Declared]
    """The suite as it is now."""
    runs: tuple[StoredRun, ...]
    """The complete runs on the model, newest first."""

    @property
    def status(self) -> Status:
        """The combined status; without any evaluation, incomplete."""
        return combine([each.status for each in self.evidence])


def gather(config: Config, store: Store, model: str, production: Entry | None) -> Gathered:
    """Find the required evaluations and the latest complete run of each on the model.

    ``promotion: {require: […]}`` names the required evaluations. Without it, they are all evaluations that the suite now has
    in the files and folders of complete runs on the model, and those that proved the model in production.

    Raises:
        SuiteError: pytest cannot collect the suite.
    """
    runs = [run for run in store.runs() if _candidate(store, run) == model]
    whole = [run for run in runs if why_not_whole(run) is None]
    asked = [path for run in whole for path in (run.record or {})["paths"]]
    before = [proof.id for proof in production.evaluations] if production else []
    wanted = [path_of(pattern) for pattern in config.require] or [*asked, *(path_of(name) for name in before)]
    suite = collect_suite(config.root, tidy(wanted), model)
    found: list[Evidence] = []
    if config.require:
        required = [name for name in suite if any(matches(pattern, name) for pattern in config.require)]
        for pattern in config.require:
            if not any(matches(pattern, name) for name in suite):
                remedy = f"Fix `promotion: require:` in {config.source}."
                found.append(Evidence(pattern, Status.INCOMPLETE, "the suite has no such evaluation", remedy))
    else:
        required = [name for name in suite if name in before or inside(name, asked)]
    weighed = [_weigh(config, store, model, suite[name], runs) for name in required]
    return Gathered((*weighed, *found), suite, tuple(whole))


def why_nothing(store: Store, model: str) -> str:
    """Why no run proves anything about a model: the latest run and its problem."""
    latest = next((run for run in store.runs() if _candidate(store, run) == model), None)
    if latest is None:
        return f"the store has no run on {model}"
    why = why_not_whole(latest)
    if why is None:
        return f"the suite has no evaluation any more in what run {latest.id} on {model} was asked for"
    return f"no run on {model} is whole; the latest, {latest.id}, {why}"


def _candidate(store: Store, run: StoredRun) -> str | None:
    if run.record is not None:
        return str(run.record["candidate"])
    for report in store.run_evaluations(run.id):
        return next((line["model"] for line in report["roles"] if line["role"] == "candidate"), None)
    return None


def _weigh(config: Config, store: Store, model: str, now: Declared, runs: list[StoredRun]) -> Evidence:
    again = shlex.join(["pytest", now.id.partition("::")[0], "--candidate", model])
    if now.error:
        return Evidence(now.id, Status.INCOMPLETE, f"it cannot be evaluated: {now.error}", "Fix it and run it again.")
    for run in runs:
        if why_not_whole(run) is not None:
            continue
        content = store.run_evaluation(run.id, now.id)
        if content is not None:
            return _judge(now, run, EvaluationReport.from_json(content), again, config)
    others = [run for run in runs if store.run_evaluation(run.id, now.id) is not None]
    why = f"; run {others[0].id} {why_not_whole(others[0])}" if others else ""
    return Evidence(now.id, Status.INCOMPLETE, f"no whole run on {model} has it{why}", f"Run `{again}`.")


def _judge(now: Declared, run: StoredRun, report: EvaluationReport, again: str, config: Config) -> Evidence:
    changed = changes(now, run, report, config)
    status, sentence = report.verdict.status, report.verdict.sentence
    if changed:
        why = f"run {run.id} said {status}, but is older than the suite: {'; '.join(changed)}"
        return Evidence(now.id, Status.INCOMPLETE, why, f"Run `{again}`.", run.id, report)
    remedy = {
        Status.BLOCK: f"`distilltest report {run.id}` shows the cases; a better candidate is needed.",
        Status.UNDECIDED: f"Add cases to {report.dataset}, then run `{again}`.",
        Status.INCOMPLETE: f"Run `{again}`: only what is missing is asked.",
    }.get(status, "")
    if report.verdict.unanswerable and status is Status.INCOMPLETE and not report.verdict.transient:
        remedy = f"The sentence names the cases that need a change; then run `{again}`."
    return Evidence(now.id, status, sentence, remedy, run.id, report)
