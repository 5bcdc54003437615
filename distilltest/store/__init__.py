"""The store: one SQLite file with every completion, run and outcome. All SQL of the project is in this package."""

from distilltest.store.attempts import Attempt
from distilltest.store.changes import Adding, Texts
from distilltest.store.lookup import Lookup
from distilltest.store.rows import Graded, StoredCompletion, StoredRow, Use
from distilltest.store.selection import Cursor, Selection
from distilltest.store.store import Store, StoredRun

__all__ = [
    "Adding",
    "Attempt",
    "Cursor",
    "Graded",
    "Lookup",
    "Selection",
    "Store",
    "StoredCompletion",
    "StoredRow",
    "StoredRun",
    "Texts",
    "Use",
]
