"""What the calls of one model came to: whether further ones are worth sending."""

from __future__ import annotations

from dataclasses import dataclass

from distilltest.errors import CallError, NotSent


@dataclass(slots=True)
class CircuitBreaker:
    """The standing of one model on one server, in this session.

    One failure closes a model only where its kind proves that all others will fail too (``CallError.closes``). Otherwise many
    in a row make it likely, and even then the calls in flight have the last word: until they come back, the model is doubted
    and nothing further is sent; one answer restores it, and where none comes it is closed. So cases that fail fast never
    close a model whose good answers take longer.
    """

    in_flight: int = 0
    """Attempts."""
    answered: bool = False
    """At least once."""
    failures: int = 0
    """In a row without a success, those left out that say nothing about other requests."""
    doubted: CallError | None = None
    """The failure that was one too many."""
    closed: CallError | None = None
    """What is told of further calls."""

    def succeeded(self) -> None:
        """One answer came: whatever failed before was not the model's state."""
        self.answered, self.failures, self.doubted = True, 0, None

    def failed(self, failure: CallError) -> None:
        """A call failed for good."""
        if failure.closes == "model":
            self.closed = failure
        elif failure.in_a_row is not None:
            self.failures += 1
            if self.failures >= failure.in_a_row and (failure.retried or not self.answered):
                self.doubted = failure

    @property
    def may_recover(self) -> bool:
        """Whether it is doubted, and a call in flight may still restore it."""
        return self.doubted is not None and self.in_flight > 0

    def conclude(self, subject: str) -> None:
        """Close it, if it is doubted.

        Args:
            subject: Model and server, for the message.
        """
        if self.doubted is not None and self.closed is None:
            self.closed = NotSent(
                f"{subject}: not sent: {self.failures} calls in a row failed and none was answered; "
                f"the last failure: {self.doubted}"
            )
