"""Brackets and scatters, as CuPy has them.

Integer arrays wrap around where they are out of range, silently; a mask is counted, for which the
host waits; several values for one place leave there any of them (here: the first, where NumPy
leaves the last). A value that is no array of the device must be a scalar, save where an array
indexes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from ._array import launched, ndarray, new, view_of
from ._memory import wait

# The dtypes that CuPy's scatters are made for, where an integer array indexes.
_SCATTERS = {
    "add": "iqlefdILQ", "sub": "iI", "max": "iqlfdILQ", "min": "iqlfdILQ", "and": "iqlILQ",
    "or": "iqlILQ", "xor": "iqlILQ",
}  # fmt: skip
_UFUNCS = {
    "add": numpy.add, "sub": numpy.subtract, "max": numpy.maximum, "min": numpy.minimum,
    "and": numpy.bitwise_and, "or": numpy.bitwise_or, "xor": numpy.bitwise_xor,
}  # fmt: skip


def _prepared(index: Any) -> list[Any]:
    """The parts of an index, arrays and what becomes one as NumPy arrays."""
    parts = []
    for s in index if isinstance(index, tuple) else (index,):
        if s is None or s is Ellipsis:
            pass
        elif isinstance(s, slice):
            for end in (s.start, s.stop, s.step):
                if isinstance(end, ndarray):
                    wait("__index__ of a slice's end")
        elif isinstance(s, ndarray):
            launched(s)
            s = s._array
        elif not (numpy.isscalar(s) and not isinstance(s, (bool, numpy.bool_))):
            empty_list = isinstance(s, (list, tuple))
            s = numpy.asarray(_plain(s))
            if empty_list and not s.size:
                s = s.astype(numpy.int32)
        if isinstance(s, numpy.ndarray) and s.dtype.kind not in "biu":
            raise IndexError(
                "arrays used as indices must be of integer or boolean type. (actual: "
                f"{s.dtype.type})"
            )
        parts.append(s)
    return parts


def _plain(s: Any) -> Any:
    if isinstance(s, ndarray):
        launched(s)
        return s._array
    return [_plain(x) for x in s] if isinstance(s, (list, tuple)) else s


def _wrapped(array: ndarray, parts: list[Any]) -> tuple[Any, bool]:
    """The index for NumPy, out-of-range positions wrapped; and whether an array indexes."""
    used = sum(
        s.ndim if isinstance(s, numpy.ndarray) and s.dtype.kind == "b" else 1
        for s in parts
        if s is not None and s is not Ellipsis
    )
    if used > array.ndim:
        raise IndexError(
            f"too many indices for array: array is {array.ndim}-dimensional, but {used} were "
            "indexed"
        )
    axis, found, advanced = 0, [], False
    for s in parts:
        if isinstance(s, numpy.ndarray):
            advanced = True
            if s.dtype.kind == "b":
                for i, n in enumerate(s.shape):
                    if n not in (0, array.shape[axis + i]):
                        raise IndexError(
                            "boolean index did not match indexed array along dimension "
                            f"{axis + i}; dimension is {array.shape[axis + i]} but corresponding "
                            f"boolean dimension is {n}"
                        )
                if s.size:
                    wait("a boolean index")
                axis += s.ndim
            else:
                n = array.shape[axis]
                if not n and s.size:
                    raise IndexError("cannot do a non-empty take from an empty axes.")
                s = s.astype(numpy.int64) % n if n else s.astype(numpy.int64)
                axis += 1
        elif s is Ellipsis:
            axis += array.ndim - used
        elif s is not None:
            axis += 1
        found.append(s)
    return tuple(found), advanced


def getitem(array: ndarray, index: Any) -> ndarray:
    wrapped, advanced = _wrapped(array, _prepared(index))
    if not advanced:
        # With an Ellipsis NumPy gives an array, never a scalar.
        if Ellipsis not in wrapped:
            wrapped = (*wrapped, Ellipsis)
        return view_of(array, array._array[wrapped])
    launched(array)
    return new(array._array[wrapped])


def scatter(array: ndarray, index: Any, value: Any, op: str) -> None:
    wrapped, advanced = _wrapped(array, _prepared(index))
    launched(array, value)
    target = array._array
    if not advanced:
        if Ellipsis not in wrapped:
            wrapped = (*wrapped, Ellipsis)
        part = view_of(array, target[wrapped])
        if op == "update":
            if isinstance(value, ndarray):
                part._array[...] = value._array
            else:
                part.fill(value)
            return
        _update(part, value, op)
        return
    if isinstance(value, ndarray):
        values = value._array.astype(array.dtype, copy=False)
    else:
        values = numpy.asarray(value, dtype=array.dtype)
    if op == "update":
        # Backwards: what is written first is written over, where a place has several values.
        shape = target[wrapped].shape
        if not target.ndim:
            target[wrapped] = values
            return
        flat = numpy.arange(math.prod(target.shape)).reshape(target.shape)[wrapped].reshape(-1)
        places = numpy.unravel_index(flat[::-1], target.shape)
        target[places] = numpy.broadcast_to(values, shape).reshape(-1)[::-1]
        return
    masks = any(isinstance(s, numpy.ndarray) and s.dtype.kind == "b" for s in wrapped)
    if not masks and array.dtype.char not in _SCATTERS[op]:
        raise TypeError(f"cupy.{_UFUNCS[op].__name__}.at does not support {array.dtype}")
    if values.ndim > target[wrapped].ndim:
        raise ValueError("input operand has more dimensions than allowed by the axis remapping")
    _UFUNCS[op].at(target, wrapped, values)


def _update(part: ndarray, value: Any, op: str) -> None:
    from ._ufuncs import UFUNCS

    UFUNCS[_UFUNCS[op].__name__](part, value, part)
