"""Reads ``distilltest.yaml``: environment variables, JSON Schema validation, and errors with line numbers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from distilltest import RULES
from distilltest.config.model import ALPHA, DEFAULT_JUDGE, EMBEDDED_URL, Config, Distillation, Judge, Price, Server
from distilltest.data import Tree, absent, kind_of, read_yaml
from distilltest.errors import ConfigError, brief
from distilltest.records import Model
from distilltest.untrusted.secrets import mask, remember, remember_userinfo

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

CONFIG_NAME = "distilltest.yaml"
_VARIABLE = re.compile(r"\$\{(\w+)\}\Z")
_MODEL_KEYS = ("server", "model", "prompt", "parameters", "structured")
_DEAREST = 1e9
_MOST_SHOWN = 20
"""Maximum number of errors shown."""
EMBEDDED_MODELS = {"base": "embedded-student", "teacher": "embedded-teacher"}
"""The models without a configuration, all on the embedded server. A fine-tuning job makes its candidate."""


def load_config(root: Path, overrides: Mapping[str, str] | None = None) -> Config:
    """Read ``distilltest.yaml`` in a folder. Without one, use the embedded server and its models.

    Args:
        root: The folder.
        overrides: Role → model id, from the command line.

    Raises:
        ConfigError: The file is broken, has unknown keys or wrong values.
    """
    path = root / CONFIG_NAME
    config = _config(root, None, {}) if absent(path) else _parse(path)
    for role, model in (overrides or {}).items():
        config = config.with_model(role, model)
    return config


def schema() -> dict[str, Any]:
    """The published JSON Schema of ``distilltest.yaml``."""
    content: dict[str, Any] = orjson.loads(resources.files("distilltest.config").joinpath("schema.json").read_bytes())
    _by_name, with_arguments = content["properties"]["gate"]["properties"]["rules"]["items"]["oneOf"]
    with_arguments["propertyNames"]["enum"] = list(RULES)
    return content


def _parse(path: Path) -> Config:
    tree = read_yaml(path, str(path), ConfigError)
    content = {} if tree.value is None else tree.value
    _remember_secrets(content)
    if not _accepted(content):
        errors = sorted(_validator().iter_errors(content), key=lambda e: [str(step) for step in e.absolute_path])
        more = f"\n… and {len(errors) - _MOST_SHOWN} more" if len(errors) > _MOST_SHOWN else ""
        if errors:
            raise ConfigError("\n".join(_explain(tree, error) for error in errors[:_MOST_SHOWN]) + more)
    return _config(path.parent, path, content, tree)


def _remember_secrets(content: Any) -> None:
    """Register the secrets of a file, such as a literal key, before any error message quotes the file."""
    servers = content.get("servers") if isinstance(content, Mapping) else None
    for values in servers.values() if isinstance(servers, Mapping) else ():
        if isinstance(values, Mapping):
            key, url = str(values.get("api_key") or ""), str(values.get("base_url") or "")
            remember(None if _VARIABLE.match(key) else key)
            userinfo, sign, _ = url.partition("://")[2].partition("/")[0].rpartition("@")
            if sign:
                remember_userinfo(userinfo)
    for name in ("http_proxy", "https_proxy", "all_proxy"):  # used by the official client
        for url in (os.environ.get(name, ""), os.environ.get(name.upper(), "")):
            userinfo, sign, _ = url.partition("://")[2].rpartition("@")
            if sign:
                remember_userinfo(userinfo)


def _accepted(content: Any) -> bool:
    """Whether the content is surely valid, by a library that imports ten times as fast."""
    import jsonschema_rs

    if _has_whole_float(content):  # that library accepts 1e9 as an integer
        return False
    try:
        return bool(jsonschema_rs.Draft202012Validator(schema()).is_valid(content))
    except ValueError:  # a value it does not support, such as an integer over 64 bits
        return False


def _has_whole_float(content: Any) -> bool:
    if isinstance(content, float):
        return content.is_integer()
    parts = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    return any(map(_has_whole_float, parts))


def _validator() -> Validator:
    """A validator that accepts integers only if written as such: not 1e9."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    kinds = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    made: Validator = extend(Draft202012Validator, type_checker=kinds)(schema())  # type: ignore[no-untyped-call]
    return made


def _explain(tree: Tree, error: ValidationError) -> str:
    steps = list(error.absolute_path)
    where = ".".join(map(str, steps)) or "the file"
    if error.validator == "additionalProperties":
        assert isinstance(error.schema, Mapping)
        assert isinstance(error.instance, Mapping)
        known = list(error.schema["properties"])
        unknown = [key for key in error.instance if key not in known]
        word = "key" if len(unknown) == 1 else "keys"
        names = brief(", ".join(map(repr, unknown)))
        return f"{tree.place(*steps, unknown[0])}: unknown {word} {names} in {where}. {_nearest(unknown[0], known)}"
    return f"{tree.place(*steps)}: {brief(where)}: {brief(mask(error.message))}.{_hint(error)}"


