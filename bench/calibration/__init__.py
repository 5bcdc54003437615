"""Counts how often the gate errs, by enumeration and by simulation.

The tables call the same functions as the gate. Each row is a kind of data in which the candidate is exactly at the limit of its
rule, so that every promotion is an error. A row fails if its rate exceeds the level by more than three standard errors of the
simulation (an enumeration has none).
"""

import os

# One process runs on each core; NumPy's own threads would slow them down.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
