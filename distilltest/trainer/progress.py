"""Reports losses per step and checkpoints per epoch, and stops a training on request."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback

from distilltest.server.interface import JobControl, TrainingFailed

KEPT = 3
"""The number of last epochs whose checkpoints are kept, as on the platform."""
_NAMES = {
    "loss": "loss",
    "mean_token_accuracy": "mean_token_accuracy",
    "rewards/accuracies": "reward_accuracy",
    "rewards/margins": "reward_margin",
}


class ProgressCallback(TrainerCallback):
    """Reports the progress of a Hugging Face trainer.

    Args:
        control: Receives the events and says when to stop.
        save: Saves a checkpoint: the model, the step, whether it is the last, and the metrics.
        epochs: The number of epochs.
        validated: Whether each epoch ends with a validation.
    """

    def __init__(
        self,
        control: JobControl,
        save: Callable[[Any, int, bool, dict[str, Any]], None],
        epochs: int,
        *,
        validated: bool,
    ) -> None:
        self._control = control
        self._save = save
        self._epochs = epochs
        self._validated = validated
        self._train: dict[str, Any] = {}

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop if requested."""
        self._control.check()

    def on_substep_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop if requested."""
        self._control.check()

    def on_prediction_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop if requested."""
        self._control.check()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Report a step's losses.

        Raises:
            TrainingFailed: The loss is not finite.
        """
        loss = (logs or {}).get("loss")
        if loss is None:
            return
        step = state.global_step
        if not math.isfinite(loss):
            raise TrainingFailed(
                "training_diverged",
                f"The loss of step {step} is {loss}. Lower learning_rate_multiplier.",
                "hyperparameters",
            )
        self._train = _metrics(logs or {}, "", "train")
        data = {"step": step, "total_steps": state.max_steps, **self._train}
        self._control.event(f"Step {step}/{state.max_steps}: training loss={loss:.4f}", data)

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, Any], model: Any, **_: Any) -> None:
        """Report an epoch's validation."""
        valid = _metrics(metrics, "eval_", "valid")
        data = self._train | valid | {f"full_{name}": value for name, value in valid.items()}
        loss = metrics["eval_loss"]
        self._control.event(
            f"Epoch {round(state.epoch)}/{self._epochs}: validation loss={loss:.4f}",
            {"step": state.global_step, "total_steps": state.max_steps, **data},
        )
        self._checkpoint(state, model, data)

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any, **_: Any) -> None:
        """Save the checkpoint of an epoch without validation."""
        if not self._validated:
            self._checkpoint(state, model, self._train)

    def _checkpoint(self, state: Any, model: Any, metrics: dict[str, Any]) -> None:
        epoch = round(state.epoch)
        if epoch > self._epochs - KEPT:
            self._save(model, state.global_step, epoch == self._epochs, {"step": state.global_step, **metrics})


def _metrics(logs: dict[str, Any], prefix: str, kind: str) -> dict[str, Any]:
    """The trainer's metrics under the platform's names, with four decimal places."""
    return {
        f"{kind}_{name}": round(float(logs[prefix + key]), 4) for key, name in _NAMES.items() if prefix + key in logs
    }
