"""The common part of supervised and preference training."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from distilltest.errors import DistilltestError
from distilltest.server.interface import JobControl, TrainingFailed
from distilltest.trainer.adapters import new_config, save_adapter
from distilltest.trainer.hyperparameters import RATES, resolve
from distilltest.trainer.loading import LoadedBase
from distilltest.trainer.out_of_memory import out_of_memory

AT_ONCE = 4
"""How many examples are in memory at once; larger batches accumulate gradients."""
EVENTS = 500
"""The maximum number of events with a loss."""


@dataclass(frozen=True)
class LoraTraining:
    """A job with its files read.

    ``start`` is the adapter to continue from; it is copied. None starts from the base model. Either way the result is one adapter
    on the base model, as vLLM expects.
    """

    job: dict[str, Any]
    base: LoadedBase
    start: Path | None
    folder: Path
    """The folder of all adapters."""
    serve: Callable[[str, str], None]
    """Serves an adapter: the model's id, and the name of its folder."""
    examples: list[dict[str, Any]]
    held_out: list[dict[str, Any]]
    notes: tuple[str, ...]
    """Notes about the files, reported as events."""

    @classmethod
    def prepare(
        cls,
        job: dict[str, Any],
        training: bytes,
        validation: bytes | None,
        base: LoadedBase,
        start: Path | None,
        folder: Path,
        serve: Callable[[str, str], None],
    ) -> Self:
        """Read a job's files.

        Raises:
            TrainingFailed: A file is invalid, or no example fits the model's context.
        """
        examples, notes = cls._some(training, base, "training_file")
        held_out, more = cls._some(validation, base, "validation_file") if validation is not None else ([], ())
        return cls(job, base, start, folder, serve, examples, held_out, notes + more)

    @classmethod
    def _some(cls, content: bytes, base: LoadedBase, field: str) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
        examples, notes = cls._read(content, base, field)
        if not examples:
            raise TrainingFailed(
                f"invalid_{field}", f"No example's answer begins within the model's {base.context} tokens.", field
            )
        return examples, notes

    @staticmethod
    def _read(content: bytes, base: LoadedBase, field: str) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
        """The examples of a file in the format of the method's trainer, and notes about the file."""
        raise NotImplementedError

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The job's hyperparameters, with ``auto`` resolved."""
        return resolve(self._method, self.job["method"][self._method]["hyperparameters"], len(self.examples))

    @property
    def _method(self) -> str:
        return str(self.job["method"]["type"])

    def run(self, name: str, control: JobControl) -> int:
        """Train, and serve the result.

        Raises:
            Stopped: The training had to stop.
            TrainingFailed: The training failed.
        """
        for note in self.notes:
            control.event(note, level="warn")
        try:
            return self._run(name, control)
        except DistilltestError as error:
            raise TrainingFailed("base_model", str(error), "model") from None
        except Exception as error:
            if out_of_memory(error):
                raise TrainingFailed(
                    "out_of_memory",
                    f"The memory of {self.base.device} ran out. Set batch_size below {AT_ONCE} (larger batches are already "
                    "split), shorten the examples, or use a smaller base model or a larger machine.",
                    "hyperparameters",
                ) from None
            raise
        finally:
            _free(self.base.device)

    def _run(self, name: str, control: JobControl) -> int:
        from peft import PeftModel, get_peft_model
        from transformers import PrinterCallback, set_seed

        from distilltest.trainer.progress import ProgressCallback

        set_seed(self.job["seed"])
        model = self.base.another_model()
        if self.start is None:
            model = get_peft_model(model, new_config())
        else:
            model = PeftModel.from_pretrained(model, str(self.start), is_trainable=True)
        told = ProgressCallback(
            control, partial(self._save, name, control), self._epochs, validated=bool(self.held_out)
        )
        with tempfile.TemporaryDirectory() as folder:
            trainer = self._trainer(model, self._arguments(folder))
            trainer.remove_callback(PrinterCallback)
            trainer.add_callback(told)
            trainer.train()
        return self._tokens(trainer) * self._epochs

    def _trainer(self, model: Any, arguments: dict[str, Any]) -> Any:
        """Create the method's trainer from the common arguments."""
        raise NotImplementedError

    def _tokens(self, trainer: Any) -> int:
        """The number of tokens in all examples."""
        raise NotImplementedError

    @property
    def _epochs(self) -> int:
        return int(self.hyperparameters["n_epochs"])

    def _arguments(self, folder: str) -> dict[str, Any]:
        chosen = self.hyperparameters
        batch = int(chosen["batch_size"])
        part = next(size for size in range(min(batch, AT_ONCE), 0, -1) if batch % size == 0)
        steps = self._epochs * -(-len(self.examples) // batch)
        on_gpu = self.base.device == "cuda"
        half = str(self.base.model.dtype) == "torch.bfloat16"
        return {
            "output_dir": folder,
            "seed": self.job["seed"],
            "num_train_epochs": self._epochs,
            "per_device_train_batch_size": part,
            "per_device_eval_batch_size": part,
            "gradient_accumulation_steps": batch // part,
            "learning_rate": RATES[self._method] * float(chosen["learning_rate_multiplier"]),
            "lr_scheduler_type": "linear",
            "logging_steps": max(1, steps // EVENTS),
            "logging_nan_inf_filter": False,
            "eval_strategy": "epoch" if self.held_out else "no",
            "save_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
            "use_cpu": not on_gpu,
            "dataloader_pin_memory": on_gpu,
            "gradient_checkpointing": on_gpu,
            "bf16": half,
        }

    def _save(self, name: str, control: JobControl, model: Any, step: int, last: bool, metrics: dict[str, Any]) -> None:
        """Save and serve a checkpoint; the last one is the tuned model."""
        identity = name if last else f"{name}:ckpt-step-{step}"
        adapter = self.job["id"] if last else f"{self.job['id']}-step-{step}"
        save_adapter(model, self.folder / adapter)
        self.serve(identity, adapter)
        control.checkpoint(identity, metrics)


def _free(device: str) -> None:
    """Free memory."""
    import torch

    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
