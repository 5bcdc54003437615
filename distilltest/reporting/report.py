"""The values that every format shows, computed and rounded once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import groupby
from typing import Any

from distilltest.data.stored import restore
from distilltest.evaluations.outcomes import Answers, case_means, of_role
from distilltest.evaluations.results import Change, EvaluationResult, EvaluationSummary, JudgeUse, RunInfo, ShownAnswer
from distilltest.gate import Status, Verdict, combine
from distilltest.gate.health import AnswerHealth, GraderHealth
from distilltest.records import Outcome

SCHEMA_VERSION = 1
"""The version of the JSON report."""


@dataclass(frozen=True, slots=True)
class RoleLine:
    """The results of one role."""

    role: str
    model: str
    server: str
    n: int
    """Cases with a grade for every trial."""
    missing: int
    """Cases that lack one."""
    rate: float | None
    """Pass rate or mean score in [0, 1]."""
    low: float | None
    high: float | None
    """The two-sided 1 - 2·alpha interval of the rate."""
    prompt_tokens: float
    """Per call."""
    completion_tokens: float
    """Per call."""
    usd: float | None
    """The cost of all calls; None if the price, or the tokens of a call, are unknown."""
    latency_median: float
    """Seconds."""
    latency_95: float
    """Seconds."""
    prompt: str
    prompt_fingerprint: str
    parameters: dict[str, Any]
    any_passes: float | None = None
    """pass@k: the share of cases in which at least one of k trials passes; None with one trial."""
    all_pass: float | None = None
    """pass^k: the share of cases in which all k trials pass; None with one trial."""
    cut_off: int = 0
    """Answers cut off at the token limit; they are graded like any other."""
    refused: int = 0
    """Refusals; they are graded like any other answer."""
    without_usage: int = 0
    """Answers without token counts, which the tokens per call leave out."""
    usd_at_least: float | None = None
    """The cost of the calls with known tokens; None without a price."""
    compared: int = 0
    """Cases without a grade because the test function only compares their answers."""
    answers: int = 0
    """Answers over all trials; 0 in reports of older versions."""
    empty: int = 0
    """Answers without text, tool call or refusal."""
    identical: int = 0
    """The number of answers identical to the commonest one."""
    commonest: str = ""
    """The beginning of that answer, if it is more than half of all answers."""


@dataclass(frozen=True, slots=True)
class SliceLine:
    """The results of the roles on the cases with one tag."""

    tag: str
    n: int
    rates: dict[str, float | None]
    """Role → pass rate or mean score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport(EvaluationSummary):
    """One evaluation, ready to render."""

    roles: tuple[RoleLine, ...]
    slices: tuple[SliceLine, ...]
    files: dict[str, str] = field(default_factory=dict)
    """Code and data file → its SHA-256; empty for a ``conftest.py`` that would apply but does not exist."""
    settings: dict[str, str] = field(default_factory=dict)
    """Setting that the verdict depends on, as sentences name it → the fingerprint of its value."""

    @classmethod
    def of(cls, result: EvaluationResult) -> EvaluationReport:
        """Compute the report of a result."""
        shared = {each.name: getattr(result, each.name) for each in fields(EvaluationSummary)}
        return cls(
            **shared | {"seconds": round(result.seconds, 3)},
            roles=tuple(_role_line(result, role) for role in result.models),
            slices=_slices(result),
        )

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> EvaluationReport:
        """The report from plain values."""
        return restore(
            cls,
            content,
            verdict=Verdict.from_json,
            roles=_each(RoleLine),
            slices=_each(SliceLine),
            changes=_each(Change, samples=_each(ShownAnswer), tags=tuple),
            judges=_each(JudgeUse),
            graders=_each(GraderHealth),
            notes=tuple,
            forgotten_attempts=tuple,
        )


