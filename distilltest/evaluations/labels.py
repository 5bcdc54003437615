"""People's labels of answers: the gate decides by them, and combines them with a judge's grades if there are enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from distilltest.data.dataset import load_dataset
from distilltest.errors import DatasetError
from distilltest.records import Case, Dataset, Outcome


@dataclass(frozen=True)
class Labels:
    """People's labels. A label belongs to an answer, whichever role gave it."""

    name: str
    values: Mapping[tuple[str, str], float]
    """Case id and answer → 1 if people passed it, else 0."""
    pending: frozenset[tuple[str, str]] = frozenset()
    """Case id and answer of the rows without a label yet."""
    cases: frozenset[str] = frozenset()
    """The ids of the cases with a labelled answer."""

    def of(self, case: Case, answer: str) -> float | None:
        """The label of an answer to a case, or None."""
        return self.values.get((case.id, _folded(answer)))

    def is_new(self, case: Case, answer: str) -> bool:
        """Whether the case has labelled answers, but the file lacks this one.

        Leaving such cases out would bias the result: the answers that changed are not a random sample.
        """
        key = (case.id, _folded(answer))
        return case.id in self.cases and key not in self.values and key not in self.pending


def load_labels(path: Path, name: str, dataset: Dataset) -> Labels:
    """Read a file of labels: a row has an ``id``, the ``case``, the ``answer`` and ``passed`` (true or false).

    Rows with an empty ``passed`` are not labelled yet, and are skipped.

    Raises:
        DatasetError: A row is broken, its case is not in the dataset, or it contradicts another row.
    """
    cases = {case.id for case in dataset.cases}
    values: dict[tuple[str, str], float] = {}
    places: dict[tuple[str, str], str] = {}
    pending = set[tuple[str, str]]()
    for row in load_dataset(path, name).cases:
        case, answer, passed = (row.item.get(field) for field in ("case", "answer", "passed"))
        if str(case) not in cases:
            raise DatasetError(f"{row.place}: {dataset.name} has no case {case!r}. Labels belong to one dataset.")
        if not isinstance(answer, str):
            raise DatasetError(f'{row.place}: "answer" is {answer!r}, but must be the text that people labelled.')
        key = (str(case), _folded(answer))
        if passed in (None, ""):
            pending.add(key)
            continue
        value = _truth(passed)
        if value is None:
            raise DatasetError(f'{row.place}: "passed" is {passed!r}, but must be true, false, or empty for not yet.')
        if values.setdefault(key, value) != value:
            raise DatasetError(
                f"{row.place}: says the opposite of {places[key]} about the same answer. Keep one of them."
            )
        places[key] = row.place
    return Labels(name, values, frozenset(pending), frozenset(case for case, _ in values))


def note_on(labels: Labels, roles: Iterable[str], outcomes: Iterable[Outcome]) -> str:
    """A sentence about how many answers are labelled.

    Args:
        labels: The labels.
        roles: In the order of the report.
        outcomes: The outcomes of the run.
    """
    counts, new = dict.fromkeys(roles, 0), dict.fromkeys(roles, 0)
    for outcome in outcomes:
        if outcome.trial == 0:
            counts[outcome.role] += outcome.human is not None
            new[outcome.role] += outcome.unlabelled
    each = ", ".join(
        f"{role} {count}" + (f" ({new[role]} answers to labelled cases are new)" if new[role] else "")
        for role, count in counts.items()
    )
    return f"Answers labelled by people ({labels.name}): {each}."


def _folded(answer: str) -> str:
    return " ".join(answer.split())


def _truth(passed: object) -> float | None:
    if isinstance(passed, bool):
        return float(passed)
    words = {"true": 1.0, "yes": 1.0, "1": 1.0, "false": 0.0, "no": 0.0, "0": 0.0}
    return words.get(str(passed).strip().casefold())
