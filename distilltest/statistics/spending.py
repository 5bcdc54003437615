"""How candidates on the same cases share one level: what each spends, so that all of them together spend no more than alpha.

Reference:
    Foster, D. P. and Stine, R. A. (2008). Alpha-investing: a procedure for sequential control of expected false discoveries.
    Journal of the Royal Statistical Society B 70, 429-444. (Spending a level over a sequence of tests that has no end.)

The k-th candidate is tested at 6·alpha/(pi·k)^2: as 1 + 1/4 + 1/9 + … is pi^2/6, these add up to alpha however many there are.
Where the number of candidates was declared beforehand, each gets alpha divided by it. Holding the k-th to alpha/k, which looks
fair, adds up to alpha·(1 + 1/2 + 1/3 + …), which has no bound: 0.13 for ten candidates at the limit.
"""

from __future__ import annotations

from math import pi

NOTHING = 1e-9
"""A share of alpha that is no more than this is spent."""


def share(number: int, declared: int | None = None) -> float:
    """The share of alpha that the candidate with a number, from 1, may spend.

    Args:
        number: How many candidates there have been, with this one.
        declared: The number that was declared beforehand; None where none was.

    >>> [round(share(k), 4) for k in (1, 2, 3, 10)], share(3, declared=5)
    ([0.6079, 0.152, 0.0675, 0.0061], 0.2)
    >>> round(sum(share(k) for k in range(1, 100_000)), 4)
    1.0
    """
    if number < 1 or (declared is not None and declared < 1):
        raise ValueError(f"attempt {number} of {declared}: numbers begin at 1")
    return 6.0 / (pi * number) ** 2 if declared is None else 1.0 / declared


def granted(number: int, spent: float, declared: int | None = None) -> float:
    """What is granted of it where others spent so much: never more than is left, also if the declared number was changed.

    >>> granted(2, 0.6079, 5), granted(3, 1.0, 2)
    (0.2, 0.0)
    """
    left = 1.0 - spent
    return min(share(number, declared), left) if left > NOTHING else 0.0
