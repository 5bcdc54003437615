"""The store: one SQLite file with all completions, runs and outcomes. This package contains all SQL of the project."""

from distilltest.store.attempts import Attempt, AttemptShare, Recorded
from distilltest.store.changes import Adding, Texts
from distilltest.store.claims import Claims
from distilltest.store.inserting import SavedCompletion
from distilltest.store.reading import Reader
from distilltest.store.rows import GradedCompletion, StoredCompletion, StoredRow, Use
from distilltest.store.selection import CompletionFilter, Cursor
from distilltest.store.store import Store, StoredRun

__all__ = [
    "Adding",
    "Attempt",
    "AttemptShare",
    "Claims",
    "CompletionFilter",
    "Cursor",
    "GradedCompletion",
    "Reader",
    "Recorded",
    "SavedCompletion",
    "Store",
    "StoredCompletion",
    "StoredRow",
    "StoredRun",
    "Texts",
    "Use",
]
