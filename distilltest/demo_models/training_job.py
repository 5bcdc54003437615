"""The student's fine-tuning jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from distilltest.demo_models.student import Student
from distilltest.demo_models.tokens import count_tokens
from distilltest.demo_models.training_steps import TrainingFileInvalid, read_examples, teach
from distilltest.server.interface import JobControl, TrainingFailed


@dataclass(frozen=True)
class StudentTraining:
    """A fine-tuning job of the student, with its files read."""

    student: Student
    """The student to tune."""
    method: str
    hyperparameters: dict[str, Any]
    examples: list[tuple[str, ...]]
    held_out: list[tuple[str, ...]]
    seconds: float
    """How long the job takes beyond the training itself."""
    serve: Callable[[str, Student], None]

    def run(self, name: str, control: JobControl) -> int:
        """Train, and record each step: first its model, then its checkpoint, then its event."""
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
    """The examples of the file in this field of the job.

    Raises:
        TrainingFailed: The file is invalid.
    """
    try:
        return read_examples(content, method, held_out=field == "validation_file")
    except TrainingFileInvalid as error:
        raise TrainingFailed(f"invalid_{field}", str(error), field) from None
