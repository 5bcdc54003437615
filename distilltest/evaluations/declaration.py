"""The ``@evaluation`` decorator and what it declares."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from distilltest.errors import SuiteError
from distilltest.gate import Rule
from distilltest.process.watched import listen

F = TypeVar("F", bound=Callable[..., Any])

ATTRIBUTE = "__distilltest_evaluation__"
"""The attribute of a decorated test function that holds its evaluation."""
listen()  # A suite imports this module. From here on, record the files that it reads: its evaluations depend on them.


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A test function's dataset, prompt and gate."""

    body: Callable[..., Any]
    """The undecorated function."""
    dataset: str
    prompt: str
    gate: tuple[Rule, ...] | None
    """None for the rules in distilltest.yaml."""
    trials: int = 1
    metric: str = "pass"
    prompts: Mapping[str, str] = field(default_factory=dict)
    """Role → its own prompt file in this evaluation."""
    labels: str | None = None
    """A file with people's labels of answers."""
    roles: tuple[str, ...] = ()
    """Roles to ask although no rule needs them."""

    def check(self, place: str) -> None:
        """Check the arguments before anything is sent.

        Raises:
            SuiteError: The rules, the numbers or the function's parameters are wrong.
        """
        if self.labels is not None and not isinstance(self.labels, str):
            raise SuiteError(f"{place}: labels={self.labels!r} must be the path of a file, as a string.")
        if not isinstance(self.dataset, str) or not isinstance(self.prompt, str):
            raise SuiteError(f"{place}: dataset= and prompt= of @evaluation must be paths of files, as strings.")
        if not all(isinstance(text, str) for pair in self.prompts.items() for text in pair):
            raise SuiteError(
                f"{place}: prompts={dict(self.prompts)!r} must map roles to paths of prompt files, all strings."
            )
        if not isinstance(self.roles, tuple) or not all(isinstance(role, str) and role for role in self.roles):
            raise SuiteError(f'{place}: roles={self.roles!r} must be a list of names, such as ["teacher"].')
        if "completion" not in inspect.signature(self.body).parameters:
            raise SuiteError(
                f"{place}: the test function of an evaluation takes `completion`, the answer of the model, as a parameter. "
                "Write def test_...(case, completion, exact_match)."
            )
        if self.gate is not None and not self.gate:
            raise SuiteError(
                f'{place}: the gate has no rules, so it could never block. Give gate=[better_than("base"), ...].'
            )
        for rule in self.gate or ():
            if not isinstance(rule, Rule):
                raise SuiteError(
                    f"{place}: {rule!r} in gate= is not a rule. Rules are better_than(...), not_worse_than(...), ..."
                )
        if self.metric not in ("pass", "score"):
            raise SuiteError(f"{place}: metric={self.metric!r} must be 'pass' or 'score'.")
        if not isinstance(self.trials, int) or isinstance(self.trials, bool) or self.trials < 1:
            raise SuiteError(f"{place}: trials={self.trials!r} must be a whole number, at least 1.")


def evaluation(
    *,
    dataset: str,
    prompt: str,
    gate: Sequence[Rule] | Rule | None = None,
    trials: int = 1,
    metric: str = "pass",
    prompts: Mapping[str, str] | None = None,
    labels: str | None = None,
    roles: Sequence[str] = (),
) -> Callable[[F], F]:
    """Turn a test function into an evaluation: its body grades the answer of every role to every case; the gate decides.

    Args:
        dataset: Path of the dataset, relative to the folder of distilltest.yaml, or to pytest's rootdir if there is none.
        prompt: Path of the prompt. A role may have its own prompt in distilltest.yaml.
        gate: The rules, all of which the candidate must meet; by default those under ``gate: rules:`` in distilltest.yaml.
        trials: Completions per request. The gate compares the mean over the trials of a case.
        metric: What the gate compares: ``"pass"`` (whether all grades of an answer passed) or ``"score"`` (their mean).
        prompts: Role → prompt file, for roles with another prompt here, such as a tuned student with a shorter one.
        labels: Path of a file with people's labels of answers (case, answer, passed). The gate then decides by the labels: alone,
            or combined with the judge's grades from 200 labelled pairs on. ``distilltest judge sample`` writes a file to fill in.
        roles: Further roles to ask, for the report or for training data. Roles that a rule or ``preference()`` names are
            always asked.

    Mistakes in the arguments are reported when pytest collects the function.
    """

    def decorate(function: F) -> F:
        declared = Evaluation(
            body=function,
            dataset=dataset,
            prompt=prompt,
            gate=(gate,) if isinstance(gate, Rule) else None if gate is None else tuple(gate),
            trials=trials,
            metric=metric,
            prompts=dict(prompts or {}),
            labels=labels,
            roles=tuple(roles) if isinstance(roles, list | tuple) else roles,  # type: ignore[arg-type]  # check() refuses it
        )

        # Not async, even around an `async def` body: other plugins would run that themselves.
        @functools.wraps(function)
        def test(**arguments: Any) -> None:
            raise SuiteError(
                f"{function.__name__} is an evaluation; pytest runs it if the distilltest plugin is loaded."
            )

        setattr(test, ATTRIBUTE, declared)
        return test  # type: ignore[return-value]  # it replaces the function

    return decorate
