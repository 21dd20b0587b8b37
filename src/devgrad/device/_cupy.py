"""The ground floor of CUDA: CuPy's functions, and what CuPy does in its own way.

This module is imported when a CUDA device is first asked for, and is the only one that imports
CuPy. What a namespace has to offer is written in ``_numpy.py``.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cupy

__all__ = ["xp"]


def _from_host(array: Any, index: int) -> Any:
    with cupy.cuda.Device(index):
        return cupy.asarray(array)


def storage(array: Any) -> tuple[int, int]:
    """Where ``array`` begins in its block of memory, and that block's size, in elements."""
    memory = array.data.mem
    return (array.data.ptr - memory.ptr) // array.itemsize, memory.size // array.itemsize


def strided(array: Any, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Any:
    """The array of this shape over ``array``'s storage; strides and offset are in elements."""
    memory = cupy.cuda.MemoryPointer(array.data.mem, offset * array.itemsize)
    return cupy.ndarray(
        shape, array.dtype, memptr=memory, strides=[s * array.itemsize for s in strides]
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


def _synchronize(index: int) -> None:
    with cupy.cuda.Device(index):
        cupy.cuda.get_current_stream().synchronize()
        cupy.cuda.runtime.deviceSynchronize()


def _memory_allocated(index: int) -> int:
    with cupy.cuda.Device(index):
        return int(cupy.get_default_memory_pool().used_bytes())


def _special(name: str) -> Any:
    # cupyx.scipy.special takes a while to import, so it is imported when first needed.
    def function(array: Any) -> Any:
        import cupyx.scipy.special

        return getattr(cupyx.scipy.special, name)(array)

    return function


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
    from_host=_from_host,
    to_host=cupy.asnumpy,
    on_device=lambda index: cupy.cuda.Device(index),
    storage=storage,
    strided=strided,
    expanded=cupy.broadcast_to,
    scatter_add=lambda target, index, values: cupy.add.at(target, index, values),
    scatter_at=_scatter_at,
    checks_bounds=False,
    masked=lambda array, mask: cupy.where(mask, array, 0),
    erf=_special("erf"),
    erfc=_special("erfc"),
    accumulate=_accumulate,
    device_count=lambda: int(cupy.cuda.runtime.getDeviceCount()),
    synchronize=_synchronize,
    device_name=lambda index: cupy.cuda.runtime.getDeviceProperties(index)["name"].decode(),
    memory_allocated=_memory_allocated,
)
