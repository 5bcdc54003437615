"""What all rules share: their shape, how they decide, and the words of their sentences."""

from __future__ import annotations

from abc import ABC, abstractmethod

from distilltest.errors import SuiteError
from distilltest.gate.verdict import RuleVerdict, Status
from distilltest.table import ResultsTable


class Rule(ABC):
    """A claim about the candidate."""

    @property
    def proves(self) -> bool:
        """Whether it asks for proof, case by case; a rule that only guards does not decide when a run may stop early."""
        return True

    @property
    @abstractmethod
    def needs(self) -> tuple[str, ...]:
        """The roles that it speaks of."""

    @property
    def margin(self) -> float | None:
        """What the difference between two roles must be above, as a share; None where the rule is about something else."""
        return None

    @abstractmethod
    def describe(self) -> str:
        """The claim in a few words."""

    @abstractmethod
    def judge(self, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
        """Weigh the evidence; the table has a value for at least one case (pair) of the roles."""


def weigh(p: float, against: float, alpha: float, block_alpha: float) -> Status:
    """*Promote* needs evidence for the claim, *block* evidence against it, all else is *undecided*."""
    if p <= alpha:
        return Status.PROMOTE
    return Status.BLOCK if against <= block_alpha else Status.UNDECIDED


WORD = {Status.PROMOTE: "is", Status.BLOCK: "is only", Status.UNDECIDED: "may be"}
"""How a sentence goes on."""


def check_role(rule: str, role: object, *, candidate_too: bool = False) -> None:
    """Complain of what is no other role.

    Raises:
        SuiteError: It is no name, or the candidate itself.
    """
    if not isinstance(role, str) or not role:
        raise SuiteError(f"{rule}({role!r}): a role is a name, such as 'base' or 'teacher'.")
    if role == "candidate" and not candidate_too:
        raise SuiteError(f"{rule}('candidate'): the candidate cannot be compared with itself.")


def is_number(value: object) -> bool:
    """Whether it is a number (true and false are none)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def points(share: float) -> str:
    """A share as points, with one decimal where it has one.

    >>> points(0.05), points(0.0273)
    ('5', '2.7')
    """
    text = f"{share * 100:.1f}"
    return text.removesuffix(".0") if text != "-0.0" else "0"


def signed(share: float) -> str:
    """Points with their sign."""
    return f"{'+' if share > 0 else ''}{points(share)}"


def between(low: float, high: float) -> str:
    """An interval of a difference, in words."""
    if high <= 0:
        return f"{points(-high)} to {points(-low)} points worse"
    if low >= 0:
        return f"{points(low)} to {points(high)} points better"
    return f"between {points(-low)} points worse and {points(high)} points better"
