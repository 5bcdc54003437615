"""A pytest plugin for one purpose: to tell :mod:`distilltest.promotion.suite` what a suite declares."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from distilltest.evaluations.declaration import Evaluation
    from distilltest.promotion.suite import Declared


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write down every evaluation."""
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
    from distilltest.errors import DistilltestError
    from distilltest.promotion.suite import Declared

    try:
        session = evaluations.start()
        plan = session.plan(identity, evaluation)
        requests = {case.id: plan.request_text(case) for case in plan.dataset.cases}
    except DistilltestError as error:
        return Declared(identity, error=str(error))
    return Declared(
        id=identity,
        dataset=plan.dataset.name,
        dataset_fingerprint=plan.dataset.fingerprint,
        clusters={case.id: case.cluster for case in plan.dataset.cases},
        tags={case.id: case.tags for case in plan.dataset.cases},
        requests=requests,
        metric=evaluation.metric,
        trials=evaluation.trials,
        alpha=session.config.alpha,
        rules=tuple(rule.describe() for rule in plan.gate),
        roles={
            role: (
                model.model,
                model.server,
                dict(model.parameters),
                plan.prompts[role].name,
                plan.prompts[role].fingerprint,
            )
            for role, model in plan.models.items()
        },
        gate=_pickled(plan.gate),
    )


def _pickled(gate: Any) -> bytes:
    try:
        return pickle.dumps(gate)
    except Exception:  # a rule of the suite's own
        return b""
