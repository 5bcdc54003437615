"""Recognises errors that mean that memory ran out."""

from __future__ import annotations

_SIGNS = ("can't allocate memory", "not enough memory", "out of memory")
"""PyTorch's messages about the memory of a CPU or an accelerator."""


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the memory of a GPU or of the machine ran out."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)
