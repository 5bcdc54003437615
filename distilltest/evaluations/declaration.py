"""What ``@evaluation`` declares."""

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
"""Where a decorated test function carries its evaluation."""
listen()  # whoever imports this loads a suite: what it reads from here on, its evaluations are about


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A test function's dataset, prompt and gate."""

    body: Callable[..., Any]
    """The function as it was written."""
    dataset: str
    prompt: str
    gate: tuple[Rule, ...] | None
    """None for the rules of distilltest.yaml."""
    trials: int = 1
    metric: str = "pass"
    prompts: Mapping[str, str] = field(default_factory=dict)
    """Role → a prompt of its own in this evaluation."""
    labels: str | None = None
    """A file with what people said of answers."""
    roles: tuple[str, ...] = ()
    """Roles that are asked although nothing needs them."""

    def check(self, place: str) -> None:
        """Complain of what cannot work, before anything is paid for.

        Raises:
            SuiteError: The rules, the numbers or the function's parameters are wrong.
        """
        if self.labels is not None and not isinstance(self.labels, str):
            raise SuiteError(f"{place}: labels={self.labels!r}; it is the path of a file, as a text.")
        if not isinstance(self.dataset, str) or not isinstance(self.prompt, str):
            raise SuiteError(f"{place}: dataset= and prompt= of @evaluation are paths of files, as texts.")
        if not all(isinstance(text, str) for pair in self.prompts.items() for text in pair):
            raise SuiteError(f"{place}: prompts={dict(self.prompts)!r}: role -> path of a prompt file, both texts.")
        if not isinstance(self.roles, tuple) or not all(isinstance(role, str) and role for role in self.roles):
            raise SuiteError(f'{place}: roles={self.roles!r}; it is a list of names, such as ["teacher"].')
        if "completion" not in inspect.signature(self.body).parameters:
            raise SuiteError(
                f"{place}: the test function of an evaluation takes `completion`, what the model answered. "
                "Write def test_...(case, completion, exact_match)."
            )
        if self.gate is not None and not self.gate:
            raise SuiteError(
                f'{place}: the gate has no rules, so it could never block. Give gate=[better_than("base"), ...].'
            )
        for rule in self.gate or ():
            if not isinstance(rule, Rule):
                raise SuiteError(
                    f"{place}: {rule!r} in gate= is no rule. Rules are better_than(...), not_worse_than(...), ..."
                )
        if self.metric not in ("pass", "score"):
            raise SuiteError(f"{place}: metric={self.metric!r}; there are 'pass' and 'score'.")
        if not isinstance(self.trials, int) or isinstance(self.trials, bool) or self.trials < 1:
            raise SuiteError(f"{place}: trials={self.trials!r}; it is a whole number from 1.")


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
    """Make a test function an evaluation: its body grades every case on every role, its gate decides.

    Args:
        dataset: Path of the dataset, relative to the folder of distilltest.yaml (pytest's rootdir without one).
        prompt: Path of the prompt; a role may have one of its own in distilltest.yaml.
        gate: The rules that the candidate must meet, all of them; without it, those under ``gate: rules:`` in distilltest.yaml.
        trials: Completions of each request. The gate compares the mean of a case's trials.
        metric: What the gate compares: ``"pass"`` (all grades of a case passed) or ``"score"`` (their mean).
        prompts: Role → prompt, for roles that are asked differently here: a tuned student with a short one, say.
        labels: Path of a file with what people said of answers (case, answer, passed). They decide: alone, or, with 200 labelled
            pairs or more, sharpened by the judge. ``distilltest judge sample`` makes one to fill in.
        roles: Roles that are asked although no rule is about them and the test function does not name them in ``preference()``:
            to show them in the report, or to learn from their answers.

    A mistake in the arguments is reported when pytest collects the function.
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
        # A plain wrapper: other plugins must not take an `async def` body for a test of theirs.

        @functools.wraps(function)
        def test(**arguments: Any) -> None:
            raise SuiteError(
                f"{function.__name__} is an evaluation; pytest runs it when the plugin distilltest is loaded."
            )

        setattr(test, ATTRIBUTE, declared)
        return test  # type: ignore[return-value]  # it stands for the function

    return decorate
