"""An evaluation with everything resolved, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from distilltest.config import Config
from distilltest.dataset import load_dataset
from distilltest.errors import SuiteError
from distilltest.evaluations.declaration import Evaluation
from distilltest.evaluations.selection import Selection
from distilltest.prompt import Prompt, load_prompt
from distilltest.records import Case, Dataset, Model, Request

CHUNK = 500
"""Cases that are rendered and graded at a time. The next chunk is being fetched meanwhile, and memory stays flat."""
_ORDER = ("base", "teacher", "candidate")


class Slot(NamedTuple):
    """A request, and what it is for."""

    case: Case
    role: str
    trial: int
    request: Request


@dataclass(frozen=True)
class Plan:
    """An evaluation with everything resolved: models, prompts, cases. Nothing has been sent yet."""

    id: str
    evaluation: Evaluation
    dataset: Dataset
    cases: tuple[Case, ...]
    narrowed: str | None
    models: dict[str, Model]
    prompts: dict[str, Prompt]

    @classmethod
    def of(
        cls, identity: str, evaluation: Evaluation, config: Config, selection: Selection, offline: bool = False
    ) -> Plan:
        """Resolve an evaluation.

        Raises:
            DistilltestError: The dataset, a prompt, a role or a server is missing or wrong.
        """
        dataset = load_dataset(config.root / evaluation.dataset, evaluation.dataset)
        needed = [role for rule in evaluation.gate for role in rule.needs]
        for role in needed:
            if role not in config.models and role not in ("base", "teacher", "candidate", "promoted"):
                raise SuiteError(
                    f"{identity}: a rule names the role {role!r}, which nothing plays "
                    f"(configured: {', '.join(config.models)}). Add it under models: in distilltest.yaml, or mend the rule."
                )
        roles = [role for role in _ORDER if role in config.models or role in needed or role == "candidate"]
        roles += [role for role in dict.fromkeys(needed) if role not in roles]
        models = {role: config.model(role) for role in roles}
        if not offline:
            for model in models.values():
                config.server(model.server)
            config.check_budget(models.values())
        prompts = {}
        for role, model in models.items():
            name = _prompt_of(model, evaluation)
            prompts[role] = load_prompt(config.root / name, name)
        unknown = [role for role in evaluation.prompts if role not in models]
        if unknown:
            raise SuiteError(
                f"{identity}: prompts= names the role {unknown[0]!r}; the roles here are {', '.join(models)}."
            )
        return cls(identity, evaluation, dataset, selection.of(dataset), selection.narrowed(), models, prompts)

    @property
    def calls(self) -> int:
        """Completions that the evaluation needs."""
        return len(self.cases) * len(self.models) * self.evaluation.trials

    def request(self, case: Case, role: str, trial: int) -> Request:
        """What one role is asked.

        Raises:
            SuiteError: The role is not of this evaluation.
        """
        if role not in self.models:
            raise SuiteError(f"{self.id}: preference({role!r}): the roles are {', '.join(self.models)}.")
        model = self.models[role]
        messages = self.prompts[role].render(case)
        return Request(model.server, model.base_url, model.model, messages, model.parameters, trial)

    def request_text(self, case: Case) -> str:
        """The last user message of a case, as the candidate is asked."""
        messages = self.prompts["candidate"].render(case)
        return next((m["content"] for m in reversed(messages) if m["role"] == "user"), "")

    def slots(self, start: int = 0) -> list[Slot]:
        """The requests of one chunk of cases, with what each is for."""
        return [
            Slot(
                case, role, trial, Request(model.server, model.base_url, model.model, messages, model.parameters, trial)
            )
            for case in self.cases[start : start + CHUNK]
            for role, model in self.models.items()
            for messages in [self.prompts[role].render(case)]
            for trial in range(self.evaluation.trials)
        ]


def _prompt_of(model: Model, evaluation: Evaluation) -> str:
    """The evaluation's own prompt for the role, else the model's, else the evaluation's."""
    own = model.prompt if model.prompt_instead_of in (None, evaluation.prompt) else None
    return evaluation.prompts.get(model.role) or own or evaluation.prompt
