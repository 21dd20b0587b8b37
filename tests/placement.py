"""Tensors on the device that a test runs on, from NumPy's arrays; see ``conftest.py``."""

from __future__ import annotations

from typing import Any

import numpy as np

import devgrad
from devgrad.device import array_namespace

__all__ = ["bare", "host", "is_array", "memory_of", "numpy_of", "placed", "share_memory"]


def placed(lib: Any, array: np.ndarray) -> Any:
    """A tensor of ``lib`` with the array's elements, strides and gaps, in memory of its own.

    devgrad's is on its default device; PyTorch, the oracle, stays on the CPU.
    """
    memory, strides = _memory_of(array)
    where = devgrad.get_default_device()
    if lib is not devgrad or where.type == "cpu":
        return lib.from_numpy(np.ndarray(array.shape, array.dtype, memory, 0, strides))
    flat = where.xp.from_host(memory, where.index)
    steps = tuple(s // array.itemsize for s in strides)
    return lib.as_tensor(where.xp.strided(flat, array.shape, steps, 0))


def _memory_of(array: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """A copy of the memory from the array's first element to its last; and the strides in it."""
    if not array.size or any(s < 0 for s in array.strides):
        array = np.ascontiguousarray(array).reshape(array.shape)
        return array.reshape(-1).copy(), array.strides
    low, high = np.lib.array_utils.byte_bounds(array)
    first = array[tuple(slice(0, 1) for _ in array.shape)].reshape(-1)
    size = (high - low) // array.itemsize
    memory = np.lib.stride_tricks.as_strided(first, (size,), (array.itemsize,))
    return memory.copy(), array.strides


def numpy_of(x: Any) -> np.ndarray:
    """A copy of what a tensor of either library holds."""
    return np.array(x.detach().numpy(force=True))


# --- bare arrays, which nodes hold ------------------------------------------------------------


def bare(array: np.ndarray) -> Any:
    """The array of the default device that a tensor with these elements has."""
    return placed(devgrad, array)._array


def is_array(x: Any) -> bool:
    """Whether it is a bare array, of whatever device."""
    return hasattr(x, "strides") and array_namespace(x) is not None


def host(array: Any) -> np.ndarray:
    """A copy of a bare array in the host's memory."""
    return np.array(array_namespace(array).to_host(array))


def memory_of(x: Any) -> Any:
    """The bare array of a tensor of either library; a bare array itself."""
    if isinstance(x, devgrad.Tensor):
        return x._array
    return x if is_array(x) else x.detach().numpy()


def share_memory(a: Any, b: Any) -> bool:
    """Whether two tensors of one library, or two bare arrays, have elements in common."""
    a, b = memory_of(a), memory_of(b)
    return bool(array_namespace(a).shares_memory(a, b))
