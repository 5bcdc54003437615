"""The configuration as frozen values."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from distilltest.errors import ConfigError
from distilltest.records import Model
from distilltest.untrusted.secrets import remember, remember_userinfo

ALPHA = 0.05
"""The level of a gate that declares none."""
EMBEDDED_URL = "embedded:"
"""The address of the embedded server: the same on every port, so that its completions keep their keys."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that speaks the OpenAI API, with the limits that its owner sets."""

    name: str
    base_url: str
    """With its ``/v1``; ``embedded:`` for the embedded server. Without user and password, wherever it is shown or stored."""
    api_key: str | None = field(default=None, repr=False)
    """The secret itself. It never reaches the store, a report or a log."""
    api_key_variable: str | None = None
    """The environment variable it comes from."""
    max_concurrency: int = 100
    """Calls in flight at once, for all models of the server together."""
    requests_per_minute: int | None = None
    timeout: float = 60.0
    """Seconds that one attempt may take."""
    connect_timeout: float = 2.5
    """Seconds that connecting may take (name, TCP and TLS), as part of ``timeout``."""
    max_retries: int = 5
    """Further attempts after the first one failed."""
    userinfo: str | None = field(default=None, repr=False)
    """``user:password``, percent-encoded as in the address that it was taken out of. A secret too."""

    def __post_init__(self) -> None:
        """Take user and password out of the address, and mask them and the key from now on."""
        scheme, slashes, rest = self.base_url.partition("://")
        host, slash, path = rest.partition("/")
        userinfo, sign, host = host.rpartition("@")
        if sign:
            object.__setattr__(self, "base_url", f"{scheme}{slashes}{host}{slash}{path}")
            object.__setattr__(self, "userinfo", userinfo)
        if self.userinfo:
            remember_userinfo(self.userinfo)
        remember(self.api_key)

    @property
    def authorization(self) -> str | None:
        """The header that says who asks.

        Raises:
            ConfigError: There are two.
        """
        if self.userinfo and self.api_key:
            raise ConfigError(
                f"server {self.name!r} has both an api_key and a user in its base_url. Only one can be sent: remove one."
            )
        if self.userinfo:
            return f"Basic {base64.b64encode(unquote(self.userinfo).encode()).decode()}"
        return f"Bearer {self.api_key.strip()}" if self.api_key else None

    @property
    def embedded(self) -> bool:
        """Whether this is the server that distilltest starts by itself."""
        return self.base_url == EMBEDDED_URL


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens; None where the price file says nothing."""

    input: float | None = None
    cached_input: float | None = None
    output: float | None = None
    training: float | None = None


DEFAULT_JUDGE = "judge"
"""The name of the judge under ``judge:``."""


@dataclass(frozen=True, slots=True)
class Judge:
    """A model that judges answers."""

    name: str
    """``judge``, or its name under ``judges:``."""
    model: Model
    """Where it is asked and how; its role is its name."""
    structured: bool = True
    """Whether its server understands ``response_format`` with a JSON Schema."""


@dataclass(frozen=True, slots=True)
class Distillation:
    """What ``distilltest distill`` does in this project."""

    train: str
    """The dataset with the training requests."""
    prompt: str
    """The prompt that the teacher is asked with."""
    student_prompt: str | None = None
    """The prompt that the tuned student learns and is asked with; the teacher's where it is None."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Labels of the stored completions; the training file is picked by them."""
    keep: str = "all"
    """Which of the teacher's answers the student learns: ``all``, or ``matching`` the reference of their training request."""
    suites: str = "suites"
    """What pytest runs to decide about the candidate."""
    suffix: str | None = None
    """Part of the tuned model's name."""
    train_limit: int | None = None
    """Use only the first so many training requests."""


