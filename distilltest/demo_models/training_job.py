"""A job of the student."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from distilltest.demo_models.student import Student
from distilltest.demo_models.training_steps import TrainingFileInvalid, read_examples, teach
from distilltest.server.chat import count_tokens
from distilltest.server.interface import JobControl, TrainingFailed


@dataclass(frozen=True)
class StudentTraining:
    """A job of the student, with its files read."""

    student: Student
    """What is tuned."""
    method: str
    hyperparameters: dict[str, Any]
    examples: list[tuple[str, ...]]
    held_out: list[tuple[str, ...]]
    seconds: float
    """How long it takes beside its learning."""
    serve: Callable[[str, Student], None]

    def run(self, name: str, control: JobControl) -> int:
        """Keep what each step came to: its model first, then its checkpoint, then its event."""
        for step in teach(self.student, self.method, self.examples, self.held_out, self.hyperparameters):
            control.check()
            if step.kept:
                model = name if step.number == step.total else f"{name}:ckpt-step-{step.number}"
                self.serve(model, step.student)
                control.checkpoint(model, step.metrics)
            losses = f"training loss={step.metrics['train_loss']}"
            if "valid_loss" in step.metrics:
                losses += f", validation loss={step.metrics['valid_loss']}"
            if control.event(f"Step {step.number}/{step.total}: {losses}", step.metrics):
                control.wait(self.seconds * 0.6 / min(step.total, 6))
        return sum(count_tokens(text) for example in self.examples for text in example)


def read_file(content: bytes, method: str, field: str) -> list[tuple[str, ...]]:
    """The examples of the file that a field of the job names.

    Raises:
        TrainingFailed: It cannot be learned from.
    """
    try:
        return read_examples(content, method, held_out=field == "validation_file")
    except TrainingFileInvalid as error:
        raise TrainingFailed(f"invalid_{field}", str(error), field) from None
