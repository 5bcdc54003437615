"""Adapters on disk, one per folder as peft and vLLM expect, and the most recent ones in memory beside the base model."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RANK, ALPHA = 16, 32
"""The rank and alpha of new adapters. By default, vLLM loads ranks up to 16."""
IN_MEMORY = 8


def new_config() -> Any:
    """The configuration of a new adapter: LoRA on every linear layer except the head."""
    from peft import LoraConfig

    return LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")


def save_adapter(model: Any, folder: Path) -> None:
    """Write a model's adapter into a folder, completely or not at all."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    for old in (unfinished, folder):
        if old.exists():
            shutil.rmtree(old)
    model.save_pretrained(str(unfinished), selected_adapters=["default"], save_embedding_layers=False)
    (unfinished / "README.md").unlink(missing_ok=True)  # an empty template
    unfinished.rename(folder)


def adapter_problem(folder: Path) -> str | None:
    """Why a folder is not an adapter; None if it is one."""
    missing = [n for n in ("adapter_config.json", "adapter_model.safetensors") if not (folder / n).is_file()]
    return f"{folder} has no {' and no '.join(missing)}" if missing else None


class Adapters:
    """The base model with the most recently used adapters. Not thread-safe."""

    def __init__(self, model: Any) -> None:
        self._base = model
        self._peft: Any = None
        self._loaded: dict[str, int] = {}
        """Name → modification time of its folder; the most recently used comes last."""

    @contextmanager
    def using(self, folder: Path | None) -> Iterator[Any]:
        """The model with an adapter; the plain base model for None."""
        if folder is None:
            if self._peft is None:
                yield self._base
            else:
                with self._peft.disable_adapter():
                    yield self._peft
            return
        self._load(folder)
        self._peft.set_adapter(folder.name)
        yield self._peft

    def _load(self, folder: Path) -> None:
        from peft import PeftModel

        name, written = folder.name, folder.stat().st_mtime_ns
        known = self._loaded.pop(name, None)
        if known == written:
            self._loaded[name] = written
            return
        if known is not None:
            self._peft.delete_adapter(name)
        if self._peft is None:
            self._peft = PeftModel.from_pretrained(self._base, str(folder), adapter_name=name).eval()
        else:
            self._peft.load_adapter(str(folder), adapter_name=name)
            self._peft.eval()
        self._loaded[name] = written
        if len(self._loaded) > IN_MEMORY:
            oldest = next(iter(self._loaded))
            del self._loaded[oldest]
            self._peft.delete_adapter(oldest)
