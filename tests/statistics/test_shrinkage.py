"""Shrunk estimates are closer to the truth than observed values, and their intervals have the stated coverage."""

import numpy as np
import pytest

from distilltest.statistics.shrinkage import shrunken, stepped


@pytest.mark.parametrize("spread", [0.0, 0.02, 0.1])
def test_intervals_hold_the_truth_and_estimates_are_nearer_to_it(spread):
    dice = np.random.default_rng(4)
    inside, gained = [], []
    for _ in range(300):
        errors = dice.uniform(0.02, 0.08, 10)
        truth = dice.normal(-0.03, spread, 10)
        seen = dice.normal(truth, errors)
        found = shrunken(seen.tolist(), errors.tolist())
        inside += [one.low <= true <= one.high for one, true in zip(found, truth, strict=True)]
        gained.append(
            np.mean((seen - truth) ** 2) - np.mean([(f.estimate - t) ** 2 for f, t in zip(found, truth, strict=True)])
        )
    assert np.mean(inside) >= 0.88
    assert np.mean(gained) > 0


def test_adjusted_p_values_are_those_of_holm():
    assert stepped([0.2, 0.01, 0.02]) == pytest.approx([0.2, 0.03, 0.04])
    assert stepped([]) == []