@dataclass(frozen=True, slots=True)
class Config:
    """All that a project has configured."""

    root: Path
    """The folder that paths are relative to."""
    source: Path | None
    """The distilltest.yaml that was read, None where there is none."""
    servers: Mapping[str, Server]
    models: Mapping[str, Model]
    """By role."""
    judges: Mapping[str, Judge] = field(default_factory=dict)
    """By name; the one under ``judge:`` is called ``judge``."""
    embeddings: Model | None = None
    """What texts are embedded with."""
    prices: Mapping[str, Price] = field(default_factory=dict)
    """By model id."""
    alpha: float = ALPHA
    """The level of each rule, one-sided."""
    attempts: int | None = None
    """How many candidates on a dataset share the level equally; None: the k-th gets 6 / (pi k)^2 of it, without an end."""
    gate_rules: tuple[tuple[str, Any, str], ...] = ()
    """Rules of evaluations that give none: name, argument (None for none) and place in the file."""
    budget_usd: float | None = None
    distillation: Distillation | None = None
    private_reports: bool = True
    """Whether only their owner may read reports: they hold answers."""
    retention_days: int | None = None
    """Completions that are older are deleted; None: nothing is."""
    require: tuple[str, ...] = ()
    """Evaluations that a promotion needs: node ids, files, folders or globs of node ids. None named: see ``promotion``."""

    @property
    def state_dir(self) -> Path:
        """Where the store lives; ignored by git."""
        return self.root / ".distilltest"

    @property
    def store_path(self) -> Path:
        """The store's file."""
        return self.state_dir / "store.sqlite3"

    @property
    def reports_dir(self) -> Path:
        """Where reports go, one folder a run."""
        return self.root / "reports"

    def model(self, role: str) -> Model:
        """The model that plays a role.

        Raises:
            ConfigError: Nothing plays it.
        """
        try:
            return self.models[role]
        except KeyError:
            pass
        place = self.source or self.root / "distilltest.yaml"
        remedy = f'Add "{role}" under "models:" in {place}'
        if role in ("base", "teacher", "candidate"):
            remedy += f", or give --{role} MODEL"
        if role == "candidate":
            remedy += ", or run `distilltest distill` to make one"
        raise ConfigError(
            f"No model plays the role {role!r} (configured: {', '.join(self.models) or 'none'}). {remedy}."
        )

    def judge(self, name: str | None = None) -> Judge:
        """A judge by its name; without one, the default, or the only one that there is.

        Raises:
            ConfigError: There is no such judge.
        """
        if name is None:
            name = next(iter(self.judges)) if len(self.judges) == 1 else DEFAULT_JUDGE
        if name in self.judges:
            return self.judges[name]
        place = self.source or self.root / "distilltest.yaml"
        there = ", ".join(self.judges) or "none"
        remedy = "judge: {server: NAME, model: MODEL}" if name == DEFAULT_JUDGE else f"judges: {{{name}: {{...}}}}"
        raise ConfigError(f"No judge {name!r} is configured (there are: {there}). Add `{remedy}` to {place}.")

    def server(self, name: str) -> Server:
        """A server that can be called.

        Raises:
            ConfigError: There is none of that name, or the environment variable with its key is not set.
        """
        if name not in self.servers:
            raise ConfigError(f"{self.source}: there is no server {name!r} (there are {', '.join(self.servers)}).")
        server = self.servers[name]
        if server.api_key_variable and not server.api_key:
            raise ConfigError(
                f"{self.source}: server {name!r} takes its key from the environment variable "
                f"{server.api_key_variable}, which is not set. Set it, or run with --offline to use stored completions only."
            )
        return server

    def check_budget(self, models: Iterable[Model]) -> None:
        """A budget that cannot be counted would be no budget.

        Raises:
            ConfigError: There is a budget, and the price of a model that will be called is not known.
        """
        if self.budget_usd is None:
            return
        for model in models:
            price = self.prices.get(model.model)
            if (price is None or price.input is None or price.output is None) and model.base_url != EMBEDDED_URL:
                raise ConfigError(
                    f"{self.source}: there is a budget, but no price of {model.model!r} (role {model.role!r}), so what it costs "
                    'cannot be counted. Add its input and output prices to the file that "prices:" names, or take out "budget:".'
                )

    def with_model(self, role: str, model: str) -> Config:
        """The same with another model in a role: on the role's server and with its parameters (the base's, for a new role)."""
        like = self.models.get(role) or self.models.get("base") or next(iter(self.models.values()), None)
        if like is None:
            raise ConfigError(
                f"--{role} {model}: {self.source} configures no model, so there is no server to ask for it."
            )
        return replace(self, models={**self.models, role: replace(like, role=role, model=model)})

    def with_tuned(self, tuned: Mapping[str, Any]) -> Config:
        """The same with the last tuned model as candidate, where nothing else plays it.

        Args:
            tuned: What the store remembers of it: ``model``, and ``prompt`` with what it is used instead of.
        """
        config = self.with_model("candidate", tuned["model"]) if tuned and "candidate" not in self.models else self
        candidate = config.models.get("candidate")
        if candidate and candidate.model == tuned.get("model") and candidate.prompt is None and tuned.get("prompt"):
            # A tuned model is asked with the prompt that it was tuned with.
            own = replace(candidate, prompt=tuned["prompt"], prompt_instead_of=tuned.get("prompt_instead_of"))
            config = replace(config, models={**config.models, "candidate": own})
        return config
