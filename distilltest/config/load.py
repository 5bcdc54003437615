"""Reading ``distilltest.yaml``: environment variables, the JSON Schema, and errors that name the line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from distilltest.config.model import DEFAULT_JUDGE, EMBEDDED_URL, Config, Distillation, Judge, Price, Server
from distilltest.errors import ConfigError, at
from distilltest.records import Model

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

CONFIG_NAME = "distilltest.yaml"
_VARIABLE = re.compile(r"\$\{(\w+)\}\Z")
_MODEL_KEYS = ("server", "model", "prompt", "parameters", "structured")
EMBEDDED_MODELS = {"base": "embedded-student", "teacher": "embedded-teacher"}
"""The roles that the embedded server plays where nothing is configured. Its candidate is made by a fine-tuning job."""


def load_config(root: Path, overrides: Mapping[str, str] | None = None) -> Config:
    """Read ``distilltest.yaml`` in a folder; without one, the embedded server and its models serve.

    Args:
        root: The folder.
        overrides: Role → model id, from the command line.

    Raises:
        ConfigError: The file is broken, has unknown keys or wrong values.
    """
    path = root / CONFIG_NAME
    config = _parse(path) if path.is_file() else _config(root, None, {})
    for role, model in (overrides or {}).items():
        config = config.with_model(role, model)
    return config


def schema() -> dict[str, Any]:
    """The published JSON Schema of ``distilltest.yaml``."""
    content: dict[str, Any] = orjson.loads(resources.files("distilltest.config").joinpath("schema.json").read_bytes())
    return content


def _parse(path: Path) -> Config:
    content, node = _read_yaml(path)
    if content is None:
        content = {}
    from jsonschema import Draft202012Validator

    errors = sorted(
        Draft202012Validator(schema()).iter_errors(content), key=lambda e: [str(p) for p in e.absolute_path]
    )
    if errors:
        raise ConfigError("\n".join(_explain(path, node, error) for error in errors))
    return _config(path.parent, path, content, node)


def _read_yaml(path: Path) -> tuple[Any, Any]:
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        return yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or error
        raise ConfigError(f"{at(path, mark.line + 1 if mark else None)}: not YAML: {problem}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}.") from None


def _line(node: Any, steps: Iterable[str | int], key: str | None = None) -> int | None:
    """The line of the value at a path in the YAML tree, or of one of its keys."""
    for step in steps:
        children = node.value
        named = {} if isinstance(step, int) else {name.value: value for name, value in children}
        node = children[step] if isinstance(step, int) else named.get(step, node)
    if key is not None and isinstance(node.value, list):
        for name, _ in node.value:
            if name.value == key:
                return int(name.start_mark.line) + 1
    return int(node.start_mark.line) + 1 if node is not None else None


def _explain(path: Path, node: Any, error: ValidationError) -> str:
    steps = list(error.absolute_path)
    where = ".".join(map(str, steps)) or "the file"
    if error.validator == "additionalProperties":
        assert isinstance(error.schema, Mapping)
        assert isinstance(error.instance, Mapping)
        known = list(error.schema["properties"])
        unknown = [key for key in error.instance if key not in known]
        line = _line(node, steps, unknown[0])
        word = "key" if len(unknown) == 1 else "keys"
        return f"{at(path, line)}: unknown {word} {', '.join(map(repr, unknown))} in {where}. {_nearest(unknown[0], known)}"
    return f"{at(path, _line(node, steps))}: {where}: {error.message}."


def _nearest(word: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(word, known, n=1)
    return (f"Did you mean {close[0]!r}? " if close else "") + f"Allowed: {', '.join(known)}."


def _config(root: Path, path: Path | None, content: Mapping[str, Any], node: Any = None) -> Config:
    servers = {name: _server(name, values) for name, values in content.get("servers", {}).items()}
    servers.setdefault("embedded", Server(name="embedded", base_url=EMBEDDED_URL))
    described = content.get("models") or {
        role: {"server": "embedded", "model": model, "temperature": 0} for role, model in EMBEDDED_MODELS.items()
    }

    def model(role: str, values: Mapping[str, Any], *steps: str) -> Model:
        server = servers.get(values["server"])
        if server is None:
            line = _line(node, [*steps, "server"])
            raise ConfigError(
                f"{at(path or root, line)}: {'.'.join(steps)}: there is no server {values['server']!r} "
                f"(there are {', '.join(servers)})."
            )
        parameters = {k: v for k, v in values.items() if k not in _MODEL_KEYS} | values.get("parameters", {})
        return Model(role, server.name, server.base_url, values["model"], parameters, values.get("prompt"))

    models = {role: model(role, values, "models", role) for role, values in described.items()}
    judges = {}
    if "judge" in content:
        values = content["judge"]
        judge = model(DEFAULT_JUDGE, values, "judge")
        judges[DEFAULT_JUDGE] = Judge(DEFAULT_JUDGE, judge, values.get("structured", True))
    for name, values in content.get("judges", {}).items():
        judges[name] = Judge(name, model(name, values, "judges", name), values.get("structured", True))
    embeddings = model("embeddings", content["embeddings"], "embeddings") if "embeddings" in content else None
    distillation = content.get("distillation")
    return Config(
        root=root,
        source=path,
        servers=servers,
        models=models,
        judges=judges,
        embeddings=embeddings,
        prices=_prices(root, content.get("prices")),
        alpha=content.get("gate", {}).get("alpha", 0.05),
        gate_rules=_gate_rules(path or root, content.get("gate", {}).get("rules", []), node),
        budget_usd=content.get("budget", {}).get("usd"),
        distillation=Distillation(**distillation) if distillation else None,
        retention_days=content.get("retention", {}).get("days"),
        require=tuple(content.get("promotion", {}).get("require", ())),
    )


def _gate_rules(path: Path, declared: Iterable[Any], node: Any) -> tuple[tuple[str, Any, str], ...]:
    rules = []
    for number, rule in enumerate(declared):
        name, argument = (rule, None) if isinstance(rule, str) else next(iter(rule.items()))
        rules.append((name, argument, f"{at(path, _line(node, ['gate', 'rules', number]))}: gate.rules"))
    return tuple(rules)


def _server(name: str, values: Mapping[str, Any]) -> Server:
    secret = values.get("api_key")
    match = _VARIABLE.match(secret) if secret else None
    return Server(
        name=name,
        base_url=values["base_url"].rstrip("/"),
        api_key=os.environ.get(match[1]) if match else None,
        api_key_variable=match[1] if match else None,
        **{k: v for k, v in values.items() if k not in ("base_url", "api_key")},
    )


def _prices(root: Path, name: str | None) -> dict[str, Price]:
    if name is None:
        return {}
    path = root / name
    if not path.is_file():
        raise ConfigError(f'{name}: there is no such price file ({path}); "prices:" in {root / CONFIG_NAME} names it.')
    content, _ = _read_yaml(path)
    allowed = Price.__slots__
    for model, values in (content or {}).items():
        if not isinstance(values, Mapping) or set(values) - set(allowed):
            raise ConfigError(f"{name}: {model}: a price has {', '.join(allowed)}, in USD per million tokens.")
        for kind, value in values.items():
            if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
                raise ConfigError(
                    f"{name}: {model}.{kind} is {value!r}; a price is a number of USD per million tokens."
                )
    return {str(model): Price(**values) for model, values in (content or {}).items()}
