"""Selecting the cases that a run evaluates."""

from __future__ import annotations

from dataclasses import dataclass

from distilltest.errors import DatasetError
from distilltest.records import Case, Dataset


@dataclass(frozen=True)
class CaseSelection:
    """The options that select cases: ``--limit``, ``--tag``, ``--case``."""

    limit: int | None = None
    tags: tuple[str, ...] = ()
    case_ids: tuple[str, ...] = ()
    outside: str | None = None
    """Why the run as a whole is narrowed (``-k``, deselected evaluations); None if it is not."""

    def narrowed(self) -> str | None:
        """The options that leave cases out, so that the verdict is not about the whole dataset; None without any."""
        reasons = [f"--limit {self.limit}"] if self.limit is not None else []
        reasons += [f"--tag {tag}" for tag in self.tags] + [f"--case {name}" for name in self.case_ids]
        return ", ".join(reasons + ([self.outside] if self.outside else [])) or None

    def of(self, dataset: Dataset) -> tuple[Case, ...]:
        """The cases to evaluate.

        Raises:
            DatasetError: An id or a tag is not in the dataset, or no case is left.
        """
        known_ids = {case.id for case in dataset.cases} if self.case_ids else set()
        for name in self.case_ids:
            if name not in known_ids:
                raise DatasetError(f"--case {name}: {dataset.name} has no case with this id.")
        known_tags = sorted({tag for case in dataset.cases for tag in case.tags}) if self.tags else []
        for tag in self.tags:
            if tag not in known_tags:
                raise DatasetError(
                    f"--tag {tag}: {dataset.name} has no such tag (it has {', '.join(known_tags) or 'none'})."
                )
        cases = tuple(
            case
            for case in dataset.cases
            if (not self.tags or set(self.tags) & set(case.tags)) and (not self.case_ids or case.id in self.case_ids)
        )[: self.limit]
        if not cases:
            raise DatasetError(f"{dataset.name}: no case is left with {self.narrowed()}.")
        return cases
