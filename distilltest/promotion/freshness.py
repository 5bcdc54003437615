"""Whether a run is still about what is there now: the one answer, for ``distilltest promote`` and ``distilltest distill``.

What an evaluation was made of is written into its report when it runs (:mod:`distilltest.promotion.origin`). Declarations
(dataset, prompts, gate, models) are compared by what they mean, code and the files that it reads by their bytes, and the rest of
the configuration by its values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from distilltest.config import Config
from distilltest.errors import DistilltestError
from distilltest.gate import Status
from distilltest.judges.question import IMPORTED, prompt_named
from distilltest.promotion import code
from distilltest.promotion.origin import JUDGE
from distilltest.promotion.suite import Declared, collect_suite
from distilltest.reporting.report import EvaluationReport
from distilltest.store import Store, StoredRun


def changes(now: Declared, run: StoredRun, report: EvaluationReport, config: Config) -> list[str]:
    """What is no longer as it was when an evaluation ran, in words; empty where all is.

    Args:
        now: The evaluation, as the suite declares it now.
        run: The run.
        report: What it said of the evaluation.
        config: The configuration as it is now.
    """
    found = [*now.changes_since(report), *_other_judges(report, config)]
    used = {use.judge for use in report.judges}
    for name, was in report.settings.items():
        unused = name.startswith(JUDGE) and name.removeprefix(JUDGE).strip("'\"") not in used
        said = any(name.removeprefix(JUDGE) in each for each in found)  # which judge it was and is
        if now.settings.get(name) != was and not unused and not said:
            found.append(f"{name} has changed")
    since = code.changed_since(_made_of(now, run, report), config.root)
    return [*found, *(f"{name} has changed" for name in since)]


def _made_of(now: Declared, run: StoredRun, report: EvaluationReport) -> Mapping[str, str]:
    """File → its SHA-256. Runs of older versions kept those of the code, the oldest of the test file alone."""
    if report.files:
        return report.files
    path = now.id.partition("::")[0]
    known: str | dict[str, str] = (run.record or {}).get("suites", {}).get(path, "")
    return {path: known} if isinstance(known, str) else known


def why_not_whole(run: StoredRun) -> str | None:
    """Why a run proves nothing, whatever it says; None where it is whole."""
    if run.record is None:
        return "was interrupted" if run.finished is None else "was made by an older distilltest"
    if run.record["narrowed"]:
        return f"ran only a part ({run.record['narrowed']})"
    return run.record["unfinished"] and f"is not complete: {run.record['unfinished']}"


def why_again(config: Config, store: Store, run_id: str, suites: str, model: str) -> list[str]:
    """Why a run does not say what running a suite again would say, in words; empty where it does.

    Args:
        config: The configuration as it is now.
        store: Has the run.
        run_id: The run.
        suites: The file or folder that it was asked to run, relative to the root.
        model: The candidate.
    """
    run = next((each for each in store.runs() if each.id == run_id), None)
    if run is None:
        return ["the store no longer has it"]
    partly = why_not_whole(run)
    if partly is not None or run.record is None:
        return [f"it {partly}"]
    if run.record["candidate"] != model:
        return [f"it was of {run.record['candidate']}"]
    reports = {report.id: report for report in map(EvaluationReport.from_json, store.run_evaluations(run.id))}
    try:
        suite = collect_suite(config.root, [suites], model)
    except DistilltestError:  # pytest is asked again, and says what is wrong
        return ["the suite cannot be collected"]
    found = [f"{name} is new" for name in suite if name not in reports]
    found += [f"{name} is gone" for name in reports if name not in suite]
    for name, now in suite.items():
        if name in reports:
            found += [now.error] if now.error else changes(now, run, reports[name], config)
    if not found and any(report.verdict.status is Status.INCOMPLETE for report in reports.values()):
        found = ["it was incomplete"]
    return list(dict.fromkeys(found))


def prompt_fingerprint(name: str, root: Path) -> str:
    """The fingerprint of a prompt of the project, or of one of our own for judges, as it is now; empty where there is none."""
    try:
        return prompt_named(name, root).fingerprint
    except DistilltestError:
        return ""


def _other_judges(report: EvaluationReport, config: Config) -> Iterable[str]:
    """Which judges are no longer those that gave the verdicts, in words."""
    found: dict[str, None] = {}
    for use in report.judges:
        judge = config.judges.get(use.judge)
        if judge is None:
            found[f"the judge {use.judge!r} is no longer configured"] = None
            continue
        if use.prompt.startswith(IMPORTED):  # its model and its prompt stand in the suite
            continue
        if judge.model.model != use.model:
            found[f"the judge {use.judge!r} was {use.model} and is {judge.model.model}"] = None
        if prompt_fingerprint(use.prompt, config.root) != use.prompt_fingerprint:
            found[f"the prompt {use.prompt} of the judge {use.judge!r} has changed"] = None
    return found