def _hint(error: ValidationError) -> str:
    """A hint for text where another type is expected."""
    if error.validator != "type" or not isinstance(error.instance, str):
        return ""
    if error.validator_value == "boolean":
        return " Write true or false, without quotes."
    if error.validator_value in ("number", "integer"):
        return " Write the number without quotes and as JSON does: 0.5, 100."
    return ""


def _nearest(word: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(word, known, n=1)
    return (f"Did you mean {close[0]!r}? " if close else "") + f"Allowed: {', '.join(known)}."


def _config(root: Path, path: Path | None, content: Mapping[str, Any], tree: Tree | None = None) -> Config:
    servers = {name: _server(name, values, tree) for name, values in content.get("servers", {}).items()}
    servers.setdefault("embedded", Server(name="embedded", base_url=EMBEDDED_URL))
    described = content.get("models") or {
        role: {"server": "embedded", "model": model, "temperature": 0} for role, model in EMBEDDED_MODELS.items()
    }

    def model(role: str, values: Mapping[str, Any], *steps: str) -> Model:
        server = servers.get(values["server"])
        if server is None:
            place = tree.place(*steps, "server") if tree else root
            raise ConfigError(
                f"{place}: {'.'.join(steps)}: there is no server {values['server']!r} (there are {', '.join(servers)})."
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
        alpha=content.get("gate", {}).get("alpha", ALPHA),
        attempts=content.get("gate", {}).get("attempts"),
        gate_rules=_gate_rules(content.get("gate", {}).get("rules", []), tree),
        budget_usd=content.get("budget", {}).get("usd"),
        distillation=Distillation(**distillation) if distillation else None,
        private_reports=content.get("reports", {}).get("private", True),
        retention_days=content.get("retention", {}).get("days"),
        require=tuple(content.get("promotion", {}).get("require", ())),
    )


def _gate_rules(declared: Iterable[Any], tree: Tree | None) -> tuple[tuple[str, Any, str], ...]:
    rules = []
    for number, rule in enumerate(declared):
        name, argument = (rule, None) if isinstance(rule, str) else next(iter(rule.items()))
        place = f"{tree.place('gate', 'rules', number)}: " if tree else ""
        rules.append((name, argument, f"{place}gate.rules"))
    return tuple(rules)


def _server(name: str, values: Mapping[str, Any], tree: Tree | None) -> Server:
    problem = _url_problem(values["base_url"])
    if problem:
        place = f"{tree.place('servers', name, 'base_url')}: " if tree else ""
        raise ConfigError(f"{place}servers.{name}.base_url: {brief(repr(mask(values['base_url'])), 120)} {problem}")
    secret = values.get("api_key")
    match = _VARIABLE.match(secret) if secret else None
    return Server(
        name=name,
        base_url=values["base_url"].rstrip("/"),
        api_key=os.environ.get(match[1]) if match else None,
        api_key_variable=match[1] if match else None,
        **{k: v for k, v in values.items() if k not in ("base_url", "api_key")},
    )


def _url_problem(url: str) -> str | None:
    """What is wrong with a URL, None if nothing."""
    if url == EMBEDDED_URL:
        return None
    if any(sign.isspace() or not sign.isprintable() for sign in url):
        return "has a space or a control character. Remove it."
    try:
        parts = urlsplit(url)
        if parts.hostname and parts.port != 0:
            return None
    except ValueError as error:
        return f"is not a URL: {error}. Write https://HOST/v1."
    return "names no host. Write https://HOST/v1."


def _prices(root: Path, name: str | None) -> dict[str, Price]:
    if name is None:
        return {}
    path = root / name
    if absent(path):
        raise ConfigError(f'{name}: there is no such price file ({path}). Correct "prices:" in {root / CONFIG_NAME}.')
    tree = read_yaml(path, name, ConfigError)
    content = {} if tree.value is None else tree.value
    if not isinstance(content, Mapping):
        raise ConfigError(f"{tree.place()}: {kind_of(content)}; a price file maps models to their prices.")
    allowed = Price.__slots__
    for model, values in content.items():
        if not isinstance(values, Mapping) or set(values) - set(allowed):
            raise ConfigError(
                f"{tree.place(model)}: {brief(model)}: a price has {', '.join(allowed)}, in USD per million tokens."
            )
        for kind, value in values.items():
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _DEAREST:
                raise ConfigError(
                    f"{tree.place(model, kind)}: {brief(model)}.{kind} is {value!r:.60}; "
                    "a price is a number of USD per million tokens."
                )
    return {model: Price(**values) for model, values in content.items()}
