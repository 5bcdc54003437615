"""The order for a job: model, files and settings, and the mark by which the job is found again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from distilltest.data import whole_files
from distilltest.data.stored import restore
from distilltest.errors import TrainingFileError
from distilltest.records import fingerprint

SUPERVISED, DPO = "supervised", "dpo"


@dataclass(frozen=True, slots=True)
class Order:
    """One job: a model, its files and how to tune it."""

    model: str
    """The model to tune."""
    path: Path
    """The training file."""
    sha256: str
    """The fingerprint of the training file."""
    method: str = SUPERVISED
    """``supervised`` or ``dpo``."""
    validation: Path | None = None
    validation_sha256: str | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    """The given ones; the server chooses the others."""
    suffix: str | None = None
    """Part of the tuned model's name."""
    seed: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Labels of the job; they are not part of the mark."""

    @classmethod
    def of(cls, model: str, path: Path, *, validation: Path | None = None, **more: Any) -> Self:
        """Make an order for files as they are now.

        Raises:
            TrainingFileError: A file cannot be read.
        """
        checked = sha256(validation) if validation else None
        return cls(model, path, sha256(path), validation=validation, validation_sha256=checked, **more)

    def mark(self, base_url: str) -> str:
        """32 hexadecimal digits; equal files, model, server and settings have equal marks."""
        plain = self.method == SUPERVISED and not self.hyperparameters and self.seed is None and self.validation is None
        settings = [self.method, sorted(self.hyperparameters.items()), self.seed, self.validation_sha256]
        return fingerprint(base_url, self.model, self.sha256, self.suffix, *([] if plain else settings))[:32]

    def tuning(self, model: str) -> Order:
        """The same order for another model."""
        return replace(self, model=model)

    def check_unchanged(self) -> None:
        """Check that the files have not changed since the order was made.

        Raises:
            TrainingFileError: A file has changed, or cannot be read.
        """
        for path, was in ((self.path, self.sha256), (self.validation, self.validation_sha256)):
            if path is not None and sha256(path) != was:
                raise TrainingFileError(
                    f"{path} has changed since this tuning was started. Start a new one with `distilltest finetune start`."
                )

    def to_json(self) -> dict[str, Any]:
        """The order as plain values."""
        content = asdict(self)
        return content | {k: str(v) for k, v in content.items() if isinstance(v, Path)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Make an order from plain values."""
        return restore(cls, content, path=Path, validation=lambda path: Path(path) if path else None)


def sha256(path: Path) -> str:
    """A file's fingerprint.

    Raises:
        TrainingFileError: It cannot be read.
    """
    try:
        return whole_files.sha256(path)
    except FileNotFoundError:
        raise TrainingFileError(f"{path} cannot be read: there is no such file. Check the path.") from None
    except OSError as error:
        raise TrainingFileError(f"{path} cannot be read: {error.strerror}.") from None
