"""Logic, and the bits of integers."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ._errors import refuse_dtype
from ._op import METHODS, Array, op

__all__: list[str] = []


@op(inplace=True)
def logical_not(xp: Any, input: Array) -> Array:
    """Where an element is zero.

    >>> import devgrad
    >>> devgrad.logical_not(devgrad.tensor([0, 5]))
    tensor([ True, False])
    """
    return xp.logical_not(input)


@op(promotes=True, numbers=False, inplace=True)
def logical_and(xp: Any, input: Array, other: Array) -> Array:
    """Where both elements are other than zero.

    >>> import devgrad
    >>> devgrad.logical_and(devgrad.tensor([1, 1, 0]), devgrad.tensor([2, 0, 0]))
    tensor([ True, False, False])
    """
    return xp.logical_and(input, other)


@op(promotes=True, numbers=False, inplace=True)
def logical_or(xp: Any, input: Array, other: Array) -> Array:
    """Where at least one of both elements is other than zero.

    >>> import devgrad
    >>> devgrad.logical_or(devgrad.tensor([1, 1, 0]), devgrad.tensor([2, 0, 0]))
    tensor([ True,  True, False])
    """
    return xp.logical_or(input, other)


@op(promotes=True, numbers=False, inplace=True)
def logical_xor(xp: Any, input: Array, other: Array) -> Array:
    """Where exactly one of both elements is other than zero.

    >>> import devgrad
    >>> devgrad.logical_xor(devgrad.tensor([1, 1, 0]), devgrad.tensor([2, 0, 0]))
    tensor([False,  True, False])
    """
    return xp.logical_xor(input, other)


@op(inplace=True)
def bitwise_not(xp: Any, input: Array) -> Array:
    """The bits of integers inverted; for booleans, the logical opposite.

    >>> import devgrad
    >>> devgrad.bitwise_not(devgrad.tensor([0, 5]))
    tensor([-1, -6])
    """
    refuse_dtype(input, "fc", "bitwise_not")
    return xp.invert(input)


def _invert(self: Tensor) -> Tensor:
    """``~x``: `bitwise_not`."""
    if self.dtype.kind in "fc":
        raise TypeError(
            "~ (operator.invert) is only implemented on integer and Boolean-type tensors, and this "
            f"one has dtype {self.dtype}. For where a number is zero: x == 0"
        )
    inverted: Tensor = bitwise_not.function(self)
    return inverted


@op(promotes=True, inplace=True, dunders=("__and__", "__rand__", "__iand__"))
def bitwise_and(xp: Any, input: Array, other: Array) -> Array:
    """The bits set in both integers; for booleans, whether both are true.

    >>> import devgrad
    >>> devgrad.tensor([6, 5]) & 3
    tensor([2, 1])
    """
    refuse_dtype(input, "fc", "bitwise_and")
    return xp.bitwise_and(input, other)


@op(promotes=True, inplace=True, dunders=("__or__", "__ror__", "__ior__"))
def bitwise_or(xp: Any, input: Array, other: Array) -> Array:
    """The bits set in one of two integers; for booleans, whether one is true.

    >>> import devgrad
    >>> devgrad.tensor([6, 5]) | 3
    tensor([7, 7])
    """
    refuse_dtype(input, "fc", "bitwise_or")
    return xp.bitwise_or(input, other)


@op(promotes=True, inplace=True, dunders=("__xor__", "__rxor__", "__ixor__"))
def bitwise_xor(xp: Any, input: Array, other: Array) -> Array:
    """The bits set in exactly one of two integers; for booleans, whether exactly one is true.

    >>> import devgrad
    >>> devgrad.tensor([6, 5]) ^ 3
    tensor([5, 6])
    """
    refuse_dtype(input, "fc", "bitwise_xor")
    return xp.bitwise_xor(input, other)


def _in_range(xp: Any, x: Array, places: Array) -> Array:
    # Shifts by less than nothing or by all bits and more are not defined in C; PyTorch lets all
    # bits fall out.
    return (places >= 0) & (places < 8 * x.dtype.itemsize)


@op(promotes=True, inplace=True, dunders=("__lshift__", "__ilshift__"))
def bitwise_left_shift(xp: Any, input: Array, other: Array) -> Array:
    """The bits of integers moved up by ``other`` places.

    >>> import devgrad
    >>> devgrad.tensor([1, 3]) << 2
    tensor([ 4, 12])
    """
    refuse_dtype(input, "bfc", "lshift")
    sound = _in_range(xp, input, other)
    return xp.where(sound, xp.left_shift(input, xp.where(sound, other, 0)), 0)


@op(promotes=True, inplace=True, dunders=("__rshift__", "__irshift__"))
def bitwise_right_shift(xp: Any, input: Array, other: Array) -> Array:
    """The bits of integers moved down by ``other`` places; the sign stays.

    >>> import devgrad
    >>> devgrad.tensor([8, -8]) >> 2
    tensor([ 2, -2])
    """
    refuse_dtype(input, "bfc", "rshift")
    sound = _in_range(xp, input, other)
    moved = xp.right_shift(input, xp.where(sound, other, 0))
    return xp.where(sound, moved, xp.where(input < 0, -1, 0).astype(input.dtype))


METHODS.update(
    __invert__=_invert,
    __rlshift__=lambda self, other: bitwise_left_shift.function(other, self),
    __rrshift__=lambda self, other: bitwise_right_shift.function(other, self),
)
