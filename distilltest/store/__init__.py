"""The store: one SQLite file with every completion, run and outcome. All SQL of the project is in this package."""

from distilltest.store.attempts import Attempt, Recorded, Turn
from distilltest.store.changes import Adding, Texts
from distilltest.store.claims import Claims
from distilltest.store.inserting import Saved
from distilltest.store.reading import Reader
from distilltest.store.rows import Graded, StoredCompletion, StoredRow, Use
from distilltest.store.selection import Cursor, Selection
from distilltest.store.store import Store, StoredRun

__all__ = [
    "Adding",
    "Attempt",
    "Claims",
    "Cursor",
    "Graded",
    "Reader",
    "Recorded",
    "Saved",
    "Selection",
    "Store",
    "StoredCompletion",
    "StoredRow",
    "StoredRun",
    "Texts",
    "Turn",
    "Use",
]
