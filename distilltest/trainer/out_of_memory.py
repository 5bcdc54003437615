"""Telling that memory ran out from other errors."""

from __future__ import annotations

_SIGNS = ("can't allocate memory", "not enough memory", "out of memory")
"""What PyTorch says of a CPU's and of an accelerator's memory."""


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of a GPU or of the machine ran out."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)
