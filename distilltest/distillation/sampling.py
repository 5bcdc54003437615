"""Sample each request several times: with several temperatures, values of top_p and system prompts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from distilltest.records import Message, Model, Request


@dataclass(frozen=True, slots=True)
class Sampling:
    """Every combination of these values is sent; an empty one keeps the value of the model or the prompt."""

    samples: int = 1
    """The answers for each combination: trials of the same request."""
    temperatures: tuple[float, ...] = ()
    top_ps: tuple[float, ...] = ()
    systems: tuple[str, ...] = ()
    """System prompts; each replaces the one of the request."""

    @property
    def ways(self) -> int:
        """The number of answers to each request.

        >>> Sampling(samples=2, temperatures=(0.2, 0.8), systems=("Be short.", "Be kind.", "Be both.")).ways
        12
        """
        return self.samples * max(1, len(self.temperatures)) * max(1, len(self.top_ps)) * max(1, len(self.systems))

    def requests(self, model: Model, messages: tuple[Message, ...], labels: Mapping[str, str]) -> Iterator[Request]:
        """Make all requests for one list of messages.

        Args:
            model: The model to send them to.
            messages: The messages.
            labels: The labels of the completions, in the store and on the server.
        """
        for system, temperature, top_p, trial in product(
            self.systems or (None,), self.temperatures or (None,), self.top_ps or (None,), range(self.samples)
        ):
            parameters = dict(model.parameters)
            if temperature is not None:
                parameters["temperature"] = temperature
            if top_p is not None:
                parameters["top_p"] = top_p
            yield Request(
                server=model.server,
                base_url=model.base_url,
                model=model.model,
                messages=messages if system is None else with_system(messages, system),
                parameters=parameters,
                trial=trial,
                store=True,
                metadata=labels,
            )

    def in_words(self) -> str:
        """The combinations; an empty text if there is only one.

        >>> Sampling(samples=2, temperatures=(0.2, 0.8)).in_words()
        ' × 2 temperatures × 2 samples'
        """
        counts = [
            (len(self.systems), "system prompts"),
            (len(self.temperatures), "temperatures"),
            (len(self.top_ps), "values of top_p"),
            (self.samples, "samples"),
        ]
        return "".join(f" × {count} {name}" for count, name in counts if count > 1)

    def never_differ(self, model: Model) -> bool:
        """Whether several samples are sent at temperature 0, at which they hardly differ."""
        known = self.temperatures or (model.parameters.get("temperature"),)
        return self.samples > 1 and 0 in known


def with_system(messages: tuple[Message, ...], system: str) -> tuple[Message, ...]:
    """Replace the system messages at the beginning, or add one before all messages.

    >>> with_system(({"role": "system", "content": "a"}, {"role": "user", "content": "b"}), "c")
    ({'role': 'system', 'content': 'c'}, {'role': 'user', 'content': 'b'})
    """
    begin = next((n for n, m in enumerate(messages) if m.get("role") not in ("system", "developer")), len(messages))
    return ({"role": "system", "content": system}, *messages[begin:])
