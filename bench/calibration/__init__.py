"""How often the gate errs: what it promises, counted by enumeration and by simulation.

Each table calls the functions that the gate calls; each row is a kind of data in which the candidate is exactly at the
limit of its rule, so that every promotion is an error. A row fails when its rate is above the level by more than three
standard errors of the simulation (an enumeration has none).
"""

import os

# The jobs run in one process a core; threads inside NumPy would only get into their way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
