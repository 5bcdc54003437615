"""The keys of the store's ``state`` table: every JSON value that a command remembers for a later one.

All keys are declared here. A key is either one name (``candidate``) or a prefix for many (``job:<mark>``), completed by ``of``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class StateKey:
    """One key, or the prefix of a family of keys."""

    prefix: str
    """The stored name, up to the colon."""
    holds: str
    """The value."""
    writers: tuple[str, ...]
    """The modules that write it."""
    rest: str | None = None
    """The stored name, after the colon; None for a single key."""

    def of(self, *parts: str) -> StateKey:
        """The key of one member of the family.

        >>> TRAINED.of("ft:small:1").name
        'trained:ft:small:1'
        """
        return replace(self, rest=":".join(parts))

    @property
    def name(self) -> str:
        """The name as the table stores it."""
        return f"{self.prefix}:{self.rest}" if self.rest is not None else self.prefix


CANDIDATE = StateKey(
    "candidate",
    "The model that was tuned last: model, training_file, sha256, prompt, prompt_instead_of",
    ("finetuning.candidate",),
)
TRAINED = StateKey("trained", "By model id: what CANDIDATE holds, for that model", ("finetuning.candidate",))
JOB = StateKey(
    "job",
    "By mark of an order: the id of its fine-tuning job",
    ("distillation.learning_curve.measure", "distillation.loop", "finetuning.sequence"),
)
TUNING = StateKey("tuning", "By fingerprint of server and orders: a sequence of orders", ("finetuning.sequence",))
TUNING_OF = StateKey("tuning_of", "By job id: the TUNING fingerprint of its sequence", ("finetuning.sequence",))
TUNED = StateKey("tuned", "By mark of an order: the model that `distill` got from it", ("distillation.loop",))
EVALUATED = StateKey(
    "evaluated", "By suites: the run and exit code of the last evaluation by `distill`", ("distillation.loop",)
)
IMPORT = StateKey(
    "import",
    "By fingerprint of server, model and labels: the last imported completion, as `after`",
    ("exchange.import_server",),
)
CALIBRATION = StateKey(
    "calibration",
    "By grader, and fingerprint of judge, prompt and criterion: a Calibration",
    ("judges.calibration",),
)
TEXTS = StateKey(
    "texts", "By dataset fingerprint: a sketch of its texts, to recognise an edited copy", ("promotion.candidate",)
)
LOOKS = StateKey(
    "looks",
    "By fingerprint of an attempt: the interim analyses of its first verdict",
    ("promotion.candidate",),
)
OVERLAP = StateKey(
    "overlap",
    "By fingerprint of training file, dataset and prompt: the cases that both contain",
    ("promotion.candidate",),
)
