"""Planning an evaluation: resolve its dataset, prompts, models and rules before anything is sent."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from distilltest.config import Config
from distilltest.data.dataset import load_dataset
from distilltest.data.prompt import Prompt, load_prompt
from distilltest.errors import SuiteError
from distilltest.evaluations.declaration import Evaluation
from distilltest.evaluations.selection import CaseSelection
from distilltest.evaluations.source import compared_roles
from distilltest.gate import InterimAnalyses, Rule, rules_from
from distilltest.records import Case, Dataset, Model, Outcome, Request

if TYPE_CHECKING:
    from distilltest.evaluations.labels import Labels

CHUNK = 500
"""Cases rendered and graded at a time, while the next chunk is fetched. Bounds memory."""
_ORDER = ("base", "teacher", "candidate")
PROMOTED = "promoted"
"""The only role that may be vacant. Rules about it do not apply before the first promotion."""


class PlannedRequest(NamedTuple):
    """A request, with its case, role and trial."""

    case: Case
    role: str
    trial: int
    request: Request


@dataclass(frozen=True)
class Plan:
    """An evaluation with its models, prompts and cases resolved."""

    id: str
    evaluation: Evaluation
    gate: tuple[Rule, ...]
    """The suite's rules, or those in distilltest.yaml."""
    dataset: Dataset
    cases: tuple[Case, ...]
    """In the order in which they are asked: that of the dataset, or a fixed random order with ``--stop-early``."""
    narrowed: str | None
    models: dict[str, Model]
    prompts: dict[str, Prompt]
    idle: Mapping[str, Model]
    """Configured roles that neither a rule nor the test function names: asked only if a grader needs their answer."""
    root: Path
    """The folder of relative paths."""
    analyses: InterimAnalyses
    """When the gate decides: once, at the end, unless the run may stop early."""
    leaked: tuple[str, ...] = ()
    """Ids of the cases in the candidate's training file, if that file is known."""
    labels: Labels | None = None
    """People's labels of answers."""
    forgotten_attempts: tuple[str, ...] = ()
    """Attempts on the dataset that do not count, and why: one sentence each."""
    share: float = 1.0
    """This attempt's share of the configured level."""
    configured_alpha: float | None = None
    """The level in distilltest.yaml if attempts share it."""
    notes: tuple[str, ...] = ()
    """Sentences for the report."""
    vacant: tuple[str, ...] = ()
    """Roles without a model yet."""
    demanded: dict[str, Prompt] = field(default_factory=dict)
    """Idle role whose answer a grader needed → its prompt."""

    @classmethod
    def of(
        cls,
        identity: str,
        evaluation: Evaluation,
        config: Config,
        selection: CaseSelection,
        *,
        offline: bool = False,
        stop_early: bool = False,
    ) -> Plan:
        """Resolve an evaluation.

        Args:
            identity: The pytest node id.
            evaluation: What the decorator declared.
            config: Models, prompts, rules and limits.
            selection: The options that select cases.
            offline: Send nothing, so that servers are not checked.
            stop_early: Plan interim analyses, and ask the cases in random order.

        Raises:
            DistilltestError: The dataset, a prompt, a role or a server is missing or wrong.
        """
        dataset = load_dataset(config.root / evaluation.dataset, evaluation.dataset)
        gate = gate_of(identity, evaluation, config)
        vacant = (PROMOTED,) if PROMOTED not in config.models else ()
        needed = [role for rule in gate for role in rule.needs if role not in vacant]
        unknown = [role for role in evaluation.roles if role not in config.models]
        if unknown:
            raise SuiteError(
                f"{identity}: roles= names the role {unknown[0]!r}, which has no model "
                f"(configured: {', '.join(config.models)}). Add it under models: in distilltest.yaml, or leave it out."
            )
        for role in needed:
            if role not in config.models and role not in ("base", "teacher", "candidate"):
                raise SuiteError(
                    f"{identity}: a rule names the role {role!r}, which has no model "
                    f"(configured: {', '.join(config.models)}). Add it under models: in distilltest.yaml, or correct the rule."
                )
        compared = [role for role in compared_roles(evaluation.body) if role in config.models]
        asked = dict.fromkeys(["candidate", *needed, *compared, *evaluation.roles])
        roles = [role for role in _ORDER if role in asked]
        roles += [role for role in asked if role not in roles]
        models = {role: config.model(role) for role in roles}
        idle = {role: model for role, model in config.models.items() if role not in models}
        if not offline:
            for model in models.values():
                config.server(model.server)
            config.check_budget(models.values())
        prompts = {}
        for role, model in models.items():
            name = prompt_of(model, evaluation)
            prompts[role] = load_prompt(config.root / name, name)
        unknown = [role for role in evaluation.prompts if role not in (*models, *idle, PROMOTED)]
        if unknown:
            raise SuiteError(
                f"{identity}: prompts= names the role {unknown[0]!r}; the roles here are {', '.join([*models, *idle])}."
            )
        cases = selection.of(dataset)
        if stop_early:
            cases = tuple(random.Random(dataset.fingerprint).sample(cases, len(cases)))  # noqa: S311  # no secret
        labels = None
        if evaluation.labels:
            from distilltest.evaluations.labels import load_labels

            labels = load_labels(config.root / evaluation.labels, evaluation.labels, dataset)
        return cls(
            id=identity,
            evaluation=evaluation,
            gate=gate,
            dataset=dataset,
            cases=cases,
            narrowed=selection.narrowed(),
            models=models,
            prompts=prompts,
            idle=idle,
            root=config.root,
            vacant=vacant,
            analyses=InterimAnalyses.plan(len(cases), config.alpha, stop_early),
            labels=labels,
        )

    @property
    def calls(self) -> int:
        """The number of completions that the evaluation needs."""
        return len(self.cases) * len(self.models) * self.evaluation.trials

    def request(self, case: Case, role: str, trial: int) -> Request:
        """The request to one role.

        Raises:
            SuiteError: The role is unknown.
        """
        model = self.models.get(role) or self.idle.get(role)
        if model is None:
            raise SuiteError(f"{self.id}: preference({role!r}): the roles are {', '.join([*self.models, *self.idle])}.")
        prompt = self.prompts.get(role) or self.demanded.get(role)
        if prompt is None:
            name = prompt_of(model, self.evaluation)
            prompt = self.demanded[role] = load_prompt(self.root / name, name)
        messages = prompt.render(case)
        return Request(model.server, model.base_url, model.model, messages, model.parameters, trial)

    def demand_a_grade(self, outcome: Outcome) -> None:
        """Fail at once, and not at the end, on an answer without a grade if a rule reads grades.

        Raises:
            SuiteError: A rule reads grades of the outcome's role.
        """
        if outcome.passed is not None or outcome.failure is not None:
            return
        rule = next((rule for rule in self.gate if rule.reads_grades and outcome.role in rule.needs), None)
        if rule is not None:
            raise SuiteError(
                f"{self.id}: the rule {rule.describe()!r} is about grades of {outcome.role}, and its answer to case "
                f"{outcome.case_id!r} has none: preference() only compares. Call a grader as well (exact_match, criteria_match, "
                "...), or use preferred_to(role) instead of the rule."
            )

    def request_text(self, case: Case) -> str:
        """The last user message of the candidate's request."""
        messages = self.prompts["candidate"].render(case)
        return next((m["content"] for m in reversed(messages) if m["role"] == "user"), "")

    def chunks(self) -> list[range]:
        """The positions of the cases, by chunk. No chunk spans an interim analysis."""
        starts = (0, *self.analyses.cases)
        return [
            range(start, min(start + CHUNK, end))
            for begin, end in zip(starts, self.analyses.cases, strict=False)
            for start in range(begin, end, CHUNK)
        ]

    def slots(self, chunk: range) -> list[PlannedRequest]:
        """The requests of one chunk of cases."""
        prompts = {prompt.fingerprint: prompt for prompt in self.prompts.values()}  # usually one for all roles
        return [
            PlannedRequest(
                case, role, trial, Request(model.server, model.base_url, model.model, messages, model.parameters, trial)
            )
            for case in self.cases[chunk.start : chunk.stop]
            for rendered in [{name: prompt.render(case) for name, prompt in prompts.items()}]
            for role, model in self.models.items()
            for messages in [rendered[self.prompts[role].fingerprint]]
            for trial in range(self.evaluation.trials)
        ]


def gate_of(identity: str, evaluation: Evaluation, config: Config) -> tuple[Rule, ...]:
    """The rules of an evaluation: the suite's, else those in distilltest.yaml.

    Raises:
        SuiteError: There are none, or those in distilltest.yaml are wrong.
    """
    if evaluation.gate is not None:
        return evaluation.gate
    if not config.gate_rules:
        raise SuiteError(
            f"{identity}: the evaluation has no gate=, and {config.source or 'distilltest.yaml'} has no rules for all. "
            'Give gate=[better_than("base"), ...], or write gate: {rules: [{better_than: base}]} into distilltest.yaml.'
        )
    return rules_from(config.gate_rules)


def prompt_of(model: Model, evaluation: Evaluation) -> str:
    """The evaluation's prompt for the role, else the model's own, else the evaluation's.

    The promoted model was a candidate: without its own prompt it gets the candidate's.
    """
    own = model.prompt if model.prompt_instead_of in (None, evaluation.prompt) else None
    as_candidate = evaluation.prompts.get("candidate") if model.role == PROMOTED else None
    return evaluation.prompts.get(model.role) or as_candidate or own or evaluation.prompt
