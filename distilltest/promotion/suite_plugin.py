"""A pytest plugin that reports a suite's declarations to :mod:`distilltest.promotion.suite`."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from distilltest.evaluations.declaration import Evaluation
    from distilltest.promotion.suite import Declared


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write every evaluation to the result file."""
    from distilltest.evaluations.declaration import ATTRIBUTE
    from distilltest.promotion.suite import RESULT

    evaluations: Any = session.config.pluginmanager.getplugin("distilltest-session")
    found = []
    for item in session.items:
        function = getattr(item, "obj", None)
        function = getattr(function, "__func__", function)
        evaluation = getattr(function, "__dict__", {}).get(ATTRIBUTE)
        if evaluation is not None:
            found.append(_declared(evaluations, item.nodeid, evaluation))
    Path(os.environ[RESULT]).write_bytes(pickle.dumps(found))


def _declared(evaluations: Any, identity: str, evaluation: Evaluation) -> Declared:
    from distilltest.data.dataset import load_dataset
    from distilltest.errors import DistilltestError
    from distilltest.evaluations.plan import gate_of
    from distilltest.promotion.origin import settings_of
    from distilltest.promotion.suite import Declared

    session = evaluations.start()
    try:
        dataset = load_dataset(session.root / evaluation.dataset, evaluation.dataset)
        gate = gate_of(identity, evaluation, session.base_config)
    except DistilltestError as error:
        return Declared(identity, error=str(error))
    declared = Declared(
        id=identity,
        dataset=dataset.name,
        dataset_fingerprint=dataset.fingerprint,
        clusters={case.id: case.cluster for case in dataset.cases},
        tags={case.id: case.tags for case in dataset.cases},
        metric=evaluation.metric,
        trials=evaluation.trials,
        rules=tuple(rule.describe() for rule in gate),
        gate=_pickled(gate),
    )
    try:
        plan = session.plan(identity, evaluation)
        return replace(
            declared,
            requests={case.id: plan.request_text(case) for case in plan.dataset.cases},
            alpha=session.config.alpha,
            settings=settings_of(plan, session.config, session.store),
            roles={
                role: (model.model, model.server, dict(model.parameters), prompt.name, prompt.fingerprint)
                for role, model in plan.models.items()
                for prompt in [plan.prompts[role]]
            },
        )
    except DistilltestError as error:
        return replace(declared, error=str(error))


def _pickled(gate: Any) -> bytes:
    try:
        return pickle.dumps(gate)
    except Exception:  # a rule that the suite defines
        return b""
