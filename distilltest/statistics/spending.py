"""How candidates on the same cases share one level: the part that each may spend, which add up to at most alpha.

Reference:
    Foster, D. P. and Stine, R. A. (2008). Alpha-investing: a procedure for sequential control of expected false discoveries.
    Journal of the Royal Statistical Society B 70, 429-444. (Spending a level over a sequence of tests that has no end.)

The k-th candidate is tested at 6·alpha/(pi·k)^2. As 1 + 1/4 + 1/9 + … is pi^2/6, these levels add up to at most alpha for any
number of candidates. If a number is declared beforehand, each candidate gets alpha divided by it. Testing the k-th at alpha/k
looks fair, but adds up to alpha·(1 + 1/2 + 1/3 + …), which is unbounded: 0.13 for ten candidates at the limit.
"""

from __future__ import annotations

from math import pi

NOTHING = 1e-9
"""A remaining share of alpha up to this counts as spent."""


def share(number: int, declared: int | None = None) -> float:
    """The share of alpha that a candidate may spend.

    Args:
        number: The number of this candidate, from 1.
        declared: The number of candidates that was declared beforehand; None if none was.

    >>> [round(share(k), 4) for k in (1, 2, 3, 10)], share(3, declared=5)
    ([0.6079, 0.152, 0.0675, 0.0061], 0.2)
    >>> round(sum(share(k) for k in range(1, 100_000)), 4)
    1.0
    """
    if number < 1 or (declared is not None and declared < 1):
        raise ValueError(f"attempt {number} of {declared}: numbers begin at 1")
    return 6.0 / (pi * number) ** 2 if declared is None else 1.0 / declared


def granted(number: int, spent: float, declared: int | None = None) -> float:
    """The share of alpha that a candidate gets if the others spent ``spent``: at most the rest, even if ``declared`` has changed.

    >>> granted(2, 0.6079, 5), granted(3, 1.0, 2)
    (0.2, 0.0)
    """
    left = 1.0 - spent
    return min(share(number, declared), left) if left > NOTHING else 0.0
