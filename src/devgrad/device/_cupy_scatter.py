"""``target[index] += values`` on CUDA, where positions may repeat: by atomics, or in one order.

With `use_deterministic_algorithms` the positions are sorted, and the values of each are added by
one team of threads, in one order. Without, each thread adds its value as it comes.
"""

from __future__ import annotations

import math
from typing import Any

import cupy
import numpy

from ._cupy_kernels import kernel
from ._determinism import DETERMINISM

__all__ = ["bincount", "scatter_add"]

_MOST_BLOCKS = 1 << 15
_THREADS = 256


def scatter_add(target: Any, index: Any, values: Any) -> bool:
    """Add ``values``; False if nothing has been done, as there is no kernel for this.

    Integers need none to be exact. Of floats and doubles there is one where ``index`` is the
    simple one of a gradient, and always in deterministic mode; half precision is then added as
    floats, and the parts of complex numbers side by side.
    """
    if target.dtype.kind not in "fc" or not target.size:
        return False
    if not DETERMINISM.on:
        found = _simple(target, index) if target.dtype.char in "fd" else None
        if found is None or not target.flags.c_contiguous:
            return False
        _launch("add_at", target, found, values)
        return True
    whole = target
    if target.dtype.char == "e":
        whole = target.astype(numpy.float32)
    elif not target.flags.c_contiguous:
        whole = cupy.ascontiguousarray(target)
    found = _simple(whole, index) or _general(whole, index)
    _launch("add_sorted", whole, found, values)
    if whole is not target:
        target[...] = whole
    return True


def _simple(target: Any, index: Any) -> tuple[int, Any, int, int, Any] | None:
    """Whole dimensions first, then positions in the next ones; None if it is not that.

    Returns:
        Sizes of what comes before and of the indexed dimensions, the positions in these, the size
        of what comes after, and the shape of the values.
    """
    index = index if isinstance(index, tuple) else (index,)
    front = 0
    while front < len(index) and isinstance(index[front], slice):
        if index[front] != slice(None):
            return None
        front += 1
    arrays = index[front:]
    if not arrays or any(
        not isinstance(i, cupy.ndarray) or i.dtype.kind not in "iu" for i in arrays
    ):  # fmt: skip
        return None
    sizes = target.shape[front : front + len(arrays)]
    places, *more = [i.astype(numpy.int64, copy=False) for i in arrays]
    if more:  # (of one array, the kernel makes positions positive)
        places = places % sizes[0]
    for n, further in zip(sizes[1:], more, strict=True):
        places = places * n + further % n
    before, after = target.shape[:front], target.shape[front + len(arrays) :]
    shape = (*before, *places.shape, *after)
    return math.prod(before), places, math.prod(sizes), math.prod(after), shape


def _general(target: Any, index: Any) -> tuple[int, Any, int, int, Any]:
    """The same of any index: the positions of elements."""
    places = cupy.arange(target.size).reshape(target.shape)[index]
    return 1, places, target.size, 1, places.shape


def _launch(name: str, target: Any, found: tuple[int, Any, int, int, Any], values: Any) -> None:
    outer, places, n, inner, shape = found
    values = cupy.broadcast_to(values.astype(target.dtype, copy=False), shape)
    values, places = cupy.ascontiguousarray(values), cupy.ascontiguousarray(places).reshape(-1)
    if not values.size:
        return
    real = target.dtype.name
    if target.dtype.kind == "c":
        inner, real = 2 * inner, {"F": "float32", "D": "float64"}[target.dtype.char]
    m = places.size
    sizes = tuple(map(numpy.int64, (outer, m, n, inner)))
    if name == "add_at":
        grid, block = -(-outer * m * inner // _THREADS), (_THREADS, 1)
        arguments: tuple[Any, ...] = (target, places, values, *sizes)
    else:
        places = places % n
        order = cupy.argsort(places, kind="stable")
        block = (32, 8) if inner > 1 else (1, 32)
        grid = outer * m * -(-inner // block[0])
        arguments = (target, places[order], order, values, *sizes)
    kernel("scatter", f"{name}_{real}")((min(grid, _MOST_BLOCKS),), block, arguments)


def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    """`cupy.bincount`; in deterministic mode the weights are added in one order."""
    if weights is None or not DETERMINISM.on or not x.size:
        return cupy.bincount(x, weights=weights, minlength=minlength)
    counts = cupy.bincount(x, minlength=minlength)
    result = cupy.zeros(counts.shape, numpy.float64)
    scatter_add(result, x, weights.astype(numpy.float64, copy=False))
    return result
