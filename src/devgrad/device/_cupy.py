"""The ground floor of CUDA: CuPy's functions, and what CuPy does in its own way.

This module is imported when a CUDA device is first asked for, and is the only one that imports
CuPy. What a namespace has to offer is written in ``_numpy.py``.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cupy

from ._cupy_lapack import CudaLapack
from ._cupy_runtime import RUNTIME

__all__ = ["xp"]


def _memory(array: Any) -> Any:
    """The memory that ``array`` is a view of, without what CuPy's pool rounded it up by."""
    memory = array.data.mem
    if isinstance(memory, cupy.cuda.UnownedMemory):
        return memory
    owner = array if array.base is None else array.base
    return cupy.cuda.UnownedMemory(owner.data.ptr, owner.nbytes, owner, array.device.id)


def storage(array: Any) -> tuple[int, int]:
    """Where ``array`` begins in its block of memory, and that block's size, in elements."""
    memory = _memory(array)
    return (array.data.ptr - memory.ptr) // array.itemsize, memory.size // array.itemsize


def strided(array: Any, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Any:
    """The array of this shape over ``array``'s storage; strides and offset are in elements."""
    pointer = cupy.cuda.MemoryPointer(_memory(array), offset * array.itemsize)
    return cupy.ndarray(
        shape, array.dtype, memptr=pointer, strides=[s * array.itemsize for s in strides]
    )


def _accumulate(name: str, x: Any, axis: int) -> Any:
    # CuPy's ufuncs have no accumulate: each pass doubles how far back every element looks.
    combine = getattr(cupy, name)
    result = x.copy()
    along = cupy.moveaxis(result, axis, 0)
    step = 1
    while step < len(along):
        along[step:] = combine(along[step:], along[:-step])
        step *= 2
    return result


def _special(name: str) -> Any:
    # cupyx.scipy.special takes a while to import, so it is imported when first needed.
    def function(array: Any) -> Any:
        import cupyx.scipy.special

        # Of half precision some of its functions make double.
        return getattr(cupyx.scipy.special, name)(array).astype(array.dtype, copy=False)

    return function


def _logical(name: str) -> Any:
    # CuPy has no loops of these for complex numbers.
    function = getattr(cupy, name)
    return lambda *arrays: function(*[x != 0 if x.dtype.kind == "c" else x for x in arrays])


def _scatter_at(name: str, target: Any, index: Any, values: Any) -> None:
    if name != "multiply":
        getattr(cupy, name).at(target, index, values)
        return
    # CuPy has no atomic product. Each round writes one value for each place that is still to be
    # multiplied: that is, as many rounds as the most repeated place has values.
    places = cupy.arange(target.size).reshape(target.shape)[index].reshape(-1)
    values = cupy.broadcast_to(values, target[index].shape).reshape(-1)
    flat = cupy.ascontiguousarray(target).reshape(-1)
    chosen = cupy.empty(target.size, cupy.int64)
    left = cupy.arange(places.size)
    while left.size:
        chosen[places[left]] = left
        now = chosen[places[left]] == left
        winners = left[now]
        flat[places[winners]] *= values[winners]
        left = left[~now]
    target[...] = flat.reshape(target.shape)


xp: Any = SimpleNamespace(
    **{name: value for name, value in vars(cupy).items() if not name.startswith("_")}
)
vars(xp).update(
    array_type=cupy.ndarray,
    scalar_types=(),
    storage=storage,
    strided=strided,
    expanded=cupy.broadcast_to,
    repeated=cupy.broadcast_to,
    summed=lambda array, axes, shape: array.sum(axis=axes).reshape(shape),
    scatter_add=lambda target, index, values: cupy.add.at(target, index, values),
    scatter_at=_scatter_at,
    block_bytes=1 << 28,
    checks_bounds=False,
    masked=lambda array, mask: cupy.where(mask, array, 0),
    erf=_special("erf"),
    erfc=_special("erfc"),
    **{n: _logical(n) for n in ("logical_not", "logical_and", "logical_or", "logical_xor")},
    normal_tail=lambda size, exponential: 0.5 * xp.erfc(size * 0.5**0.5),
    in_blocks=lambda function, *arrays: function(*arrays),
    row_blocks=lambda shape: (slice(None),),
    sums=lambda x, axes: x.sum(axis=axes, keepdims=True),
    sum_of_products=lambda x, y, axes: (x * y).sum(axis=axes, keepdims=True),
    exp_shift=lambda x, axis: x.max(axis=axis, keepdims=True),
    lapack=CudaLapack(cupy),
    accumulate=_accumulate,
    **RUNTIME,
)
