"""The store: one SQLite file with every completion, run and outcome. All SQL of the project is in this package."""

from distilltest.store.attempts import Attempt
from distilltest.store.store import Store, StoredCompletion

__all__ = ["Attempt", "Store", "StoredCompletion"]
