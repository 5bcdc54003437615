"""The store: one SQLite file with every completion, run and outcome. All SQL of the project is in this package."""

from distilltest.store.attempts import Attempt
from distilltest.store.completions import Graded, StoredCompletion
from distilltest.store.selection import Cursor, Selection
from distilltest.store.store import Store

__all__ = ["Attempt", "Cursor", "Graded", "Selection", "Store", "StoredCompletion"]
