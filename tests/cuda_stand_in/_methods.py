"""The methods of the array that compute: reductions, sorts, takes."""

from __future__ import annotations

from typing import Any

import numpy

from ._array import check_dtype, launched, ndarray, new
from ._memory import wait
from ._ufuncs import UFUNCS


def _put(result: Any, out: ndarray | None) -> ndarray:
    if out is None:
        return new(result)
    if not isinstance(out, ndarray):
        raise TypeError("Output arguments type must be cupy.ndarray")
    launched(out)
    if out.shape != result.shape:
        raise ValueError("Output array has wrong shape")
    out._array[...] = result
    return out


def _axis(axis: Any) -> Any:
    if isinstance(axis, ndarray):
        wait("an axis on the device")
        return int(axis)
    return tuple(axis) if isinstance(axis, list) else axis


def _total(self: Any, how: Any, axis: Any, dtype: Any, out: Any, keepdims: bool) -> ndarray:
    launched(self)
    array = self._array
    if dtype is not None:
        array = array.astype(check_dtype(dtype))
    # Half precision is added up in single, as CuPy does.
    wide = "f" if array.dtype.char == "e" else array.dtype.char if dtype is not None else None
    result = how.reduce(array, axis=_axis(axis), dtype=wide, keepdims=keepdims)
    if array.dtype.char == "e":
        result = result.astype("e")
    elif dtype is None and array.dtype.kind in "bi":
        result = result.astype(numpy.int64)
    return _put(numpy.asarray(result), out)


def sum(
    self: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
) -> ndarray:
    return _total(self, numpy.add, axis, dtype, out, keepdims)


def prod(
    self: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
) -> ndarray:
    return _total(self, numpy.multiply, axis, dtype, out, keepdims)


def _reduced(self: Any, name: str, axis: Any, out: Any, keepdims: bool, **more: Any) -> ndarray:
    launched(self)
    result = getattr(numpy, name)(self._array, axis=_axis(axis), keepdims=keepdims, **more)
    return _put(numpy.asarray(result), out)


