"""The circuit breaker of a model: whether further calls are worth sending."""

from __future__ import annotations

from dataclasses import dataclass

from distilltest.errors import CallError, NotSent


@dataclass(slots=True)
class CircuitBreaker:
    """The state of one model on one server, in this session.

    A single failure closes a model only if its kind proves that all other calls will fail too (``CallError.closes``). Otherwise
    many consecutive failures put it in doubt: nothing more is sent until the calls in flight return. One answer restores the
    model; without any, it is closed. So cases that fail fast never close a model whose good answers take longer.
    """

    in_flight: int = 0
    """Attempts in progress."""
    answered: bool = False
    """Whether it has answered at least once."""
    failures: int = 0
    """Consecutive failures, without those that say nothing about other requests."""
    doubted: CallError | None = None
    """The failure that reached the limit."""
    closed: CallError | None = None
    """The error for further calls."""

    def succeeded(self) -> None:
        """Record an answer: earlier failures were not the model's state."""
        self.answered, self.failures, self.doubted = True, 0, None

    def failed(self, failure: CallError) -> None:
        """Record a call's final failure."""
        if failure.closes == "model":
            self.closed = failure
        elif failure.in_a_row is not None:
            self.failures += 1
            if self.failures >= failure.in_a_row and (failure.retried or not self.answered):
                self.doubted = failure

    @property
    def may_recover(self) -> bool:
        """Whether it is in doubt and a call in flight may restore it."""
        return self.doubted is not None and self.in_flight > 0

    def conclude(self, subject: str) -> None:
        """Close the model if it is in doubt.

        Args:
            subject: Model and server, for the message.
        """
        if self.doubted is not None and self.closed is None:
            self.closed = NotSent(
                f"{subject}: not sent: {self.failures} calls in a row failed and none was answered; "
                f"the last failure: {self.doubted}"
            )
