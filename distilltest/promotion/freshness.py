"""Whether a run is still current, for ``distilltest promote`` and ``distilltest distill``.

An evaluation's inputs are recorded in its report when it runs (:mod:`distilltest.promotion.origin`). Declarations (dataset,
prompts, gate, models) are compared by meaning, code and the files that it reads by their bytes, and the rest of the
configuration by its values.
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
    """Describe what has changed since an evaluation ran; empty if nothing has.

    Args:
        now: The evaluation, as the suite declares it now.
        run: The run.
        report: The run's report on the evaluation.
        config: The current configuration.
    """
    found = [*now.changes_since(report), *_other_judges(report, config)]
    used = {use.judge for use in report.judges}
    for name, was in report.settings.items():
        unused = name.startswith(JUDGE) and name.removeprefix(JUDGE).strip("'\"") not in used
        said = any(name.removeprefix(JUDGE) in each for each in found)  # the judge's change is described already
        if now.settings.get(name) != was and not unused and not said:
            found.append(f"{name} has changed")
    since = code.changed_since(_made_of(now, run, report), config.root)
    return [*found, *(f"{name} has changed" for name in since)]


def _made_of(now: Declared, run: StoredRun, report: EvaluationReport) -> Mapping[str, str]:
    """File → its SHA-256. Older versions recorded only code files, the oldest only the test file."""
    if report.files:
        return report.files
    path = now.id.partition("::")[0]
    known: str | dict[str, str] = (run.record or {}).get("suites", {}).get(path, "")
    return {path: known} if isinstance(known, str) else known


def why_not_whole(run: StoredRun) -> str | None:
    """Why a run proves nothing, regardless of its verdict; None if it is complete."""
    if run.record is None:
        return "was interrupted" if run.finished is None else "was made by an older distilltest"
    if run.record["narrowed"]:
        return f"ran only a part ({run.record['narrowed']})"
    return run.record["unfinished"] and f"is not complete: {run.record['unfinished']}"


def why_again(config: Config, store: Store, run_id: str, suites: str, model: str) -> list[str]:
    """Describe why a run cannot stand in for running a suite again; empty if it can.

    Args:
        config: The current configuration.
        store: The store with the run.
        run_id: The run.
        suites: The file or folder that it ran, relative to the root.
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
    except DistilltestError:  # running pytest again shows the error
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
    """The current fingerprint of a prompt of the project, or of a built-in judge prompt; empty if there is none."""
    try:
        return prompt_named(name, root).fingerprint
    except DistilltestError:
        return ""


def _other_judges(report: EvaluationReport, config: Config) -> Iterable[str]:
    """Describe the judges that have changed since they gave their verdicts."""
    found: dict[str, None] = {}
    for use in report.judges:
        judge = config.judges.get(use.judge)
        if judge is None:
            found[f"the judge {use.judge!r} is no longer configured"] = None
            continue
        if use.prompt.startswith(IMPORTED):  # its model and its prompt are in the suite
            continue
        if judge.model.model != use.model:
            found[f"the judge {use.judge!r} was {use.model} and is {judge.model.model}"] = None
        if prompt_fingerprint(use.prompt, config.root) != use.prompt_fingerprint:
            found[f"the prompt {use.prompt} of the judge {use.judge!r} has changed"] = None
    return found
