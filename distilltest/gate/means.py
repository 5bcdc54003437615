"""Evidence about a mean or a share, by the test that suits the data: anchored, clustered or exact binomial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from distilltest.gate.comparison import Comparison
from distilltest.statistics.difference_tests import TESTS


@dataclass(frozen=True, slots=True)
class MeanEvidence:
    """The evidence about the claim that a mean is above a limit."""

    p: float
    """The p-value of the claim; 1 if there are too few clusters."""
    against: float
    """The p-value of the opposite claim."""
    low: float
    """The lower end of the interval, with error rate alpha."""
    high: float
    """The upper end, with the level at which a rule is broken as error rate."""
    test: str
    """The name of the test in reports."""
    mean: float | None = None
    """The estimate of the mean, if it is not the mean of the values."""


def corrected(
    human: Sequence[float | None],
    values: Sequence[float],
    clusters: Sequence[str],
    alpha: float,
    above: float | None = None,
) -> MeanEvidence:
    """Weigh people's labels, None for an unlabelled case, sharpened by a judge's values for all cases."""
    from distilltest.statistics import prediction_powered

    found = prediction_powered.from_columns(human, values, clusters)
    low, high = found.interval(alpha, above)
    return MeanEvidence(found.p_value(0.0), found.mirrored().p_value(0.0), low, high, TESTS["labels"].name, found.mean)


def evidence(
    values: Sequence[float], clusters: Sequence[str], alpha: float, above: float | None = None
) -> MeanEvidence:
    """Weigh the values of clustered or independent cases.

    Args:
        values: One for each case, in [-1, 1].
        clusters: The cluster of each case; empty for independent cases.
        alpha: The error rate of the lower end of the interval.
        above: The error rate of the upper end; None for alpha.

    >>> found = evidence([0.5] * 40 + [-0.5] * 10, (), 0.05)
    >>> round(found.p, 4), found.test
    (0.0001, 'anchored mean test')
    """
    mirrored = [-value for value in values]
    if not clusters:
        from distilltest.statistics import anchored

        low, high = anchored.interval(values, alpha, above)
        return MeanEvidence(
            anchored.p_value(values, 0.0), anchored.p_value(mirrored, 0.0), low, high, TESTS["anchored"].name
        )
    from distilltest.statistics import clusters as clustered

    p, against = (clustered.evaluate(each, clusters, 0.0).p for each in (values, mirrored))
    low, high = clustered.interval(values, clusters, alpha, above) or (-1.0, 1.0)
    return MeanEvidence(1.0 if p is None else p, 1.0 if against is None else against, low, high, TESTS["clusters"].name)


def p_above(
    values: Sequence[float], clusters: Sequence[str], limit: float, alpha: float, *, binary: bool = False
) -> float:
    """The p-value of the claim that the mean of the cases' values is above a limit; 1 if there are too few clusters.

    >>> round(p_above([1.0] * 10 + [0.0] * 90, (), 0.05, 0.05, binary=True), 4)
    0.0282
    """
    from distilltest.statistics import anchored, binomial

    if clusters:
        from distilltest.statistics import clusters as clustered

        p = clustered.evaluate([value - limit for value in values], clusters, 0.0).p
        return 1.0 if p is None else p
    if binary:
        return binomial.at_least(round(sum(values)), len(values), limit)
    if set(values) <= {-1.0, 0.0, 1.0} and not limit:
        return Comparison("", tuple(values), 0, binary=True).p_value(0.0, alpha)
    return anchored.p_value([value - limit for value in values], 0.0)


def more_than_half(
    shares: Sequence[float], clusters: Sequence[str], alpha: float, above: float | None = None
) -> MeanEvidence:
    """Weigh the claim that shares in [0, 1], one for each case, have a mean above one half. The interval is that of the mean."""
    found = evidence([2 * share - 1 for share in shares], clusters, alpha, above)
    return replace(found, low=max(0.0, (found.low + 1) / 2), high=min(1.0, (found.high + 1) / 2))


def counted(passed: int, n: int, limit: float, alpha: float, above: float | None = None) -> MeanEvidence:
    """Weigh the claim that the pass rate of independent cases is above a limit, by the exact test."""
    from distilltest.statistics import binomial

    p, against = binomial.at_least(passed, n, limit), binomial.at_most(passed, n, limit)
    return MeanEvidence(p, against, *binomial.interval(passed, n, alpha, above), "exact binomial test")