def _each(kind: type[Any], **convert: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    """A function that reads a list of records."""
    return lambda content: tuple(restore(kind, each, **convert) for each in content)


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run, ready to render."""

    info: RunInfo
    verdict: Verdict
    evaluations: tuple[EvaluationReport, ...]
    not_judged: tuple[str, ...] = ()
    """Node ids of evaluations that were skipped because no judge is configured."""

    @classmethod
    def of(
        cls,
        info: RunInfo,
        evaluations: Sequence[EvaluationReport],
        unfinished: str | None = None,
        not_judged: Sequence[str] = (),
    ) -> RunReport:
        """Combine evaluations. The run promotes if all of them promote and it is not unfinished.

        Args:
            info: The facts of the run.
            evaluations: The evaluations with a verdict.
            unfinished: Why evaluations may be missing (an interrupt, an error in the suite); None if the run is complete.
            not_judged: Node ids of evaluations that were skipped because no judge is configured.
        """
        status = combine([evaluation.verdict.status for evaluation in evaluations])
        if len(evaluations) == 1:
            sentence = evaluations[0].verdict.sentence
        else:
            names = [e.id.rpartition("::")[2] for e in evaluations if e.verdict.status is status]
            sentence = f"{status}: {len(names)} of {len(evaluations)} evaluations say {status} ({', '.join(names)})"
        if unfinished and status is Status.PROMOTE:
            status, sentence = Status.INCOMPLETE, f"incomplete: {unfinished}; what did run says {sentence}"
        verdict = Verdict(status, _with_cost(sentence, status, evaluations), ())
        return cls(info, verdict, tuple(evaluations), tuple(not_judged))

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "schema_version": SCHEMA_VERSION,
            "run": asdict(self.info),
            "verdict": {"status": self.verdict.status.value, "sentence": self.verdict.sentence},
            "evaluations": [evaluation.to_json() for evaluation in self.evaluations],
            "not_judged": list(self.not_judged),
        }


def _with_cost(sentence: str, status: Status, evaluations: Sequence[EvaluationReport]) -> str:
    """Add the candidate's share of the teacher's cost to a promotion, where prices are known."""
    costs = [{line.role: line.usd for line in e.roles} for e in evaluations]
    teacher = [c.get("teacher") for c in costs]
    candidate = [c.get("candidate") for c in costs]
    if status is not Status.PROMOTE or None in teacher + candidate:
        return sentence
    whole = sum(usd for usd in teacher if usd is not None)
    part = sum(usd for usd in candidate if usd is not None)
    return f"{sentence}, at {100 * part / whole:.0f} % of the teacher's cost" if whole > 0 else sentence


def _role_line(result: EvaluationResult, role: str) -> RoleLine:
    values = [value for _, value in case_means(of_role(result.outcomes, role), result.metric, result.trials)]
    rate = low = high = None
    if values:
        rate = sum(values) / len(values)
        low, high = _interval(values, result)
    answers = Answers.of(result.outcomes, role)
    compared = 0
    if len(values) < result.evaluated:
        for _, of_case in groupby(of_role(result.outcomes, role), key=lambda outcome: outcome.case_id):
            trials = list(of_case)
            compared += all(each.failure is None for each in trials) and any(each.passed is None for each in trials)
    latencies = sorted(answers.latencies)
    model = result.models[role]
    health = result.answers.get(role, AnswerHealth(0))
    return RoleLine(
        role=role,
        model=model.model,
        server=model.server,
        n=len(values),
        missing=result.evaluated - len(values) - compared,
        rate=_round(rate),
        low=_round(low),
        high=_round(high),
        prompt_tokens=round(answers.prompt_tokens / max(1, answers.counted), 1),
        completion_tokens=round(answers.completion_tokens / max(1, answers.counted), 1),
        usd=result.usd.get(role),
        latency_median=_quantile(latencies, 0.5),
        latency_95=_quantile(latencies, 0.95),
        prompt=result.prompts[role],
        prompt_fingerprint=result.prompt_fingerprints[role],
        parameters=dict(model.parameters),
        cut_off=answers.cut_off,
        refused=answers.refused,
        answers=health.answers,
        empty=health.empty,
        identical=health.identical,
        commonest=health.commonest if 2 * health.identical > health.answers else "",
        without_usage=answers.silent,
        usd_at_least=result.usd_at_least.get(role),
        compared=compared,
        any_passes=_round(_share(of_role(result.outcomes, role), result.trials, any)),
        all_pass=_round(_share(of_role(result.outcomes, role), result.trials, all)),
    )


def _share(outcomes: Iterable[Outcome], trials: int, of: Callable[[Iterable[bool]], bool]) -> float | None:
    """The share of cases in which any trial, or all trials, pass; None with one trial, or if no case is complete."""
    if trials == 1:
        return None
    shares = list[bool]()
    for _, of_case in groupby(outcomes, key=lambda outcome: outcome.case_id):
        passed = [outcome.passed for outcome in of_case if outcome.passed is not None]
        if len(passed) == trials:
            shares.append(of(passed))
    return sum(shares) / len(shares) if shares else None


def _interval(values: list[float], result: EvaluationResult) -> tuple[float, float]:
    if result.metric == "pass" and result.trials == 1:
        from distilltest.statistics import binomial

        return binomial.interval(round(sum(values)), len(values), result.alpha)
    from distilltest.statistics import anchored

    low, high = anchored.interval([value - 0.5 for value in values], result.alpha)
    return max(0.0, low + 0.5), min(1.0, high + 0.5)


def _slices(result: EvaluationResult) -> tuple[SliceLine, ...]:
    counts = Counter(tag for case_tags in result.tags.values() for tag in set(case_tags))
    rates: dict[str, dict[str, float | None]] = {tag: dict.fromkeys(result.models) for tag in counts}
    for role in result.models if counts else ():
        sums, seen = defaultdict[str, float](float), Counter[str]()
        for case, value in case_means(of_role(result.outcomes, role), result.metric, result.trials):
            for tag in set(result.tags.get(case, ())):
                sums[tag] += value
                seen[tag] += 1
        for tag, count in seen.items():
            rates[tag][role] = _round(sums[tag] / count)
    return tuple(SliceLine(tag, counts[tag], rates[tag]) for tag in sorted(counts))


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _quantile(ordered: Sequence[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 4) if ordered else 0.0
