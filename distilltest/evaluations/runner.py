"""Running an evaluation: fetch, grade, compare, decide."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from distilltest.comparison import ResultsTable
from distilltest.config import Config
from distilltest.engine import Engine
from distilltest.evaluations.changes import find_changes
from distilltest.evaluations.plan import CHUNK, Plan, Slot
from distilltest.gate import decide
from distilltest.grading import BoundBody
from distilltest.records import CallFailure, Case, Completion, Grade, Model, Outcome, mean
from distilltest.results import EvaluationResult
from distilltest.store import Store


class Progress(Protocol):
    """Who is told how far an evaluation is."""

    def __call__(self, done: int, total: int, failed: int) -> None:
        """So many completions of all are graded; so many calls failed."""


Graded = tuple[Case, str, int, Completion | CallFailure, tuple[Grade, ...]]


@dataclass
class Runner:
    """Runs evaluations of one session: engine, store, and where results go."""

    config: Config
    store: Store
    engine: Engine
    run_id: str
    progress: Progress
    ahead: dict[str, list[Slot]] = field(default_factory=dict)

    def prefetch(self, plan: Plan) -> None:
        """Begin to fetch an evaluation's first chunk while another one is being graded."""
        if plan.id not in self.ahead:
            self.ahead[plan.id] = slots = plan.slots()
            self.engine.prefetch([request for *_, request in slots])

    def evaluate(self, plan: Plan, body: BoundBody, then: Callable[[], None] = lambda: None) -> EvaluationResult:
        """Fetch, grade, compare, decide.

        Args:
            plan: The evaluation.
            body: Its body, bound to the item's fixtures.
            then: Called once when all of this plan's requests are under way: the moment to prefetch the next evaluation.

        Raises:
            DistilltestError: The suite or its data are wrong. Call failures are no error here: they are outcomes.
            Exception: Whatever the body raised.
        """
        started = time.perf_counter()
        outcomes: list[Outcome] = []
        failed = 0
        for graded in self._chunks(plan, body, then):
            chunk = []
            grades: dict[tuple[str, str, int], tuple[Grade, ...]] = {}
            for case, role, trial, answer, given in graded:
                chunk.append(_outcome(case, role, trial, answer, given))
                grades[case.id, role, trial] = given
                failed += isinstance(answer, CallFailure)
                self.progress(len(outcomes) + len(chunk), plan.calls, failed)
            chunk.sort(key=_position(plan))
            self.store.save_outcomes(self.run_id, plan.id, chunk, grades)
            outcomes += chunk
        return self._decide(plan, tuple(outcomes), started)

    def _chunks(self, plan: Plan, body: BoundBody, then: Callable[[], None]) -> Iterator[Iterator[Graded]]:
        """Chunk after chunk, each fetched while the one before it is graded."""
        slots = self.ahead.pop(plan.id, None) or plan.slots()
        for start in range(0, len(plan.cases), CHUNK):
            upcoming = plan.slots(start + CHUNK)
            self.engine.prefetch([request for *_, request in slots])
            self.engine.prefetch([request for *_, request in upcoming])
            if not upcoming:
                then()
            yield self._grade(slots, body)
            slots = upcoming

    def _grade(self, slots: list[Slot], body: BoundBody) -> Iterator[Graded]:
        __tracebackhide__ = True
        answers = self.engine.results([request for *_, request in slots])
        waiting: list[tuple[Case, str, int, Completion]] = []
        for index, answer in answers:
            case, role, trial, _ = slots[index]
            if isinstance(answer, CallFailure):
                yield case, role, trial, answer, ()
            elif body.is_async:
                waiting.append((case, role, trial, answer))
            else:
                yield case, role, trial, answer, body.grade(case, answer, role)
        if waiting:

            async def grade_all() -> list[tuple[Grade, ...]]:
                return await asyncio.gather(*(body.agrade(case, said, role) for case, role, _, said in waiting))

            for (case, role, trial, said), given in zip(waiting, self.engine.run(grade_all()), strict=True):
                yield case, role, trial, said, given

    def _decide(self, plan: Plan, outcomes: tuple[Outcome, ...], started: float) -> EvaluationResult:
        declared = plan.evaluation
        table = ResultsTable.from_outcomes(
            case_ids=[case.id for case in plan.cases],
            roles=list(plan.models),
            outcomes=outcomes,
            metric=declared.metric,
            trials=declared.trials,
            narrowed=plan.narrowed,
        )
        usd = {role: self._cost(plan.models[role], [o for o in outcomes if o.role == role]) for role in plan.models}
        verdict = decide(declared.gate, table, alpha=self.config.alpha)
        return EvaluationResult(
            id=plan.id,
            dataset=plan.dataset.name,
            dataset_fingerprint=plan.dataset.fingerprint,
            cases=len(plan.dataset.cases),
            evaluated=len(plan.cases),
            prompts={role: prompt.name for role, prompt in plan.prompts.items()},
            prompt_fingerprints={role: prompt.fingerprint for role, prompt in plan.prompts.items()},
            models=plan.models,
            metric=declared.metric,
            trials=declared.trials,
            alpha=self.config.alpha,
            verdict=verdict,
            outcomes=outcomes,
            changes=find_changes(plan, outcomes, self.store, self.run_id),
            tags={case.id: case.tags for case in plan.cases if case.tags},
            usd=usd,
            seconds=time.perf_counter() - started,
        )

    def _cost(self, model: Model, outcomes: list[Outcome]) -> float | None:
        price = self.config.prices.get(model.model)
        if price is None or price.input is None or price.output is None:
            return None
        cached = price.input if price.cached_input is None else price.cached_input
        return (
            sum(
                (o.prompt_tokens - o.cached_tokens) * price.input
                + o.cached_tokens * cached
                + o.completion_tokens * price.output
                for o in outcomes
            )
            / 1e6
        )


def _outcome(case: Case, role: str, trial: int, answer: Completion | CallFailure, grades: tuple[Grade, ...]) -> Outcome:
    if isinstance(answer, CallFailure):
        return Outcome(
            case.id, role, trial, None, None, answer.key, failure=answer.kind, failure_message=answer.message
        )
    usage = answer.usage
    return Outcome(
        case_id=case.id,
        role=role,
        trial=trial,
        passed=all(grade.passed for grade in grades),
        score=mean([grade.score for grade in grades]),
        completion_key=answer.key,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=usage.cached_tokens,
        latency=answer.latency,
    )


def _position(plan: Plan) -> Callable[[Outcome], tuple[int, int, int]]:
    """Sort by case, role and trial: the order in which answers arrive must not show."""
    cases = {case.id: index for index, case in enumerate(plan.cases)}
    roles = {role: index for index, role in enumerate(plan.models)}
    return lambda outcome: (cases[outcome.case_id], roles[outcome.role], outcome.trial)
