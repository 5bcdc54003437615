"""Loads the base model and reads its properties."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distilltest.errors import ConfigError
from distilltest.trainer.out_of_memory import out_of_memory
from distilltest.trainer.template import PLAIN

DEVICES = ("auto", "cpu", "cuda")
UNKNOWN_CONTEXT = 4096
"""The assumed context length in tokens if neither the model nor its tokenizer states one."""


@dataclass(frozen=True)
class LoadedBase:
    """The base model that is served, and the source of further copies."""

    name: str
    """Its id in requests."""
    source: str
    """A folder or a hub id."""
    device: str
    """``cpu`` or ``cuda``."""
    context: int
    """The context length in tokens, for request and answer together."""
    chat_template: str | None
    """The template that replaces the tokenizer's own; None to use the tokenizer's."""
    tokenizer: Any
    model: Any

    @property
    def end_ids(self) -> frozenset[int]:
        """The tokens that end an answer."""
        ids = self.model.generation_config.eos_token_id
        several = ids if isinstance(ids, list) else [] if ids is None else [ids]
        return frozenset([*several, self.tokenizer.eos_token_id])

    def another_tokenizer(self) -> Any:
        """A tokenizer for another thread, because tokenizers are not thread-safe."""
        return _tokenizer(self.source, self.chat_template)

    def another_model(self) -> Any:
        """A copy to train. Training changes the model in place, and the served model continues to answer."""
        return _model(self.source, self.device)


def load_base(source: str, *, device: str = "auto", chat_template: str | None = None) -> LoadedBase:
    """Load a base model and its tokenizer.

    Args:
        source: A folder that ``save_pretrained`` wrote, or a hub id.
        device: ``cpu``, ``cuda``, or ``auto``, which uses cuda if available.
        chat_template: ``plain``, or a file with a Jinja template; by default the tokenizer's own template.

    Raises:
        ConfigError: The model does not exist, is not a causal language model, or does not fit into memory.
    """
    chosen = _device(device)
    folder = Path(source).expanduser()
    if folder.exists():
        source = str(folder.resolve())
        if not (folder / "config.json").is_file():
            raise ConfigError(
                f"{source} is not a model: it has no config.json. Name the folder that save_pretrained wrote, or a hub id."
            )
    elif source.startswith((".", "/", "~")) or source.count("/") > 1:
        raise ConfigError(f"There is no folder {source}. Name the folder of a model, or a hub id such as owner/name.")
    template = _template(chat_template)
    tokenizer = _tokenizer(source, template)
    model = _model(source, chosen)
    _quiet(model)
    name = (folder.resolve().name if folder.exists() else source).replace(":", "-")
    return LoadedBase(name, source, chosen, _context(model, tokenizer), template, tokenizer, model)


def _device(wanted: str) -> str:
    import torch

    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise ConfigError(
            "--device cuda: PyTorch sees no CUDA device. Check the driver and that PyTorch was installed with CUDA, or "
            "use --device cpu."
        )
    return "cuda" if wanted != "cpu" and there else "cpu"


def _template(chosen: str | None) -> str | None:
    if chosen is None or chosen == "plain":
        return PLAIN if chosen else None
    try:
        return Path(chosen).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"--chat-template {chosen} cannot be read: {error}. Give a file, or the word plain."
        ) from None


def _tokenizer(source: str, template: str | None) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
    except Exception as error:  # the libraries raise many types
        raise ConfigError(f"The tokenizer of {source} cannot be loaded: {_said(error)}") from None
    if template is not None:
        tokenizer.chat_template = template
    if not tokenizer.chat_template:
        raise ConfigError(
            f"The tokenizer of {source} has no chat template, which is common for base models. Pass one with "
            "--chat-template FILE, or use a plain one with --chat-template plain."
        )
    if tokenizer.eos_token_id is None:
        raise ConfigError(f"The tokenizer of {source} has no end token (eos_token), so no answer could end. Set one.")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _model(source: str, device: str) -> Any:
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    half = device == "cuda" and torch.cuda.is_bf16_supported()
    try:
        model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.bfloat16 if half else torch.float32)
        return model.to(device).eval()
    except Exception as error:  # the libraries raise many types
        if out_of_memory(error):
            raise ConfigError(
                f"{source} does not fit into the memory of {device}. Use a smaller model or a larger machine."
            ) from None
        raise ConfigError(f"{source} cannot be loaded as a causal language model: {_said(error)}") from None


def _said(error: Exception) -> str:
    """The first lines of a library's message; the rest is advice to programmers."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2]) or type(error).__name__


def _quiet(model: Any) -> None:
    """Remove the model's own defaults for parameters that requests set."""
    for name in ("temperature", "top_p", "top_k"):
        setattr(model.generation_config, name, None)
    model.generation_config.do_sample = False


def _context(model: Any, tokenizer: Any) -> int:
    most = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if isinstance(most, int):
        return most
    return tokenizer.model_max_length if tokenizer.model_max_length < 10**9 else UNKNOWN_CONTEXT
