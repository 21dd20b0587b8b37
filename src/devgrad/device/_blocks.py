"""Compositions of array functions on the CPU, block by block and row by row.

NumPy writes every intermediate result to memory. Of a large array that costs more than the
arithmetic, so compositions are evaluated on blocks that stay in the processor's cache; and sums
along rows are products with a vector of ones, which BLAS does faster than NumPy adds.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy

__all__ = ["exp_shift", "in_blocks", "row_blocks", "sum_of_products", "sums"]

_BLOCK = 32768  # elements: a few intermediate results fit into the second-level cache
_ROWS = 65536  # elements in blocks of rows, which are worked on in place: fewer calls


def in_blocks(function: Callable[..., Any], first: Any, *others: Any) -> Any:
    """``function(first, *others)``, which is made of functions of each element.

    The arrays have the shape of ``first``, and the result its dtype.
    """
    if first.size <= 2 * _BLOCK:
        return function(first, *others)
    arrays = (first, *others)
    # Without strides: one number repeated, the gradient of a sum.
    if not all(a.flags.c_contiguous or not any(a.strides) for a in arrays):
        return function(*arrays)
    flat = [a.reshape(-1) for a in arrays]
    result = numpy.empty(first.shape, first.dtype)  # and no view: then nobody has to copy it
    flat_result = result.reshape(-1)
    for start in range(0, first.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        flat_result[part] = function(*[a[part] for a in flat])
    return result


def row_blocks(shape: tuple[int, ...]) -> Sequence[slice]:
    """Slices of the first dimension with about a block of elements each."""
    size = math.prod(shape)
    if size <= _ROWS:
        return _WHOLE
    rows = shape[0]
    step = max(1, _ROWS * rows // size)
    return [slice(start, start + step) for start in range(0, rows, step)]


_WHOLE = (slice(None),)


@functools.lru_cache(maxsize=64)
def _ones(n: int, dtype: Any) -> Any:
    ones = numpy.ones(n, dtype)
    ones.flags.writeable = False
    return ones


def _rows_of(x: Any, axes: tuple[int, ...]) -> int | None:
    """The size of the dims ``axes``, if they are the last and ``x`` lies in memory in order."""
    first = x.ndim - len(axes)
    if not x.flags.c_contiguous or not x.size or axes != tuple(range(first, x.ndim)):
        return None
    return int(math.prod(x.shape[first:]))


def sums(x: Any, axes: tuple[int, ...]) -> Any:
    """``x`` summed over ``axes``, which are kept with size 1."""
    n = _rows_of(x, axes) if x.dtype.char in "fd" else None
    if n is None:
        return numpy.add.reduce(x, axis=axes, keepdims=True)
    total = numpy.dot(x.reshape(-1, n), _ones(n, x.dtype))
    return total.reshape(x.shape[: x.ndim - len(axes)] + (1,) * len(axes))


def sum_of_products(x: Any, y: Any, axes: tuple[int, ...]) -> Any:
    """``x * y``, of one shape, summed over ``axes``, which are kept with size 1."""
    n = _rows_of(x, axes) if y.flags.c_contiguous else None
    if n is not None:
        total = numpy.vecdot(x.reshape(-1, n), y.reshape(-1, n))
        return total.reshape(x.shape[: x.ndim - len(axes)] + (1,) * len(axes))
    kept = [1 if i in axes else m for i, m in enumerate(x.shape)]
    letters = list(range(x.ndim))
    return numpy.einsum(x, letters, y, letters, [i for i in letters if i not in axes]).reshape(kept)


def exp_shift(x: Any, axis: int) -> Any:
    """What is to be taken from ``x`` so that no sum of its exponentials along ``axis`` overflows or
    vanishes: the greatest values, kept as a dimension of size 1, or None if nothing need be."""
    n = x.shape[axis]
    # To look at all elements at once is quicker than to look at rows and shift each of them.
    small = 0 < x.size <= 2 * _BLOCK
    if small and numpy.minimum.reduce(x, None) > -40 and numpy.maximum.reduce(x, None) < 40:
        return None
    if n < 16 and axis == x.ndim - 1 > 0:
        columns = numpy.ascontiguousarray(numpy.moveaxis(x, -1, 0))
        return numpy.maximum.reduce(columns, axis=0)[..., None]
    return numpy.maximum.reduce(x, axis=axis, keepdims=True)
