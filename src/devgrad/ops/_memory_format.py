"""Orders of the dimensions in memory: ``torch.contiguous_format``, ``torch.channels_last``.

An array of any strides will do, so a memory format is nothing but the order in which the
dimensions of a new array are laid out.
"""

from __future__ import annotations

from typing import Any

from ._layout import new_like, strides_of

__all__ = ["FORMATS", "MemoryFormat", "follows", "laid_out"]


class MemoryFormat:
    """An order of dimensions in memory. There is one object for each, compared with ``is``."""

    __slots__ = ("name", "ndim")

    def __init__(self, name: str, ndim: int | None = None) -> None:
        self.name = name
        self.ndim = ndim  # for channels last: of how many dimensions it is an order

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> Any:
        return format_named, (self.name,)

    def strides(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The strides, in elements, of a tensor of this shape.

        Raises:
            RuntimeError: it is an order of another number of dimensions.
        """
        if self.ndim is not None and len(shape) != self.ndim:
            raise RuntimeError(f"required rank {self.ndim} tensor to use {self.name} format")
        order = range(len(shape)) if self.ndim is None else (0, *range(2, self.ndim), 1)
        found, count = [0] * len(shape), 1
        for dim in reversed(tuple(order)):
            found[dim] = count
            count *= max(shape[dim], 1)
        return tuple(found)


FORMATS = {
    f.name: f
    for f in (
        MemoryFormat("contiguous_format"), MemoryFormat("preserve_format"),
        MemoryFormat("channels_last", 4), MemoryFormat("channels_last_3d", 5),
    )
}  # fmt: skip


def format_named(name: str) -> MemoryFormat:
    """The memory format of this name; what a pickled one is read back by."""
    return FORMATS[name]


def follows(array: Any, memory_format: MemoryFormat) -> bool:
    """Whether the elements lie in memory in this order already. (Of a size of 1 the stride is
    of no account.)"""
    wanted = memory_format.strides(array.shape)
    return not array.size or all(
        n == 1 or s == w
        for n, s, w in zip(array.shape, strides_of(array), wanted, strict=True)
    )  # fmt: skip


def laid_out(xp: Any, array: Any, memory_format: Any, source: Any = None) -> Any:
    """``array`` itself, or a copy of it, that lies in memory in this order.

    Args:
        memory_format: None and ``preserve_format`` mean: as ``source`` does, a tensor of the same
            shape; if there is none, as it is.

    Raises:
        TypeError: ``memory_format`` is none.
    """
    if memory_format is None or memory_format is FORMATS["preserve_format"]:
        if source is None or source._array.flags.c_contiguous:
            return array
        strides = strides_of(source._array)
    else:
        if not isinstance(memory_format, MemoryFormat):
            raise TypeError(
                "argument 'memory_format' must be torch.memory_format, not "
                f"{type(memory_format).__name__}"
            )
        if follows(array, memory_format):
            return array
        strides = memory_format.strides(array.shape)
    made = new_like(xp, array.shape, strides, array.dtype)
    made[...] = array
    return made
