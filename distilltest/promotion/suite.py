"""Collect the suite as it is now with pytest, with fingerprints of everything that it would evaluate."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distilltest.errors import SuiteError
from distilltest.gate import Rule
from distilltest.reporting.report import EvaluationReport

RESULT = "DISTILLTEST_SUITE_RESULT"
"""The environment variable with the path that the collecting process writes to."""
_MINUTES = 10


@dataclass(frozen=True, slots=True)
class Declared:
    """One evaluation, as the suite declares it now."""

    id: str
    error: str = ""
    """Why its roles could not be resolved or its dataset could not be read; the unknown fields below are then empty."""
    dataset: str = ""
    dataset_fingerprint: str = ""
    clusters: Mapping[str, str | None] | None = None
    """Case id → its cluster, in the order of the dataset."""
    tags: Mapping[str, tuple[str, ...]] | None = None
    """Case id → its tags."""
    requests: Mapping[str, str] | None = None
    """Case id → its last user message, as the candidate gets it."""
    metric: str = ""
    trials: int = 1
    alpha: float = 0.05
    rules: tuple[str, ...] = ()
    """Each rule in words."""
    roles: Mapping[str, tuple[str, str, Mapping[str, Any], str, str]] | None = None
    """Role → model, server, parameters, prompt, fingerprint of the prompt."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Other inputs of its verdict, see :mod:`distilltest.promotion.origin`."""
    gate: bytes = b""
    """The rules, pickled by the process that collected them."""

    def load_gate(self) -> tuple[Rule, ...] | None:
        """The rules; None if their class is defined in the suite."""
        try:
            rules: tuple[Rule, ...] = pickle.loads(self.gate)  # noqa: S301  # our own process wrote it a moment ago
        except Exception:
            return None
        return rules

    def changes_since(self, report: EvaluationReport) -> list[str]:
        """Describe what has changed since a report was made; empty if nothing has."""
        found = []
        if self.dataset_fingerprint != report.dataset_fingerprint:
            found.append(f"the dataset {self.dataset} has changed")
        was = tuple(rule.rule for rule in report.verdict.rules)
        if self.rules != was:
            found.append(f"the gate was [{', '.join(was)}] and is [{', '.join(self.rules)}]")
        before = {"metric": report.metric, "trials": report.trials, "alpha": report.configured_alpha or report.alpha}
        found += [
            f"{name} was {was} and is {getattr(self, name)}"
            for name, was in before.items()
            if was != getattr(self, name)
        ]
        lines = {line.role: line for line in report.roles}
        for role, (model, server, parameters, prompt, prompt_fingerprint) in (self.roles or {}).items():
            line = lines.pop(role, None)
            if line is None:
                found.append(f"{role} is {model} now, and was not compared with")
                continue
            if (line.model, line.server) != (model, server):
                found.append(f"{role} was {line.model} on {line.server} and is {model} on {server}")
            elif dict(line.parameters) != dict(parameters):
                found.append(f"the parameters of {role} were {line.parameters} and are {dict(parameters)}")
            if line.prompt_fingerprint != prompt_fingerprint:
                found.append(f"the prompt of {role} ({prompt}) has changed")
        found += [f"{role} is no longer compared with" for role in lines]
        return found


def collect_suite(root: Path, paths: Sequence[str], candidate: str) -> dict[str, Declared]:
    """Collect the suite with pytest in its own process, and resolve every evaluation without sending anything.

    Args:
        root: The folder of distilltest.yaml, pytest's rootdir.
        paths: Files and folders, relative to the root; missing ones are left out.
        candidate: The candidate's model.

    Returns:
        Node id → evaluation, in pytest's order.

    Raises:
        SuiteError: pytest could not collect the suite.
    """
    there = [path for path in paths if (root / path).exists()]
    if not there:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "suite"
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--offline", "--candidate", candidate]
        command += [
            "-p",
            "distilltest.promotion.suite_plugin",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(root),
            *there,
        ]
        environment = {**os.environ, RESULT: str(result)}
        try:
            done = subprocess.run(  # noqa: S603  # our own interpreter, no shell
                command, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=60 * _MINUTES
            )
        except subprocess.TimeoutExpired:
            raise SuiteError(f"pytest did not collect {', '.join(there)} within {_MINUTES} minutes.") from None
        if done.returncode not in (0, 5) or not result.is_file():
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
            raise SuiteError(f"pytest cannot collect {', '.join(there)} (exit code {done.returncode}):\n{said}")
        found: list[Declared] = pickle.loads(result.read_bytes())  # noqa: S301  # our own process wrote it just now
    return {declared.id: declared for declared in found}
