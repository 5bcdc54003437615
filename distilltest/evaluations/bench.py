"""Where judges sit: the engine, the judges and the other answers of one evaluation."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import orjson

from distilltest.config import Config
from distilltest.engine import Engine
from distilltest.errors import ConfigError, JudgeFailed
from distilltest.evaluations.plan import Plan
from distilltest.grading import JudgeOptions
from distilltest.judges import Judgement, Question, ask
from distilltest.judges.calibration import Calibration, agreement_of
from distilltest.records import CallFailure, Case, Completion, Request
from distilltest.results import JudgeUse
from distilltest.store import Store


class JudgeBench:
    """Implements :class:`distilltest.grading.Bench`. Its coroutines run on the engine's loop."""

    def __init__(self, config: Config, engine: Engine, store: Store, plan: Plan) -> None:
        self.root: Path = config.root
        self._config = config
        self._engine = engine
        self._store = store
        self._plan = plan
        self._asked: Counter[tuple[str, str, str, str]] = Counter()
        self._failed: Counter[tuple[str, str, str, str]] = Counter()
        self._orders: Counter[bool] = Counter()
        self._calibrations: dict[tuple[str, str, str], Calibration | None] = {}

    async def judge(self, question: Question, options: JudgeOptions) -> Judgement:
        """Ask a judge, and count it.

        Raises:
            JudgeFailed: It gave no verdict, or it is not known to agree with people as much as the suite demands.
        """
        judge = self._config.judge(options.judge)
        use = (question.grader, judge.name, question.prompt.name, question.prompt.fingerprint)
        self._asked[use] += 1
        try:
            self._demand(question, judge.name, options.requires_agreement)
            return await ask(question, judge, self._engine.complete, votes=options.votes, combine=options.combine)
        except JudgeFailed:
            self._failed[use] += 1
            raise

    async def embed(self, text: str) -> list[float]:
        """The embedding of a text, from the configured model.

        Raises:
            ConfigError: None is configured.
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
        """What another role answered to the same case and trial, None where nothing plays it yet.

        Raises:
            ConfigError: Nothing plays the role.
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
        """Which judges were asked what, how often, and what is known of them."""
        return tuple(
            JudgeUse(
                grader=grader,
                judge=name,
                model=self._config.judges[name].model.model,
                prompt=prompt,
                prompt_fingerprint=fingerprint,
                asked=count,
                failed=self._failed[grader, name, prompt, fingerprint],
                agreement=agreement_of(self._calibration(grader, name, fingerprint)),
                consistent=self._orders[True] / self._orders.total()
                if grader == "preference" and self._orders
                else None,
            )
            for (grader, name, prompt, fingerprint), count in sorted(self._asked.items())
        )

    def _calibration(self, grader: str, name: str, fingerprint: str) -> Calibration | None:
        key = (grader, name, fingerprint)
        if key not in self._calibrations:
            self._calibrations[key] = Calibration.load(self._store, grader, self._config.judges[name], fingerprint)
        return self._calibrations[key]

    def _demand(self, question: Question, name: str, least: float | None) -> None:
        if least is None:
            return
        known = self._calibration(question.grader, name, question.prompt.fingerprint)
        if known is None:
            raise JudgeFailed(
                f"{question.grader}: the suite demands an agreement of {least:g} with people, and judge {name!r} was not "
                f"measured with this prompt. Run `distilltest judge calibrate --grader {question.grader} --labels FILE`.",
                kind="judge not calibrated",
            )
        if known.ac1 < least:
            raise JudgeFailed(
                f"{question.grader}: judge {name!r} agrees with people by {known.ac1:.2f} (AC1, {known.n} labels), and the suite "
                f"demands {least:g}. Mend the judge's prompt or take another judge.",
                kind="judge not reliable",
            )
