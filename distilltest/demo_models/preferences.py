"""Preference tuning (DPO) of the student: the method's own loss, computed on the student's scores.

Rafailov et al. (2023), Direct Preference Optimization, equation 7: the loss of a pair is -log sigmoid(beta * margin). The margin
is how far tuning has raised the preferred answer over the rejected one, compared with the model before tuning. Here the scores
of templates take the place of log-probabilities. Tuning learns one number per pair, its strength: how far the pair moves the
scores of similar requests. Requests that resemble no pair keep their answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHARPNESS = 10.0
"""A difference of 1 between scores counts as a difference of 10 between log-probabilities."""
RATE = 0.3
"""The largest gain of a pair's strength in one step, before the multiplier."""
BETA, EPOCHS = 0.1, 5
"""The values for "auto"."""


@dataclass(frozen=True, slots=True)
class LearnedPair:
    """A preference pair."""

    request: str
    preferred: str
    rejected: str
    strength: float = 0.0
    """How far the pair moves the scores; 0 before tuning."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The hyperparameters of a job."""

    beta: float = BETA
    epochs: int = EPOCHS
    rate: float = RATE
    batch: int | None = None
    """Pairs per step; None for all."""


def tune(tilts: NDArray[np.float64], settings: Settings) -> Iterator[NDArray[np.float64]]:
    """Yield the strengths after each epoch of gradient descent on the loss.

    Args:
        tilts: A square matrix: entry (i, j) is what the strength of pair j adds to the margin of pair i.
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
    """The mean loss of the pairs: log 2 = 0.693 before tuning, near 0 once every margin is wide."""
    import numpy as np

    return float(np.mean(np.logaddexp(0.0, -beta * SHARPNESS * (tilts @ strengths))))


def strengthened(preferences: Sequence[LearnedPair], strengths: NDArray[np.float64]) -> list[LearnedPair]:
    """The pairs with their learned strengths."""
    return [
        replace(preference, strength=strength)
        for preference, strength in zip(preferences, strengths.tolist(), strict=True)
    ]
