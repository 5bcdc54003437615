"""Record tuned models: the project's candidate, and the prompt of each tuned model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distilltest.data import Unreadable, lines, parse_row
from distilltest.data.prompt import load_prompt
from distilltest.errors import DistilltestError, TrainingFileError
from distilltest.store import state_keys

if TYPE_CHECKING:
    from distilltest.config import Config
    from distilltest.store import Store


def remember(store: Store, model: str, details: dict[str, Any], checkpoints: Iterable[str] = ()) -> None:
    """Make a tuned model the default candidate, and record its prompt and that of its checkpoints."""
    know(store, (*checkpoints, model), details)
    store.set_state(state_keys.CANDIDATE, details | {"model": model})


def know(store: Store, models: Iterable[str], details: dict[str, Any]) -> None:
    """Record the training of models, for runs that name one of them."""
    for model in models:
        store.set_state(state_keys.TRAINED.of(model), details | {"model": model})


def details_of(config: Config, path: Path, sha256: str) -> dict[str, Any]:
    """The training file of a model, and the prompt that its examples were written with."""
    content: dict[str, Any] = {"training_file": str(path), "sha256": sha256}
    plan = config.distillation
    if plan is not None and plan.student_prompt is not None and _written_with(path, config.root, plan.student_prompt):
        content |= {"prompt": plan.student_prompt, "prompt_instead_of": plan.prompt}
    return content


def _written_with(path: Path, root: Path, prompt: str) -> bool:
    """Whether the first example has the messages of a prompt, apart from those with placeholders."""
    try:
        templates = load_prompt(root / prompt, prompt).messages
        example = parse_row(next(lines(path, str(path), TrainingFileError))[1])
        messages = (example.get("input") or example)["messages"]
        if "input" not in example:
            messages = messages[:-1]  # the answer
    except (DistilltestError, Unreadable, StopIteration, AttributeError, KeyError, TypeError):
        return False
    if len(messages) != len(templates):
        return False
    return all(
        said["role"] == template["role"]
        and ("{{" in str(template["content"]) or said["content"] == template["content"])
        for said, template in zip(messages, templates, strict=True)
    )
