"""The ground floor of CUDA: CuPy's functions, and what CuPy does in its own way.

This module is imported when a CUDA device is first asked for, and is the only one that imports
CuPy. What a namespace has to offer is written in ``_numpy.py``.
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import cupy

from ._cupy_fused import fused
from ._cupy_lapack import CudaLapack
from ._cupy_runtime import RUNTIME
from ._cupy_scatter import bincount, scatter_add
from ._determinism import DETERMINISM
from ._formulas import formulas

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


def _windowed(array: Any, shape: tuple[int, ...], strides: tuple[int, ...]) -> Any:
    steps = [s * array.itemsize for s in strides]
    return cupy.ndarray(shape, array.dtype, memptr=array.data, strides=steps)


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


def _by_name(name: str, *arrays: Any) -> Any:
    import cupyx.scipy.special

    function = getattr(cupyx.scipy.special, name, None)
    if function is None:  # Airy's: CuPy has not got it, so the host computes it
        from ._special import special

        return cupy.asarray(special(name, *[cupy.asnumpy(x) for x in arrays]))
    return function(*arrays).astype(arrays[0].dtype, copy=False)


def _logical(name: str) -> Any:
    # CuPy has no loops of these for complex numbers.
    function = getattr(cupy, name)
    return lambda *arrays: function(*[x != 0 if x.dtype.kind == "c" else x for x in arrays])


# The dtypes that CuPy's atomic operations are for; the rest take another way, `_widened`.
_ATOMIC = {"add": "ilqILQefd", "maximum": "ilqILQfd", "minimum": "ilqILQfd"}


def _scatter(name: str, target: Any, index: Any, values: Any) -> None:
    if target.dtype.kind == "c":  # the real and the imaginary parts each for themselves
        _scatter(name, target.real, index, values.real)
        _scatter(name, target.imag, index, values.imag)
    elif target.dtype.char in _ATOMIC[name]:
        getattr(cupy, name).at(target, index, values)
    else:
        # In a dtype that holds all values, and, of integers, wraps around alike in the end.
        wide = target.astype("float32" if target.dtype.kind == "f" else "int32")
        getattr(cupy, name).at(wide, index, values.astype(wide.dtype))
        target[...] = wide


def _scatter_products(target: Any, index: Any, values: Any) -> None:
    # CuPy has no atomic product. Sorted by place, the values for one place lie side by side: each
    # pass doubles how far back every value has been multiplied with those of its place.
    places = cupy.arange(target.size).reshape(target.shape)[index]
    values = cupy.broadcast_to(values, places.shape).reshape(-1)
    places = places.reshape(-1)
    order = places.argsort()
    places, values = places[order], values[order]
    step = 1
    while step < places.size:
        same = places[step:] == places[:-step]
        values[step:] *= cupy.where(same, values[:-step], values.dtype.type(1))
        step *= 2
    factors = cupy.ones(target.size + 1, target.dtype)
    last = cupy.append(places[1:] != places[:-1], cupy.ones(1, bool))[: places.size]
    factors[cupy.where(last, places, target.size)] = values
    target *= factors[:-1].reshape(target.shape)


def _scatter_at(name: str, target: Any, index: Any, values: Any) -> None:
    if name == "multiply":
        _scatter_products(target, index, values)
    else:
        _scatter(name, target, index, values)


# Whether kernels of ours take the place of CuPy's functions, where either would do.
_KERNELS = os.environ.get("DEVGRAD_CUDA_KERNELS", "1") != "0"


def _scatter_add(target: Any, index: Any, values: Any) -> None:
    if not (_KERNELS or DETERMINISM.on) or not scatter_add(target, index, values):
        _scatter("add", target, index, values)


xp: Any = SimpleNamespace(
    **{name: value for name, value in vars(cupy).items() if not name.startswith("_")}
)
vars(xp).update(
    array_type=cupy.ndarray,
    scalar_types=(),
    storage=storage,
    strided=strided,
    windowed=_windowed,
    expanded=cupy.broadcast_to,
    repeated=cupy.broadcast_to,
    summed=lambda array, axes, shape: array.sum(axis=axes).reshape(shape),
    gathered=lambda array, index: array[index],
    scatter_add=_scatter_add,
    scatter_at=_scatter_at,
    block_bytes=1 << 28,
    checks_bounds=False,  # until `check_on_cuda` asks for it
    wraps=True,
    masked=lambda array, mask: cupy.where(mask, array, 0),
    erf=_special("erf"),
    erfc=_special("erfc"),
    special=_by_name,
    **{n: _logical(n) for n in ("logical_not", "logical_and", "logical_or", "logical_xor")},
    normal_tail=lambda size, exponential: 0.5 * xp.erfc(size * 0.5**0.5),
    in_blocks=lambda function, *arrays: function(*arrays),
    row_blocks=lambda shape: (slice(None),),
    sums=lambda x, axes: x.sum(axis=axes, keepdims=True),
    sum_of_products=lambda x, y, axes: (x * y).sum(axis=axes, keepdims=True),
    exp_shift=lambda x, axis: x.max(axis=axis, keepdims=True),
    lapack=CudaLapack(cupy),
    accumulate=_accumulate,
    fused_step=None,
    bincount=bincount,
    **formulas(xp),
    **RUNTIME,
)
if _KERNELS:
    vars(xp).update(fused(xp))
