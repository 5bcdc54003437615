"""Preference tuning (DPO) of the student: the loss of the method itself, over the student's scores.

Rafailov et al. (2023), Direct Preference Optimization, equation 7: the loss of a pair is -log sigmoid(beta * margin), where
the margin says by how much tuning has moved the preferred answer up against the rejected one, compared with the model that
tuning began with. Here the scores of templates play the log-probabilities, and what is learned is one number a pair, its
strength: how far it moves the scores of requests like its own. Requests that are like none of the pairs keep their answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHARPNESS = 10.0
"""A difference of 1 between two scores counts as one of 10 between log-probabilities."""
RATE = 0.3
"""What a pair's strength gains in one step at most, before the multiplier."""
BETA, EPOCHS = 0.1, 5
"""What "auto" means."""


@dataclass(frozen=True, slots=True)
class LearnedPair:
    """One pair."""

    request: str
    preferred: str
    rejected: str
    strength: float = 0.0
    """How far it moves the scores; 0 before tuning."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The hyperparameters of a job."""

    beta: float = BETA
    epochs: int = EPOCHS
    rate: float = RATE
    batch: int | None = None
    """Pairs in a step, None for all."""


def tune(tilts: NDArray[np.float64], settings: Settings) -> Iterator[NDArray[np.float64]]:
    """Strengths after each epoch, by gradient steps on the loss.

    Args:
        tilts: Square: row i says what each pair's strength adds to the margin of pair i.
        settings: The hyperparameters.
    """
    import numpy as np

    count = len(tilts)
    batch = settings.batch or count
    strengths = np.zeros(count)
    for _ in range(settings.epochs):
        for start in range(0, count, batch):
            some = slice(start, start + batch)
            margins = settings.beta * SHARPNESS * (tilts[some] @ strengths)
            strengths[some] += settings.rate / (1.0 + np.exp(np.clip(margins, -50.0, 50.0)))
        yield strengths.copy()


def loss(tilts: NDArray[np.float64], strengths: NDArray[np.float64], beta: float) -> float:
    """The mean loss of pairs: log 2 = 0.693 before tuning, 0 when every margin is wide."""
    import numpy as np

    return float(np.mean(np.logaddexp(0.0, -beta * SHARPNESS * (tilts @ strengths))))


def strengthened(preferences: Sequence[LearnedPair], strengths: NDArray[np.float64]) -> list[LearnedPair]:
    """The same pairs with what was learned."""
    return [
        replace(preference, strength=strength)
        for preference, strength in zip(preferences, strengths.tolist(), strict=True)
    ]
