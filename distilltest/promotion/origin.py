"""Record an evaluation's inputs in its report when it runs, so that later changes can be detected."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from distilltest.config import Config
from distilltest.data.whole_files import file_fingerprint
from distilltest.evaluations.plan import Plan, prompt_of
from distilltest.process.watched import files_read, not_noted
from distilltest.promotion import NAME
from distilltest.records import Model, fingerprint
from distilltest.reporting.report import EvaluationReport
from distilltest.store import Store

JUDGE = "the settings of the judge "
_IDLE = "what a grader reads of the role {!r}"


def with_origin(
    report: EvaluationReport, plan: Plan, config: Config, store: Store, sources: Mapping[str, str]
) -> EvaluationReport:
    """The report with the inputs of its evaluation.

    Args:
        report: The report.
        plan: The resolved evaluation.
        config: The configuration that it ran with.
        store: Has the candidate's training file.
        sources: The :func:`code.fingerprints` of its test file before it ran.
    """
    root = config.root.resolve()
    read = [path.relative_to(root).as_posix() for path in files_read(root, config.reports_dir)]
    labels = [plan.labels.name] if plan.labels is not None else []
    with not_noted():
        files = {**{name: file_fingerprint(root / name) for name in [*read, *labels]}, **sources}
    declared = (plan.dataset.name, *(prompt.name for prompt in plan.prompts.values()))
    by_meaning = {NAME, *(os.path.normpath(name) for name in declared)}
    by_meaning |= {config.source.name} if config.source else set()
    own = config.reports_dir.resolve()
    kept = {n: sha for n, sha in files.items() if n not in by_meaning and not (root / n).is_relative_to(own)}
    never_asked = {_IDLE.format(role) for role in plan.idle if role not in plan.demanded}
    settings = {name: value for name, value in settings_of(plan, config, store).items() if name not in never_asked}
    return replace(report, files=kept, settings=settings)


def settings_of(plan: Plan, config: Config, store: Store) -> dict[str, str]:
    """The other inputs of a verdict: their names for use in a sentence → the value or its fingerprint."""
    judges = {f"{JUDGE}{name!r}": [_asked(judge.model), judge.structured] for name, judge in config.judges.items()}
    servers = {f"the address of the server {model.server!r}": model.base_url for model in plan.models.values()}
    idle = {
        _IDLE.format(role): [_asked(model), file_fingerprint(config.root / prompt_of(model, plan.evaluation))]
        for role, model in plan.idle.items()
    }
    found: dict[str, Any] = {**judges, **servers, **idle}
    if config.embeddings is not None:
        found["the model for embeddings"] = _asked(config.embeddings)
    found["the number of attempts that share the level"] = config.attempts
    if any(rule.reads_prices for rule in plan.gate):
        prices = {model.model: str(config.prices.get(model.model)) for model in plan.models.values()}
        found["the price list"] = prices
    known = store.tuned(plan.models["candidate"].model)
    with not_noted():
        path = Path(str(known.get("training_file", "")))
        if known.get("sha256") and file_fingerprint(path) == known["sha256"]:
            found[f"the training file {path.name}"] = known["sha256"]
    return {name: fingerprint(value) for name, value in found.items()} | {
        "the version of distilltest": metadata.version("distilltest")
    }


def _asked(model: Model) -> list[Any]:
    return [model.base_url, model.model, dict(model.parameters)]