def max(self: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> ndarray:
    return _reduced(self, "max", axis, out, keepdims)


def min(self: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> ndarray:
    return _reduced(self, "min", axis, out, keepdims)


def ptp(self: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> ndarray:
    return _reduced(self, "ptp", axis, out, keepdims)


def all(self: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> ndarray:
    return _reduced(self, "all", axis, out, keepdims)


def any(self: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> ndarray:
    return _reduced(self, "any", axis, out, keepdims)


def argmax(
    self: Any, axis: Any = None, out: Any = None, dtype: Any = None, keepdims: bool = False
) -> ndarray:
    return _reduced(self, "argmax", axis, out, keepdims)


def argmin(
    self: Any, axis: Any = None, out: Any = None, dtype: Any = None, keepdims: bool = False
) -> ndarray:
    return _reduced(self, "argmin", axis, out, keepdims)


def mean(
    self: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
) -> ndarray:
    return _reduced(self, "mean", axis, out, keepdims, dtype=dtype)


def var(
    self: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: int = 0,
    keepdims: bool = False,
) -> ndarray:  # fmt: skip
    return _reduced(self, "var", axis, out, keepdims, dtype=dtype, ddof=ddof)


def std(
    self: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: int = 0,
    keepdims: bool = False,
) -> ndarray:  # fmt: skip
    return _reduced(self, "std", axis, out, keepdims, dtype=dtype, ddof=ddof)


def trace(
    self: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None
) -> ndarray:
    return self.diagonal(offset, axis1, axis2).sum(-1, dtype, out, False)


def _scanned(self: Any, how: Any, axis: Any, dtype: Any, out: Any) -> ndarray:
    launched(self)
    kind = self.dtype.kind
    if dtype is None:
        dtype = {"b": "int64", "i": "int64", "u": "uint64"}.get(kind, self.dtype)
    array = self._array.astype(check_dtype(dtype))
    if axis is None:
        array, axis = array.reshape(-1), 0
    return _put(how.accumulate(array, axis=axis), out)


def cumsum(self: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> ndarray:
    return _scanned(self, numpy.add, axis, dtype, out)


def cumprod(self: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> ndarray:
    return _scanned(self, numpy.multiply, axis, dtype, out)


def conj(self: Any) -> ndarray:
    return UFUNCS["conj"](self) if self.dtype.kind == "c" else self


def clip(self: Any, min: Any = None, max: Any = None, out: Any = None) -> ndarray:
    kind = self.dtype.kind
    for value in (min, max):
        if value is None and kind not in "fiu":
            raise TypeError("Unsupported type <class 'NoneType'>")
    if min is None:
        min = self.dtype.type("-inf") if kind == "f" else numpy.iinfo(self.dtype.type).min
    if max is None:
        max = self.dtype.type("inf") if kind == "f" else numpy.iinfo(self.dtype.type).max
    return UFUNCS["_clip"](self, min, max, out=out)


def round(self: Any, decimals: int = 0, out: Any = None) -> ndarray:
    return UFUNCS["_round"](self, decimals, out=out)


def dot(self: Any, b: Any, out: Any = None) -> ndarray:
    if not isinstance(b, ndarray):
        raise TypeError(f"Argument 'b' has incorrect type (expected ndarray, got {type(b)})")
    launched(self, b)
    return _put(numpy.asarray(_product(numpy.dot, self, b)), out)


def _product(how: Any, a: ndarray, b: ndarray) -> Any:
    with numpy.errstate(all="ignore"):
        if numpy.promote_types(a.dtype, b.dtype).char == "e":
            return how(a._array.astype("f"), b._array.astype("f")).astype("e")
        return how(a._array, b._array)


def matmul(self: Any, other: Any) -> ndarray:
    if not isinstance(other, ndarray):
        return NotImplemented
    launched(self, other)
    return new(_product(numpy.matmul, self, other))


# --- taking and sorting -----------------------------------------------------------------------


def take(self: Any, indices: Any, axis: Any = None, out: Any = None) -> ndarray:
    launched(self, indices)
    if isinstance(indices, ndarray):
        indices = indices._array
    elif not numpy.isscalar(indices):
        indices = numpy.asarray(indices, dtype=int)
    if numpy.asarray(indices).dtype.kind not in "biu":
        raise TypeError("take: the indices must be integers")
    array = self._array.reshape(-1) if axis is None else numpy.atleast_1d(self._array)
    axis = 0 if axis is None else axis
    n = array.shape[axis]
    if not n and numpy.size(indices):
        raise IndexError("cannot do a non-empty take from an empty axes.")
    places = numpy.asarray(indices).astype(numpy.int64) % n if n else indices
    return _put(numpy.asarray(numpy.take(array, places, axis)), out)


def put(self: Any, indices: Any, values: Any, mode: str = "wrap") -> None:
    launched(self, indices, values)
    if mode == "raise":
        wait("put with mode='raise'")
    plain = [x._array if isinstance(x, ndarray) else x for x in (indices, values)]
    numpy.put(self._array, *plain, mode=mode)


def repeat(self: Any, repeats: Any, axis: Any = None) -> ndarray:
    launched(self, repeats)
    if isinstance(repeats, numpy.ndarray):
        raise TypeError("'repeats' does not accept numpy.ndarray; convert with cupy.array() first")
    if isinstance(repeats, (ndarray, list, tuple)):
        wait("repeat by an array")
        repeats = repeats._array if isinstance(repeats, ndarray) else repeats
    return new(numpy.repeat(self._array, repeats, axis))


def nonzero(self: Any) -> tuple[ndarray, ...]:
    launched(self)
    if not self.ndim:
        raise ValueError(
            "Calling nonzero on 0d arrays is not allowed. Use cp.atleast_1d(scalar).nonzero() "
            "instead."
        )
    if self.size:
        wait("nonzero")
    # CuPy gives the columns of one array.
    places = new(numpy.stack(self._array.nonzero(), axis=1).astype(numpy.int64))
    return tuple([places[:, i] for i in range(self.ndim)])


def compress(self: Any, condition: Any, axis: Any = None, out: Any = None) -> ndarray:
    return take(self, nonzero(condition)[0], axis, out)


def _check_kind(kind: Any) -> None:
    if kind is not None and kind != "stable":
        raise ValueError("kind can only be None or 'stable'")


def sort(self: Any, axis: int = -1, kind: Any = None) -> None:
    _check_kind(kind)
    launched(self)
    if not self.ndim:
        raise numpy.exceptions.AxisError("Sorting arrays with the rank of zero is not supported")
    if not self._array.flags.c_contiguous:
        raise NotImplementedError("Sorting non-contiguous array is not supported.")
    self._array.sort(axis=axis, kind="stable")


def argsort(self: Any, axis: Any = -1, kind: Any = None) -> ndarray:
    _check_kind(kind)
    launched(self)
    return new(numpy.atleast_1d(self._array).argsort(axis=axis, kind="stable"))


def partition(self: Any, kth: Any, axis: int = -1) -> None:
    launched(self)
    if not self._array.flags.c_contiguous:
        raise NotImplementedError("Sorting non-contiguous array is not supported.")
    self._array.partition(kth, axis=axis)


def argpartition(self: Any, kth: Any, axis: Any = -1) -> ndarray:
    launched(self)
    return new(self._array.argpartition(kth, axis=axis))


def searchsorted(self: Any, v: Any, side: str = "left", sorter: Any = None) -> ndarray:
    if not isinstance(v, (ndarray, int, float, complex)):
        raise NotImplementedError("Only python scalars or ndarrays are supported for v")
    launched(self, v, sorter)
    if self.ndim != 1:
        raise ValueError(
            "object too deep for desired array" if self.ndim
            else "object of too small depth for desired array"
        )  # fmt: skip
    if sorter is not None and sorter.dtype.kind not in "iu":
        raise TypeError("sorter must be of integer type")
    plain = v._array if isinstance(v, ndarray) else v
    order = None if sorter is None else sorter._array
    return new(numpy.asarray(self._array.searchsorted(plain, side, order)))


def byteswap(self: Any, inplace: bool = False) -> ndarray:
    launched(self)
    made = self._array.byteswap(inplace)
    return self if inplace else new(made)


for _function in (
    sum, prod, max, min, ptp, all, any, argmax, argmin, mean, var, std, trace, cumsum, cumprod,
    conj, clip, round, dot, take, put, repeat, nonzero, compress, sort, argsort, partition,
    argpartition, searchsorted, byteswap,
):  # fmt: skip
    setattr(ndarray, _function.__name__, _function)
ndarray.conjugate = conj  # type: ignore[attr-defined]
ndarray.__matmul__ = matmul  # type: ignore[attr-defined]
