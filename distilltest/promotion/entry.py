"""One entry of ``promotions.yaml``, as a frozen value and as plain content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from distilltest.gate import RuleVerdict
from distilltest.records import Model, fingerprint
from distilltest.reporting.report import EvaluationReport, RoleLine

PROMOTE, ROLL_BACK = "promote", "roll back"


@dataclass(frozen=True, slots=True)
class Who:
    """Who promoted, according to git."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class PromotedModel:
    """The model that goes into production, with its parameters and prompt."""

    id: str
    server: str
    """Its name in distilltest.yaml."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    prompt: str | None = None
    """Its own prompt; None if it gets the prompt of the suite."""
    prompt_instead_of: str | None = None
    """The one prompt that its own prompt replaces; None if it replaces any."""
    shutdown_date: str | None = None
    """ISO 8601; None if the server reports none."""

    @classmethod
    def of(cls, model: Model, shutdown_date: str | None) -> PromotedModel:
        """Make it from a configured model."""
        parameters = dict(model.parameters)
        return cls(model.model, model.server, parameters, model.prompt, model.prompt_instead_of, shutdown_date)


@dataclass(frozen=True, slots=True)
class Override:
    """A promotion without proof."""

    reason: str
    instead_of: tuple[str, ...]
    """The objections, one sentence each."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The verdict of one evaluation, with its numbers."""

    id: str
    """pytest's node id."""
    run: str
    verdict: str
    sentence: str
    dataset: Mapping[str, Any]
    """``path``, ``fingerprint`` and ``cases``."""
    alpha: float
    """The level at which each rule was decided."""
    rules: tuple[Mapping[str, Any], ...]
    """Each rule's verdict with its numbers, rounded to six digits."""
    roles: Mapping[str, Mapping[str, Any]]
    """Role → model, rate, prompt and its fingerprint."""
    judges: tuple[Mapping[str, Any], ...]
    """The judges and their prompts."""
    forgotten: tuple[str, ...] = ()
    """Attempts on the dataset that were not counted, and why, one sentence each."""

    def to_content(self) -> dict[str, Any]:
        """The proof as plain values; ``forgotten`` is left out if empty, as in entries of older versions."""
        content: dict[str, Any] = _plain(asdict(self))
        if not self.forgotten:
            del content["forgotten"]
        return content

    @classmethod
    def of(cls, run: str, report: EvaluationReport) -> Proof:
        """Make a proof from a report."""
        judges = ("grader", "judge", "model", "prompt", "prompt_fingerprint", "agreement")
        return cls(
            id=report.id,
            run=run,
            verdict=str(report.verdict.status.value),
            sentence=report.verdict.sentence,
            dataset={
                "path": report.dataset,
                "fingerprint": report.dataset_fingerprint,
                "cases": report.cases,
            },
            alpha=report.level or report.alpha,
            rules=tuple(_rule(rule) for rule in report.verdict.rules),
            roles={line.role: _role(line) for line in report.roles},
            judges=tuple({name: getattr(use, name) for name in judges} for use in report.judges),
            forgotten=report.forgotten_attempts,
        )


@dataclass(frozen=True, slots=True)
class KeptReport:
    """The report that proved a promotion, kept for review and commit."""

    folder: str
    """Relative to the root."""
    json_sha256: str
    markdown_sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A promotion or a rollback."""

    number: int
    """Counted from 1."""
    action: str
    """``promote`` or ``roll back``."""
    when: str
    """ISO 8601, UTC."""
    who: Who
    commit: str | None
    """The repository's commit, with ``+changes`` if the work tree differed; None outside of git."""
    model: PromotedModel
    training_file: Mapping[str, str] | None = None
    """``path`` and ``sha256`` of the model's training file, if the store has them."""
    override: Override | None = None
    """None if it was proved; a rollback has the override of the promotion that it restores."""
    restores: int | None = None
    """For a rollback: the entry that is in production again."""
    reason: str | None = None
    """For a rollback: why."""
    evaluations: tuple[Proof, ...] = ()
    costs: Mapping[str, Mapping[str, float | int | None]] = field(default_factory=dict)
    """Role → tokens and money of all evaluations together."""
    report: KeptReport | None = None
    previous: str | None = None
    """The hash of the previous entry; None for the first."""
    hash: str = ""
    """The hash of everything else in this entry."""

    @property
    def source(self) -> int:
        """The number of the promotion that this entry puts into production."""
        return self.number if self.restores is None else self.restores

    def to_content(self) -> dict[str, Any]:
        """The entry as plain values, with their hash."""
        content: dict[str, Any] = _plain(asdict(self)) | {
            "evaluations": [each.to_content() for each in self.evaluations]
        }
        return content | {"hash": digest(content)}

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> Entry:
        """Make an entry from plain values that the schema accepts."""
        override, report = content["override"], content["report"]
        return cls(
            **{
                **content,
                "who": Who(**content["who"]),
                "model": PromotedModel(**content["model"]),
                "override": override and Override(override["reason"], tuple(override["instead_of"])),
                "evaluations": tuple(_proof(proof) for proof in content["evaluations"]),
                "report": report and KeptReport(**report),
            }
        )


def digest(content: Mapping[str, Any]) -> str:
    """The hash of an entry's content, without the hash itself."""
    return fingerprint({name: value for name, value in content.items() if name != "hash"})


def costs_of(reports: list[EvaluationReport]) -> dict[str, dict[str, float | int | None]]:
    """Tokens and money of each role over all evaluations; None if a server sent no usage, or if there is no price."""
    found: dict[str, dict[str, float | int | None]] = {}
    for role in dict.fromkeys(line.role for report in reports for line in report.roles):
        lines = [(line, report.trials) for report in reports for line in report.roles if line.role == role]
        prices = [line.usd for line, _ in lines]
        known = [price for price in prices if price is not None]
        silent = any(line.without_usage for line, _ in lines)
        read, written = (
            None if silent else round(sum(getattr(line, name) * line.n * trials for line, trials in lines))
            for name in ("prompt_tokens", "completion_tokens")
        )
        found[role] = {
            "prompt_tokens": read,
            "completion_tokens": written,
            "usd": round(sum(known), 6) if len(known) == len(prices) else None,
        }
    return found


def _proof(content: Mapping[str, Any]) -> Proof:
    lists = ("rules", "judges", "forgotten")
    return Proof(**{**content, **{name: tuple(content.get(name, ())) for name in lists}})


def _rule(rule: RuleVerdict) -> dict[str, Any]:
    numbers = ("estimate", "low", "high", "limit", "p")
    return {
        "rule": rule.rule,
        "status": str(rule.status.value),
        "test": rule.test,
        **{name: _digits(getattr(rule, name)) for name in numbers},
        "cases": rule.n,
        "won": rule.wins,
        "lost": rule.losses,
    }


def _role(line: RoleLine) -> dict[str, Any]:
    return {
        "model": line.model,
        "rate": line.rate,
        "cases": line.n,
        "prompt": line.prompt,
        "prompt_fingerprint": line.prompt_fingerprint,
    }


def _digits(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _plain(value: Any) -> Any:
    """Turn tuples into lists, as YAML does."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
