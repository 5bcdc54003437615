"""Write the candidate into ``distilltest.yaml``: one value changes, comments and layout stay."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from distilltest.data import nodes, parse_yaml, read_bytes, text_of, yaml_of
from distilltest.data.whole_files import replacing
from distilltest.errors import ConfigError, at

if TYPE_CHECKING:
    from yaml import MappingNode, Node

    from distilltest.config import Config


def set_candidate(config: Config, model: str) -> Path:
    """Set ``models.candidate.model``; a new candidate gets the server and parameters of the base.

    Returns:
        The file.

    Raises:
        ConfigError: There is no file, or the value cannot be changed by itself; the file is unchanged.
    """
    path = config.source
    by_hand = f'Write `candidate: {{server: {config.model("base").server}, model: "{model}"}}` under "models:" yourself'
    if path is None:
        raise ConfigError(
            f"{config.root / 'distilltest.yaml'}: there is no such file to set the candidate in. {by_hand}."
        )
    text = text_of(read_bytes(path, str(path), ConfigError), str(path), ConfigError)
    changed = with_candidate(text, model, path, by_hand)
    if changed != text:
        _replace(path, changed)
    return path


def with_candidate(text: str, model: str, path: Path, by_hand: str) -> str:
    """Change the candidate in the text of a configuration.

    Raises:
        ConfigError: It cannot be changed safely.
    """
    before = parse_yaml(text, str(path), ConfigError).value
    root = nodes(text, str(path), ConfigError)
    models = _value(root, "models")
    if not _is_mapping(models) or not models.value:
        raise ConfigError(f'{at(path, _line(models))}: there is no "models:" with models. {by_hand}.')
    candidate = _value(models, "candidate")
    entry = dict(before["models"].get("candidate") or before["models"].get("base") or {}) | {"model": model}
    if candidate is None:
        entry.pop("prompt", None)  # a prompt of the base's own
        shown = yaml_of(entry, flow=True, width=float("inf"))
        changed = _added(text, models, f"candidate: {shown.strip()}")
    else:
        node = _value(candidate, "model")
        if node is None:
            raise ConfigError(f'{at(path, _line(candidate))}: models.candidate has no "model" of its own. {by_hand}.')
        changed = text[: node.start_mark.index] + _quoted(model) + text[node.end_mark.index :]
    wanted = {**before, "models": {**before["models"], "candidate": entry}}
    try:
        same = parse_yaml(changed, str(path), ConfigError).value == wanted
    except ConfigError:
        same = False
    if not same:
        raise ConfigError(
            f"{at(path, _line(candidate or models))}: the candidate cannot be set without changing something else "
            f"(an anchor, an alias or an unusual layout). The file is as it was. {by_hand}."
        )
    return changed


def _quoted(model: str) -> str:
    import json

    return json.dumps(model, ensure_ascii=False)


def _is_mapping(node: Any) -> bool:
    return node is not None and node.id == "mapping"


def _value(node: Any, name: str) -> Any:
    """The node of a key of a mapping; None if there is none."""
    if not _is_mapping(node):
        return None
    return next((value for key, value in node.value if key.value == name), None)


def _line(node: Node | None) -> int | None:
    return int(node.start_mark.line) + 1 if node is not None else None


def _added(text: str, models: MappingNode, entry: str) -> str:
    """Add an entry after the last one of a mapping, on its own line if the others are."""
    end = _end(models.value[-1][1])
    if models.flow_style:
        return f"{text[:end]}, {entry}{text[end:]}"
    first = models.value[0][0].start_mark
    indent = text[first.index - first.column : first.index]
    line_end = "\r\n" if "\r\n" in text else "\n"
    below = text.find("\n", end) + 1
    if not below:
        return f"{text}{line_end}{indent}{entry}{line_end}"
    return f"{text[:below]}{indent}{entry}{line_end}{text[below:]}"


def _end(node: Any) -> int:
    """Where a value ends. PyYAML ends a block where the next token begins, after blank lines and comments."""
    if node.id == "scalar" or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if node.id == "mapping" else last)


def _replace(path: Path, text: str) -> None:
    """Write the file atomically, and keep its permissions."""
    try:
        with replacing(path, path.stat().st_mode & 0o777) as file:
            file.write(text.encode())
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}. It is unchanged.") from None
