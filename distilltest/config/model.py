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
"""The address of the embedded server: independent of its port, so that completions keep their keys."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server with the OpenAI API, and its configured limits."""

    name: str
    base_url: str
    """Includes ``/v1``; ``embedded:`` for the embedded server. User and password are removed."""
    api_key: str | None = field(default=None, repr=False)
    """The secret. It never reaches the store, a report or a log."""
    api_key_variable: str | None = None
    """The environment variable that holds the key."""
    max_concurrency: int = 100
    """Maximum calls in flight, for all models of the server together."""
    requests_per_minute: int | None = None
    timeout: float = 60.0
    """Maximum seconds of one attempt."""
    connect_timeout: float = 2.5
    """Maximum seconds to connect (name lookup, TCP and TLS), as part of ``timeout``."""
    max_retries: int = 5
    """Maximum attempts after the first one."""
    userinfo: str | None = field(default=None, repr=False)
    """``user:password`` from the address, percent-encoded. Also a secret."""

    def __post_init__(self) -> None:
        """Move user and password out of the address, and register the secrets for masking."""
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
        """The ``Authorization`` header.

        Raises:
            ConfigError: There are both a key and a user.
        """
        if self.userinfo and self.api_key:
            raise ConfigError(
                f"server {self.name!r} has both an api_key and a user in its base_url. Only one can be sent. Remove one."
            )
        if self.userinfo:
            return f"Basic {base64.b64encode(unquote(self.userinfo).encode()).decode()}"
        return f"Bearer {self.api_key.strip()}" if self.api_key else None

    @property
    def embedded(self) -> bool:
        """Whether this is the embedded server."""
        return self.base_url == EMBEDDED_URL


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens; None if the price file has no such price."""

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
    """The model; its role is the judge's name."""
    structured: bool = True
    """Whether its server supports ``response_format`` with a JSON Schema."""


@dataclass(frozen=True, slots=True)
class Distillation:
    """The configuration of ``distilltest distill``."""

    train: str
    """The dataset with the training requests."""
    prompt: str
    """The teacher's prompt."""
    student_prompt: str | None = None
    """The student's prompt, in training and afterwards; None for the teacher's."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Labels of the stored completions; the training file selects by them."""
    keep: str = "all"
    """Which of the teacher's answers to train on: ``all``, or those ``matching`` the reference."""
    suites: str = "suites"
    """The path that pytest runs to decide about the candidate."""
    suffix: str | None = None
    """A part of the tuned model's name."""
    train_limit: int | None = None
    """The maximum number of training requests, from the start of the dataset."""


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration of a project."""

    root: Path
    """The folder to which paths are relative."""
    source: Path | None
    """The distilltest.yaml that was read, None without one."""
    servers: Mapping[str, Server]
    models: Mapping[str, Model]
    """By role."""
    judges: Mapping[str, Judge] = field(default_factory=dict)
    """By name; the judge under ``judge:`` has the name ``judge``."""
    embeddings: Model | None = None
    """The embedding model."""
    prices: Mapping[str, Price] = field(default_factory=dict)
    """By model id."""
    alpha: float = ALPHA
    """The level of each rule, one-sided."""
    attempts: int | None = None
    """How many candidates on a dataset share the level equally; None: the k-th gets 6 / (pi k)^2 of it, without a limit."""
    gate_rules: tuple[tuple[str, Any, str], ...] = ()
    """The rules of evaluations that declare none: name, argument (or None) and place in the file."""
    budget_usd: float | None = None
    distillation: Distillation | None = None
    private_reports: bool = True
    """Whether only their owner may read reports, because they contain answers."""
    retention_days: int | None = None
    """Older completions are deleted; None keeps all."""
    require: tuple[str, ...] = ()
    """Evaluations that a promotion needs: node ids, files, folders or globs of node ids. If empty: see ``promotion``."""

    @property
    def state_dir(self) -> Path:
        """The folder of the store, ignored by git."""
        return self.root / ".distilltest"

    @property
    def store_path(self) -> Path:
        """The store's file."""
        return self.state_dir / "store.sqlite3"

    @property
    def reports_dir(self) -> Path:
        """The folder of reports, one subfolder per run."""
        return self.root / "reports"

    def model(self, role: str) -> Model:
        """The model of a role.

        Raises:
            ConfigError: No model has the role.
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
        """A judge by name; None for the default or only one.

        Raises:
            ConfigError: The judge does not exist.
        """
        if name is None:
            name = next(iter(self.judges)) if len(self.judges) == 1 else DEFAULT_JUDGE
        if name in self.judges:
            return self.judges[name]
        place = self.source or self.root / "distilltest.yaml"
        there = ", ".join(self.judges) or "none"
        remedy = "judge: {server: NAME, model: MODEL}" if name == DEFAULT_JUDGE else f"judges: {{{name}: {{...}}}}"
        raise ConfigError(f"No judge {name!r} is configured (configured: {there}). Add `{remedy}` to {place}.")

    def server(self, name: str) -> Server:
        """A server by name, with its key.

        Raises:
            ConfigError: The server does not exist, or the environment variable of its key is not set.
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
        """Check that a budget can be enforced.

        Raises:
            ConfigError: There is a budget, and a model that will be called has no price.
        """
        if self.budget_usd is None:
            return
        for model in models:
            price = self.prices.get(model.model)
            if (price is None or price.input is None or price.output is None) and model.base_url != EMBEDDED_URL:
                raise ConfigError(
                    f"{self.source}: there is a budget, but no price for {model.model!r} (role {model.role!r}), so its cost "
                    'is unknown. Add its input and output prices to the file that "prices:" names, or remove "budget:".'
                )

    def with_model(self, role: str, model: str) -> Config:
        """Return a copy with another model in a role, on its server and with its parameters (the base's, for a new role)."""
        like = self.models.get(role) or self.models.get("base") or next(iter(self.models.values()), None)
        if like is None:
            raise ConfigError(
                f"--{role} {model}: {self.source} configures no model, so the server is unknown. Add a model under models:."
            )
        return replace(self, models={**self.models, role: replace(like, role=role, model=model)})

    def with_tuned(self, tuned: Mapping[str, Any]) -> Config:
        """Return a copy with the last tuned model as candidate, if no other model has that role.

        Args:
            tuned: The store's entry for it: ``model``, ``prompt`` and ``prompt_instead_of``.
        """
        config = self.with_model("candidate", tuned["model"]) if tuned and "candidate" not in self.models else self
        candidate = config.models.get("candidate")
        if candidate and candidate.model == tuned.get("model") and candidate.prompt is None and tuned.get("prompt"):
            # A tuned model gets the prompt that it was tuned with.
            own = replace(candidate, prompt=tuned["prompt"], prompt_instead_of=tuned.get("prompt_instead_of"))
            config = replace(config, models={**config.models, "candidate": own})
        return config
