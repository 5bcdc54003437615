"""Hyperparameters: their ranges, and the values for ``auto``."""

from __future__ import annotations

from typing import Any

from distilltest.server.errors import invalid

RATES = {"supervised": 2e-4, "dpo": 1e-5}
"""The learning rates that ``learning_rate_multiplier`` multiplies: common values for LoRA, which were not tuned."""
BETA = 0.1
EPOCHS = 3
EXAMPLES_FOR_ONE = 50
"""With ``auto``, the batch size is the number of examples divided by this, at most 16."""
_WHOLE = {"n_epochs": 50, "batch_size": 256}
"""The hyperparameters that are whole numbers, with their maxima."""


def read(method: str, given: Any) -> dict[str, Any]:
    """The hyperparameters of a new job, with ``auto`` for those not given.

    Raises:
        ApiError: A value is neither ``auto`` nor a number in its range.
    """
    known = ("n_epochs", "batch_size", "learning_rate_multiplier", *(("beta",) if method == "dpo" else ()))
    given = {} if given is None else given
    if not isinstance(given, dict):
        raise invalid("hyperparameters is an object", "hyperparameters")
    for name, value in given.items():
        if name not in known:
            raise invalid(f"{name} is not a hyperparameter of {method}; use {', '.join(known)}", name)
        if value == "auto":
            continue
        number = isinstance(value, int | float) and not isinstance(value, bool)
        most = _WHOLE.get(name)
        if most is not None and not (number and value == int(value) and 1 <= value <= most):
            raise invalid(f"{name} is auto or a whole number from 1 to {most}, not {value!r}", name)
        if most is None and not (number and value > 0):
            raise invalid(f"{name} is auto or a number above 0, not {value!r}", name)
    return {name: given.get(name, "auto") for name in known}


def resolve(method: str, given: dict[str, Any], examples: int) -> dict[str, Any]:
    """The given values, with ``auto`` resolved.

    >>> resolve("dpo", {"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": 2.0}, examples=600)
    {'n_epochs': 3, 'batch_size': 12, 'learning_rate_multiplier': 2.0, 'beta': 0.1}
    """
    automatic: dict[str, Any] = {
        "n_epochs": EPOCHS,
        "batch_size": max(1, min(16, examples // EXAMPLES_FOR_ONE)),
        "learning_rate_multiplier": 1.0,
    }
    if method == "dpo":
        automatic["beta"] = BETA
    return automatic | {name: value for name, value in given.items() if value != "auto"}
