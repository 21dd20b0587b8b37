"""Running out of a GPU's memory."""

from __future__ import annotations

__all__ = ["OutOfMemoryError", "in_units"]


class OutOfMemoryError(RuntimeError):
    """A GPU has not the memory that was asked for: ``torch.OutOfMemoryError``.

    The text says what was asked for and what is in use. An operation that fails so has changed
    nothing. A backward pass that does has added to no ``.grad``; the part of the graph that it had
    passed is given back, unless ``retain_graph`` was set.
    """

    __module__ = "torch"


def in_units(size: int) -> str:
    """Bytes as PyTorch writes them.

    >>> from devgrad.device._memory import in_units
    >>> in_units(3 << 19)
    '1.50 MiB'
    """
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.2f} {name}"
    return f"{size} bytes"
