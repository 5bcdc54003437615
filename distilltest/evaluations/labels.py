"""What people said of answers: where it is declared it decides, and with enough of it a judge sharpens it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from distilltest.data.dataset import load_dataset
from distilltest.errors import DatasetError
from distilltest.records import Case, Dataset, Outcome


@dataclass(frozen=True)
class Labels:
    """Whether answers are right, by people. A label is of an answer, whichever role gave it: people need not know."""

    name: str
    values: Mapping[tuple[str, str], float]
    """Case id and answer → 1 where people let it pass, 0 where not."""
    pending: frozenset[tuple[str, str]] = frozenset()
    """Case id and answer of the rows that nobody has filled in yet."""
    cases: frozenset[str] = frozenset()
    """The ids of the cases of which people labelled an answer."""

    def of(self, case: Case, answer: str) -> float | None:
        """What people said of an answer to a case, None where nobody has said anything."""
        return self.values.get((case.id, _folded(answer)))

    def is_new(self, case: Case, answer: str) -> bool:
        """Whether people labelled answers to this case, and have not been shown this one.

        Such a case must not be left out: that its answer is another one than before is no accident.
        """
        key = (case.id, _folded(answer))
        return case.id in self.cases and key not in self.values and key not in self.pending


def load_labels(path: Path, name: str, dataset: Dataset) -> Labels:
    """Read a file of labels: a row has an ``id``, the ``case``, the ``answer`` and ``passed`` (true or false).

    Rows whose ``passed`` is empty are not labelled yet, and skipped.

    Raises:
        DatasetError: A row is broken, names no case of the dataset, or contradicts another one.
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
            raise DatasetError(f'{row.place}: "answer" is {answer!r}; it is the text that people judged.')
        key = (str(case), _folded(answer))
        if passed in (None, ""):
            pending.add(key)
            continue
        value = _truth(passed)
        if value is None:
            raise DatasetError(f'{row.place}: "passed" is {passed!r}; it is true, false, or empty for not yet.')
        if values.setdefault(key, value) != value:
            raise DatasetError(
                f"{row.place}: says the opposite of {places[key]} about the same answer. Keep one of them."
            )
        places[key] = row.place
    return Labels(name, values, frozenset(pending), frozenset(case for case, _ in values))


def note_on(labels: Labels, roles: Iterable[str], outcomes: Iterable[Outcome]) -> str:
    """How many answers are labelled, as a sentence.

    Args:
        labels: The file.
        roles: In the order of the report.
        outcomes: Of the run.
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
