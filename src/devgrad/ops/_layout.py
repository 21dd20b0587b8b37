"""Dimensions, strides, and where in memory the elements of a view lie.

Strides are counted in elements here unless a function says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._arguments import as_int, as_ints

__all__ = ["as_dim", "as_dims", "ints", "is_dense", "layout_of", "new_like", "overlaps",
           "positions", "strides_of", "viewable"]  # fmt: skip


def as_dim(dim: int, ndim: int) -> int:
    """``dim`` counted from the front.

    Raises:
        IndexError: there is no such dimension. TypeError: it is no int.
    """
    if dim.__class__ is not int:
        dim = as_int("dim", dim)
    n = ndim or 1
    if not -n <= dim < n:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})"
        )
    return dim + n if dim < 0 else dim


def as_dims(dims: Sequence[int], ndim: int) -> tuple[int, ...]:
    """Several different dimensions, counted from the front.

    Raises:
        IndexError: there is no such dimension.
        RuntimeError: one is named twice.
    """
    found = tuple(as_dim(d, ndim) for d in dims)
    for i, d in enumerate(found):
        if d in found[:i]:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    return found


def ints(values: Any, name: str = "size") -> tuple[int, ...]:
    """Sizes or dimensions given as arguments: ``(2, 3)``, ``((2, 3),)`` or ``([2, 3],)``.

    Raises:
        TypeError: there is something else than ints. ``name`` is the parameter's.
    """
    if len(values) == 1 and isinstance(values[0], (tuple, list)):
        values = values[0]
    for n in values:
        if n.__class__ is not int:
            return as_ints(name, values)
    return tuple(values)


def strides_of(array: Any) -> tuple[int, ...]:
    """The strides of an array, in elements."""
    item = array.itemsize
    return tuple([s // item for s in array.strides])


def layout_of(array: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shape and strides."""
    return array.shape, strides_of(array)


def viewable(shape: Sequence[int], strides: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether elements that lie so in memory can be seen in the shape ``wanted`` without a copy.

    ``strides`` in any unit; the two shapes have as many elements.
    """
    dims = [(n, s) for n, s in zip(shape, strides, strict=True) if n != 1]
    if not dims or 0 in shape:
        return True
    # Runs of dimensions that lie in memory like one: each new dimension must lie in one run.
    runs = [dims[0][0]]
    for (_, outer), (n, inner) in zip(dims, dims[1:], strict=False):
        if outer == n * inner:
            runs[-1] *= n
        else:
            runs.append(n)
    left = runs.pop(0)
    for n in wanted:
        if n == 1:
            continue
        while left == 1:
            left = runs.pop(0)
        if left % n:
            return False
        left //= n
    return True


def is_dense(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether the elements fill one stretch of memory, in whatever order of the dimensions."""
    expected = 1
    for stride, n in sorted((s, n) for n, s in zip(shape, strides, strict=True) if n != 1):
        if stride != expected:
            return False
        expected *= n
    return True


def overlaps(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether two elements may lie in the same place. (It may say so where they do not.)"""
    if 0 in shape:
        return False
    reach = 0
    for stride, n in sorted((abs(s), n) for n, s in zip(shape, strides, strict=True) if n > 1):
        if stride <= reach:
            return True
        reach += (n - 1) * stride
    return False


def new_like(xp: Any, shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any) -> Any:
    """A new array of zeros that lies in memory as these strides say."""
    if is_dense(shape, strides):
        order = sorted(range(len(shape)), key=lambda d: (-strides[d], d))
        made = xp.zeros(tuple([shape[d] for d in order]), dtype)
        back = [0] * len(order)
        for position, d in enumerate(order):
            back[d] = position
        return made.transpose(back) if back != sorted(back) else made
    if 0 in shape or overlaps(shape, strides):
        return xp.zeros(shape, dtype)
    reach = [(n - 1) * s for n, s in zip(shape, strides, strict=True)]
    before = -sum(r for r in reach if r < 0)
    buffer = xp.zeros(before + sum(r for r in reach if r > 0) + 1, dtype)
    return xp.strided(buffer, shape, strides, before)


def positions(xp: Any, shape: Sequence[int], strides: Sequence[int], offset: int) -> Any:
    """Where each element of a view lies in its storage: an integer array of the view's shape."""
    found = xp.full((), offset, "int64")
    for dim, (n, stride) in enumerate(zip(shape, strides, strict=True)):
        steps = xp.arange(n, dtype="int64") * stride
        found = found + steps.reshape((n,) + (1,) * (len(shape) - 1 - dim))
    return found
