"""Jobs in order: each tunes the model that the one before made. The store and the jobs' marks have the current position."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from distilltest.finetuning.follow import result
from distilltest.finetuning.jobs import TuningServer
from distilltest.finetuning.order import Order
from distilltest.records import fingerprint
from distilltest.store import state_keys

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob

    from distilltest.store import Store


@dataclass
class Sequence:
    """Orders, and the jobs that carry them out."""

    server: TuningServer
    store: Store
    orders: tuple[Order, ...]
    """The first one names its model; each other tunes the model that the one before made."""
    again: bool = False
    """Start new jobs even if the same orders have some."""
    started: set[str] = field(default_factory=set)
    """Ids of jobs that this process started."""
    jobs: list[str] = field(default_factory=list)
    """Ids of the existing jobs, in the order of the orders."""

    @classmethod
    def of_job(cls, server: TuningServer, store: Store, job: str) -> Sequence | None:
        """The sequence of a job; None if this store does not have it."""
        key = store.get_state(state_keys.TUNING_OF.of(job))
        content = store.get_state(state_keys.TUNING.of(key)) if key else None
        if content is None:
            return None
        return cls(server, store, tuple(Order.from_json(order) for order in content["orders"]))

    @property
    def _key(self) -> str:
        return fingerprint(self.server.base_url, [order.to_json() for order in self.orders])[:32]

    def advance(self) -> tuple[int, FineTuningJob]:
        """Find or start the first job that has not succeeded; the last one if all have.

        Returns:
            Its place in the sequence, from 0, and the job.

        Raises:
            DistilltestError: A file has changed, or the server refused or cannot be reached.
        """
        key, model = self._key, self.orders[0].model
        self.store.set_state(state_keys.TUNING.of(key), {"orders": [order.to_json() for order in self.orders]})
        self.jobs = []
        for place, order in enumerate(self.orders):
            job = self._job(order.tuning(model), again=self.again and place == 0)
            self.jobs.append(job.id)
            self.store.set_state(state_keys.TUNING_OF.of(job.id), key)
            if job.status != "succeeded" or place == len(self.orders) - 1:
                break
            model = result(job)
        self.again = False
        return place, job

    def _job(self, order: Order, *, again: bool) -> FineTuningJob:
        mark = order.mark(self.server.base_url)
        known = self.store.get_state(state_keys.JOB.of(mark))
        job, new = self.server.start(order, again=again, known=known)
        self.store.set_state(state_keys.JOB.of(mark), job.id)
        if new:
            self.started.add(job.id)
        return job
