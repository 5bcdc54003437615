"""Choose the server, model and parameters of an imported completion, so that a run of this project finds it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from distilltest.config import Config, Server
from distilltest.errors import ConfigError
from distilltest.records import Model

PARAMETERS = (
    "temperature",
    "top_p",
    "seed",
    "max_completion_tokens",
    "max_tokens",
    "reasoning_effort",
    "presence_penalty",
    "frequency_penalty",
    "stop",
    "response_format",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "n",
)
"""Fields of a request that shape its answer."""
_DEFAULTS: dict[str, Any] = {
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "n": 1,
    "parallel_tool_calls": True,
    "logprobs": False,
    "response_format": {"type": "text"},
}
"""Parameters that a server reports although they were not sent. It also reports a seed of its own."""
_DATE = re.compile(r"-\d{4}-?\d{2}-?\d{2}\Z")


def choose_server(config: Config, name: str | None) -> Server:
    """The server that completions come from: the named one, or the only one that the models use.

    Raises:
        ConfigError: The server is unknown, or the models use several.
    """
    place = config.source or config.root / "distilltest.yaml"
    if name is None:
        used = {model.server for model in config.models.values()}
        if len(used) != 1:
            raise ConfigError(
                f"The models of {place} are on several servers ({', '.join(sorted(used))}). Say with --server which one gave "
                "these answers: the store finds a completion by the server's address."
            )
        name = used.pop()
    if name not in config.servers:
        raise ConfigError(f"{place}: there is no server {name!r} (there are {', '.join(config.servers)}).")
    return config.servers[name]


def identify(
    config: Config, server: Server, model: str, told: Mapping[str, Any], *, by_server: bool
) -> tuple[str, dict[str, Any]]:
    """The model and parameters for the key of a completion.

    If a configured model of the server gave the answer (``gpt-4o`` also matches ``gpt-4o-2024-08-06``), and the known
    parameters do not contradict the configured ones, use the configuration. Otherwise use the known parameters.

    Args:
        config: The project's configuration.
        server: The server that gave the completion.
        model: The model's name in the source.
        told: Known parameters.
        by_server: The server reported the parameters, so its defaults and its seed are ignored.
    """
    known = {name: value for name, value in told.items() if name in PARAMETERS and value is not None}
    said = {name: value for name, value in known.items() if not (by_server and _says_nothing(name, value))}
    candidates = [m for m in _models(config) if m.server == server.name]
    candidates.sort(key=lambda m: m.model != model)  # the exact name first
    for candidate in candidates:
        configured = candidate.parameters
        agrees = all(known.get(name, value) == value for name, value in configured.items()) and all(
            name in configured for name in said
        )
        if (candidate.model == model or _DATE.sub("", model) == candidate.model) and agrees:
            return candidate.model, dict(configured)
    return model, said


def _models(config: Config) -> list[Model]:
    return [*config.models.values(), *(judge.model for judge in config.judges.values())]


def _says_nothing(name: str, value: Any) -> bool:
    return (
        name == "seed"
        or (name == "tool_choice" and value in ("none", "auto"))
        or (name in _DEFAULTS and value == _DEFAULTS[name])
    )
