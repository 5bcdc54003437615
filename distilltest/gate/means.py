"""Evidence about a mean, by the test that the data decide: the anchored one, or the clustered one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distilltest.comparison import TESTS


@dataclass(frozen=True, slots=True)
class Evidence:
    """What values in [-1, 1] say of the claim that their mean is above 0."""

    p: float
    """How surprising they are if it is not; 1 where clusters are too few."""
    against: float
    """How surprising they are if it is."""
    low: float
    """The two-sided 1 - 2·alpha interval of the mean."""
    high: float
    test: str
    """What a report calls the test."""


def evidence(values: Sequence[float], clusters: Sequence[str], alpha: float) -> Evidence:
    """Weigh values, one a case, in clusters or (where none are given) independent ones.

    >>> found = evidence([0.5] * 40 + [-0.5] * 10, (), 0.05)
    >>> round(found.p, 4), found.test
    (0.0001, 'anchored mean test')
    """
    from distilltest.statistics import anchored
    from distilltest.statistics import clusters as clustered

    mirrored = [-value for value in values]
    if not clusters:
        low, high = anchored.interval(values, alpha)
        return Evidence(anchored.p_value(values, 0.0), anchored.p_value(mirrored, 0.0), low, high, TESTS["anchored"])
    p, against = (clustered.evaluate(each, clusters, 0.0).p for each in (values, mirrored))
    low, high = clustered.interval(values, clusters, alpha) or (-1.0, 1.0)
    return Evidence(1.0 if p is None else p, 1.0 if against is None else against, low, high, TESTS["clusters"])
