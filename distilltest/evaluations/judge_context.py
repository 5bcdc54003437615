"""The judge context of an evaluation: what judged graders need of its engine, judges and other answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from distilltest.completions.engine import Engine
from distilltest.config import Config, Judge
from distilltest.errors import ConfigError, JudgeFailed, SuiteError
from distilltest.evaluations.grading import JudgeOptions
from distilltest.evaluations.plan import Plan
from distilltest.evaluations.results import JudgeUse
from distilltest.records import CallFailure, Case, Completion, Request, fingerprint
from distilltest.store import Store

if TYPE_CHECKING:
    from distilltest.judges import Judgement, Question
    from distilltest.judges.calibration import Calibration

_Use = tuple[str, str, str, str, str, str]
"""Grader, judge, model, fingerprint of its parameters, prompt, fingerprint of the prompt."""


class EvaluationJudgeContext:
    """Implements :class:`distilltest.evaluations.grading.JudgeContext`. Its coroutines run on the engine's loop."""

    def __init__(self, config: Config, engine: Engine, store: Store, plan: Plan) -> None:
        self.root: Path = config.root
        self._config = config
        self._engine = engine
        self._store = store
        self._plan = plan
        self._asked: Counter[_Use] = Counter()
        self._failed: Counter[_Use] = Counter()
        self._orders: Counter[bool] = Counter()
        self._judges: dict[_Use, Judge] = {}
        self._calibrations: dict[_Use, dict[str, Calibration | None]] = {}
        """Use → criterion → calibration."""

    async def judge(self, question: Question, options: JudgeOptions) -> Judgement:
        """Ask a judge, and count the question.

        Raises:
            JudgeFailed: It gave no verdict.
            SuiteError: Its measured agreement with people is below what the suite requires.
        """
        from distilltest.judges import ask

        use, judge = self.demand(question, options)
        self._asked[use] += 1
        try:
            return await ask(question, judge, self._engine.complete, votes=options.votes, combine=options.combine)
        except JudgeFailed:
            self._failed[use] += 1
            raise

    def demand(self, question: Question, options: JudgeOptions) -> tuple[_Use, Judge]:
        """The judge to ask, after checking its agreement with people.

        Raises:
            SuiteError: The agreement is below what the suite requires. The evaluation ends, since no answer can change that.
        """
        judge = self._judge(options)
        use = (
            question.grader,
            judge.name,
            judge.model.model,
            fingerprint(dict(judge.model.parameters)),
            question.prompt.name,
            question.prompt.fingerprint,
        )
        self._judges[use] = judge
        _check_agreement(use, self._measured(use, question), options.requires_agreement)
        return use, judge

    async def embed(self, text: str) -> list[float]:
        """The embedding of a text, from the configured model.

        Raises:
            ConfigError: No embedding model is configured.
            JudgeFailed: The call failed.
        """
        model = self._config.embeddings
        if model is None:
            raise ConfigError(
                f"{self._config.source or self.root / 'distilltest.yaml'}: cosine needs a model for embeddings. "
                "Add `embeddings: {server: NAME, model: MODEL}`."
            )
        message = {"role": "user", "content": text}
        request = Request(
            model.server, model.base_url, model.model, (message,), model.parameters, endpoint="embeddings"
        )
        answer = await self._engine.complete(request)
        if isinstance(answer, CallFailure):
            raise JudgeFailed(f"cosine: {answer.message}", kind=f"embedding: {answer.kind}")
        vector: list[float] = orjson.loads(answer.text)
        return vector

    async def peer(self, case: Case, role: str, trial: int) -> Completion | None:
        """Another role's answer to the same case and trial; None if no model has the role yet.

        Raises:
            SuiteError: The role is unknown.
            JudgeFailed: Its call failed.
        """
        if role in self._plan.vacant:
            return None
        answer = await self._engine.complete(self._plan.request(case, role, trial))
        if isinstance(answer, CallFailure):
            raise JudgeFailed(f"preference: {role} has no answer: {answer.message}", kind=f"{role}: {answer.kind}")
        return answer

    def request_text(self, case: Case) -> str:
        """The last user message of the case, as the candidate was asked."""
        return self._plan.request_text(case)

    def orders(self, agree: bool) -> None:
        """Count whether a preference was the same in both orders."""
        self._orders[agree] += 1

    def uses(self) -> tuple[JudgeUse, ...]:
        """The judges that were asked, how often, and their agreement with people."""
        if not self._asked:
            return ()
        from distilltest.judges.calibration import agreement_over

        return tuple(
            JudgeUse(
                grader=grader,
                judge=name,
                model=model,
                prompt=prompt,
                prompt_fingerprint=version,
                asked=count,
                failed=self._failed[use],
                agreement=agreement_over(self._calibrations.get(use, {})),
                consistent=self._orders[True] / self._orders.total()
                if grader == "preference" and self._orders
                else None,
            )
            for use, count in sorted(self._asked.items())
            for grader, name, model, _, prompt, version in (use,)
        )

    def _judge(self, options: JudgeOptions) -> Judge:
        """The judge by its name, or by the model of an imported grader, with that grader's parameters.

        Raises:
            ConfigError: There is no such judge, or its price is unknown and there is a budget.
        """
        if options.model is None:
            found = self._config.judge(options.judge)
        else:
            known = [each for each in self._config.judges.values() if options.model in (each.name, each.model.model)]
            found = known[0] if known else self._config.judge(options.judge)
            if not known:
                found = replace(found, model=replace(found.model, model=options.model))
                self._config.check_budget([found.model])
        if not options.parameters:
            return found
        parameters = {**found.model.parameters, **options.parameters}
        return replace(found, model=replace(found.model, parameters=parameters))

    def _measured(self, use: _Use, question: Question) -> Calibration | None:
        """The calibration of a judge with this prompt and criterion, if it was measured."""
        from distilltest.judges.calibration import Calibration, criterion_of

        known, criterion = self._calibrations.setdefault(use, {}), criterion_of(question)
        if criterion not in known:
            known[criterion] = Calibration.load(
                self._store, question.grader, self._judges[use], question.prompt.fingerprint, criterion
            )
        return known[criterion]


def _check_agreement(use: _Use, known: Calibration | None, least: float | None) -> None:
    grader, name = use[:2]
    if least is None:
        return
    if known is None:
        raise SuiteError(
            f"{grader}: the suite demands an agreement of {least:g} with people, and judge {name!r} was not "
            "measured with this prompt and this criterion. "
            f"Run `distilltest judge calibrate --grader {grader} --labels FILE`."
        )
    if known.ac1_low < least:
        raise SuiteError(
            f"{grader}: judge {name!r} agrees with people by {known.ac1:.2f} (AC1, {known.n} labels), which may be "
            f"as little as {known.ac1_low:.2f}, and the suite demands {least:g}. Label more answers, improve the judge's "
            "prompt, or take another judge."
        )
