"""The functions of the stand-in's namespace.

Those with a way of their own in CuPy are written out here; any other that CuPy has is NumPy's, with
CuPy's parameters: see `everything`. What CuPy has not is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import host_kernels
import numpy

from . import _methods
from ._array import (
    DLPack,
    check_dtype,
    empty,
    is_view_of,
    launched,
    ndarray,
    new,
    view_of,
)
from ._linalg import LINALG, checked, errstate, geterr, seterr
from ._memory import (
    Device,
    MemoryPointer,
    UnownedMemory,
    get_current_stream,
    get_default_memory_pool,
    get_default_pinned_memory_pool,
    wait,
)
from ._methods import _product
from ._table import TABLE, signature
from ._ufuncs import UFUNCS, ufunc

# Names of parameters for which CuPy wants an array of its own, no list and no number.
_ARRAYS = ("a", "x", "ary", "array", "arr", "m", "v", "x1", "x2", "b", "ar", "condition")

# What the host has to wait for: the size of the result, or an error, depends on the elements.
_WAITS = {
    "unique", "unique_all", "unique_counts", "unique_inverse", "unique_values", "argwhere",
    "flatnonzero", "union1d", "intersect1d", "setdiff1d", "setxor1d", "extract", "histogram",
    "trim_zeros", "digitize",
}  # fmt: skip


# --- making arrays --------------------------------------------------------------------------------


def array(
    obj: Any, dtype: Any = None, copy: Any = True, order: Any = "K", subok: bool = False,
    ndmin: int = 0, *, blocking: bool = False,
) -> ndarray:  # fmt: skip
    if subok:
        raise NotImplementedError
    if isinstance(obj, DLPack) or obj is None:
        raise TypeError(f"Unsupported type {type(obj)}")
    if not isinstance(obj, ndarray) and hasattr(obj, "__cuda_array_interface__"):
        obj = _taken_over(obj)
    if isinstance(obj, ndarray):
        made = obj
        if obj._memory.device_id != Device().id:
            made = obj.copy(order or "K")
        made = made.astype(obj.dtype if dtype is None else dtype, order or "K", copy=bool(copy))
    elif isinstance(obj, (list, tuple)) and _holds_array(obj):
        made = stack([array(x) for x in obj])
        made = made if dtype is None else made.astype(dtype)
    else:
        host = numpy.asarray(obj, dtype=None if dtype is None else numpy.dtype(dtype))
        if host.dtype.char not in "?bBhHiIlLqQefdFD":
            raise ValueError(f"Unsupported dtype {host.dtype}")
        fortran = order == "F" or order in ("K", "A", None) and (
            host.flags.f_contiguous and not host.flags.c_contiguous
        )  # fmt: skip
        made = new(host, "F" if fortran else "C")
    if ndmin > made.ndim:
        made = made.reshape((1,) * (ndmin - made.ndim) + made.shape)
    return made


def _taken_over(obj: Any) -> ndarray:
    """An array over the memory of an object with the CUDA array interface."""
    interface = obj.__cuda_array_interface__
    if interface.get("stream") not in (None, get_current_stream().ptr or 1):
        wait("taking over an array of another stream")
    dtype = check_dtype(interface["typestr"])
    shape, strides = interface["shape"], interface.get("strides")
    size = int(numpy.prod(shape)) * dtype.itemsize
    if strides is not None and size:
        size = sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) + dtype.itemsize
    owner = getattr(obj, "owner", obj)
    memory = UnownedMemory(interface["data"][0], size, owner, getattr(owner, "device_id", 0))
    return ndarray(shape, dtype, MemoryPointer(memory, 0), strides)


def _holds_array(obj: Any) -> bool:
    return any(
        isinstance(x, ndarray) or isinstance(x, (list, tuple)) and _holds_array(x) for x in obj
    )


def asarray(
    a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, blocking: bool = False
) -> ndarray:
    return array(a, dtype, copy, order or "K", blocking=blocking)


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    _must_be_array(a, "ascontiguousarray", "a")
    if dtype is not None and a.dtype != dtype or not a._array.flags.c_contiguous:
        a = a.astype(a.dtype if dtype is None else dtype, "C")
    return a if a.ndim else a.reshape(1)


def asfortranarray(a: Any, dtype: Any = None) -> ndarray:
    _must_be_array(a, "asfortranarray", "a")
    return a.astype(a.dtype if dtype is None else dtype, "F", copy=False)


def asnumpy(
    a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True
) -> Any:
    if isinstance(a, ndarray):
        return a.get(stream=stream, order=order, out=out, blocking=blocking)
    return numpy.asarray(a, order=order)


def empty_(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    return ndarray(shape, dtype, order=order)


def zeros(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    return _filled(ndarray(shape, dtype, order=order), 0)


def ones(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    return _filled(ndarray(shape, dtype, order=order), 1)


def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C") -> ndarray:
    if dtype is None:
        known = isinstance(fill_value, ndarray)
        dtype = fill_value.dtype if known else numpy.array(fill_value).dtype
    made = ndarray(shape, dtype, order=order)
    copyto(made, fill_value, casting="unsafe")
    return made


def _filled(a: ndarray, value: Any) -> ndarray:
    a._array[...] = value
    return a


def _like(a: Any, dtype: Any, order: Any, subok: Any, shape: Any) -> ndarray:
    _must_be_array(a, "empty_like", "a")
    if subok is not None:
        raise TypeError("subok is not supported yet")
    found = numpy.empty_like(a._array, dtype=dtype, order=order, shape=shape)
    return new(numpy.full_like(found, 3), "K")


def empty_like(
    prototype: Any, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None
) -> ndarray:
    return _like(prototype, dtype, order, subok, shape)


def zeros_like(
    a: Any, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None
) -> ndarray:
    return _filled(_like(a, dtype, order, subok, shape), 0)


def ones_like(
    a: Any, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None
) -> ndarray:
    return _filled(_like(a, dtype, order, subok, shape), 1)


def full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: Any = None,
    shape: Any = None,
) -> ndarray:  # fmt: skip
    made = _like(a, dtype, order, subok, shape)
    made.fill(fill_value)
    return made


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> ndarray:
    for x in (start, stop, step):
        if isinstance(x, ndarray):
            wait("arange with an end on the device")
    if dtype is None:
        kinds = [numpy.dtype(type(x)).kind for x in (start, stop, step) if x is not None]
        dtype = float if "f" in kinds or stop is None and type(start) is float else int
    if stop is None:
        start, stop = 0, start
    size = max(int(numpy.ceil((stop - start) / step)), 0)
    kind = check_dtype(dtype)
    places = numpy.arange(size)
    return new((kind.type(start) + places.astype(kind) * kind.type(step)).astype(kind))


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0,
) -> Any:  # fmt: skip
    plain = [x._array if isinstance(x, ndarray) else x for x in (start, stop)]
    found = numpy.linspace(*plain, num, endpoint, retstep, dtype, axis)
    return (new(found[0]), found[1]) if retstep else new(found)


def eye(N: int, M: Any = None, k: int = 0, dtype: Any = float, order: str = "C") -> ndarray:
    return new(numpy.eye(*_host_ints(N, M, k), dtype=check_dtype(dtype)), order)


def tri(N: int, M: Any = None, k: int = 0, dtype: Any = float) -> ndarray:
    return new(numpy.tri(*_host_ints(N, M, k), dtype=check_dtype(dtype)))


def _host_ints(*numbers: Any) -> Any:
    for n in numbers:
        if isinstance(n, (ndarray, numpy.ndarray)):
            raise TypeError(f"'{type(n).__name__}' object cannot be interpreted as an integer")
    return numbers


def tril(m: Any, k: int = 0) -> ndarray:
    m = asarray(m)
    return where(tri(*m.shape[-2:], k=k, dtype=bool), m, m.dtype.type(0))


def triu(m: Any, k: int = 0) -> ndarray:
    m = asarray(m)
    return where(tri(*m.shape[-2:], k=k - 1, dtype=bool), m.dtype.type(0), m)


def from_dlpack(array: Any, *, device: Any = None, copy: Any = None) -> ndarray:
    if isinstance(array, (numpy.ndarray, list)) or not hasattr(array, "__dlpack__"):
        raise TypeError(f"cannot take over {type(array)}: it is not on a CUDA device")
    capsule = array.__dlpack__(stream=1)
    if not isinstance(capsule, DLPack):
        raise TypeError(f"cannot take over {type(array)}: it is not on a CUDA device")
    return capsule.array.copy() if copy else view_of(capsule.array, capsule.array._array)


# --- choosing, joining, sorting -------------------------------------------------------------------


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    _must_be_array(condition, "where", "condition")
    if (x is None) is not (y is None):
        raise ValueError("Must provide both 'x' and 'y' or neither.")
    if x is None:
        return condition.nonzero()
    return UFUNCS["_where"](condition.astype("?", copy=False), x, y)


def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = None) -> None:
    _must_be_array(dst, "copyto", "dst")
    launched(dst, where)
    if isinstance(src, numpy.ndarray):
        if src.size != 1:
            raise ValueError("non-scalar numpy.ndarray cannot be used for copyto")
        src = src.reshape(())[()]
    elif isinstance(src, ndarray):
        src = src._array
    elif isinstance(src, (list, tuple)):
        raise TypeError(f"Unsupported type {type(src)}")
    mask = True if where is None else where._array
    numpy.copyto(dst._array, src, casting=casting, where=mask)  # type: ignore[arg-type]


def concatenate(
    tup: Any, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> ndarray:
    arrays = list(tup)
    if not arrays:
        raise ValueError("Cannot concatenate from empty tuple")
    for x in arrays:
        if not isinstance(x, ndarray):
            raise TypeError("Only cupy arrays can be concatenated")
    launched(*arrays, out)
    if axis is None:
        arrays, axis = [x.ravel() for x in arrays], 0
    if not all(x.ndim for x in arrays):
        raise TypeError("zero-dimensional arrays cannot be concatenated")
    kind = None if dtype is None else check_dtype(dtype)
    found = numpy.concatenate([x._array for x in arrays], axis, dtype=kind, casting=casting)  # type: ignore[arg-type]
    return _methods._put(found, out)


def stack(
    tup: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> ndarray:
    return concatenate([expand_dims(x, axis) for x in tup], axis, out, dtype=dtype, casting=casting)


def expand_dims(a: Any, axis: Any) -> ndarray:
    _must_be_array(a, "expand_dims", "a")
    return view_of(a, numpy.expand_dims(a._array, axis))


def broadcast_to(array: Any, shape: Any) -> ndarray:
    _must_be_array(array, "broadcast_to", "array")
    return view_of(array, numpy.broadcast_to(array._array, shape))


def lexsort(keys: Any) -> ndarray:
    _must_be_array(keys, "lexsort", "keys")  # no tuple of arrays
    launched(keys)
    if keys.ndim == 1:
        return array(0, numpy.intp)
    if keys.ndim != 2:
        raise NotImplementedError("Keys with the rank of three or more is not supported in lexsort")
    return new(numpy.lexsort(keys._array))


def sort(a: Any, axis: Any = -1, kind: Any = None) -> ndarray:
    made = a.flatten() if axis is None else a.copy()
    made.sort(-1 if axis is None else axis, kind)
    return made


def bincount(x: Any, weights: Any = None, minlength: Any = None) -> ndarray:
    _must_be_array(x, "bincount", "x")
    launched(x, weights)
    if x.dtype.kind not in "biu":
        raise TypeError("x must be int array")
    if weights is not None and weights.dtype.kind == "c":
        raise TypeError("no kernel of bincount takes complex weights")
    wait("bincount")
    plain = None if weights is None else weights._array
    return new(numpy.bincount(x._array.astype(numpy.int64), plain, minlength or 0))


def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> ndarray:
    _must_be_array(x, "nan_to_num", "x")
    launched(x)
    found = numpy.nan_to_num(x._array, nan=nan, posinf=posinf, neginf=neginf)
    if copy:
        return new(found)
    x._array[...] = found
    return x


def matmul(x1: Any, x2: Any, /, out: Any = None, **kwargs: Any) -> ndarray:
    if kwargs:
        raise NotImplementedError(f"the stand-in: matmul with {sorted(kwargs)}")
    for x in (x1, x2):
        _must_be_array(x, "matmul", "x1")
    launched(x1, x2, out)
    if not x1.ndim or not x2.ndim:
        raise ValueError("Scalar operands are not allowed, use '*' instead")
    return _methods._put(numpy.asarray(_product(numpy.matmul, x1, x2)), out)


def dot(a: Any, b: Any, out: Any = None) -> ndarray:
    _must_be_array(a, "dot", "a")
    return a.dot(b, out)


def get_array_module(*args: Any) -> Any:
    import sys

    return sys.modules["cupy"] if any(isinstance(x, ndarray) for x in args) else numpy


def scatter_add(a: Any, slices: Any, value: Any) -> None:
    UFUNCS["add"].at(a, slices, value)


def synchronize() -> None:
    wait("synchronize")


# --- all the rest ---------------------------------------------------------------------------------


def _must_be_array(x: Any, function: str, parameter: str) -> None:
    if not isinstance(x, ndarray):
        raise TypeError(
            f"cupy.{function}: {parameter!r} must be a cupy.ndarray, not {type(x).__module__}."
            f"{type(x).__name__}"
        )


def _opened(x: Any, function: str) -> Any:
    if isinstance(x, ndarray):
        launched(x)
        return x._array
    if isinstance(x, numpy.ndarray):
        raise TypeError(f"cupy.{function}: Unsupported type {type(x)}")
    if isinstance(x, (list, tuple)):
        return type(x)([_opened(v, function) for v in x])
    return x


def _closed(x: Any, owners: list[ndarray]) -> Any:
    if isinstance(x, numpy.ndarray):
        for owner in owners:
            if is_view_of(x, owner):
                return owner if x is owner._array else view_of(owner, x)
        return new(x)
    if isinstance(x, numpy.generic):
        return new(numpy.asarray(x))
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*[_closed(v, owners) for v in x])
    if isinstance(x, (list, tuple)):
        return type(x)([_closed(v, owners) for v in x])
    return x


def _owners(x: Any) -> list[ndarray]:
    if isinstance(x, ndarray):
        return [x]
    return [a for v in x for a in _owners(v)] if isinstance(x, (list, tuple)) else []


# NumPy's answer is a Python bool, CuPy's an array on the device.
_TRUTHS = ("allclose", "array_equal", "array_equiv")


def generic(name: str, parameters: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's function under CuPy's signature, on arrays of the device."""
    accepted = signature(parameters)
    first = next(iter(accepted.parameters), "")

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = accepted.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"cupy.{name}() {error}") from None
        if first in _ARRAYS and first in bound.arguments:
            _must_be_array(bound.arguments[first], name, first)
        if name in _WAITS:
            wait(name)
        plain = [_opened(x, name) for x in args]
        named = {k: _opened(v, name) for k, v in kwargs.items()}
        with numpy.errstate(all="ignore"):
            found = function(*plain, **named)
        if name in _TRUTHS:
            found = numpy.asarray(found)
        return _closed(found, _owners([*args, *kwargs.values()]))

    call.__name__ = call.__qualname__ = name
    return call


def _as_method(name: str, parameters: str) -> Callable[..., Any]:
    """A function that is the method of its first argument: ``cupy.sum(a, …)``."""
    accepted = signature(parameters)

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = accepted.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"cupy.{name}() {error}") from None
        first, *rest = bound.arguments.items()
        _must_be_array(first[1], name, first[0])
        names = {"a_min": "min", "a_max": "max"}
        return getattr(first[1], _METHODS[name])(**{names.get(k, k): v for k, v in rest})

    call.__name__ = call.__qualname__ = name
    return call


_METHODS = {
    **{n: n for n in (
        "sum", "prod", "max", "min", "ptp", "all", "any", "argmax", "argmin", "mean", "var", "std",
        "trace", "cumsum", "cumprod", "clip", "round", "take", "put", "repeat", "nonzero",
        "compress", "argsort", "partition", "argpartition", "searchsorted", "swapaxes", "squeeze",
        "diagonal",
    )},
    "amax": "max", "amin": "min", "around": "round",
}  # fmt: skip

_OWN: dict[str, Any] = {
    "array": array, "asarray": asarray, "asanyarray": asarray, "asnumpy": asnumpy,
    "ascontiguousarray": ascontiguousarray, "asfortranarray": asfortranarray, "empty": empty_,
    "zeros": zeros, "ones": ones, "full": full, "empty_like": empty_like,
    "zeros_like": zeros_like, "ones_like": ones_like, "full_like": full_like, "arange": arange,
    "linspace": linspace, "eye": eye, "tri": tri, "tril": tril, "triu": triu,
    "from_dlpack": from_dlpack, "where": where, "copyto": copyto, "concatenate": concatenate,
    "concat": concatenate, "stack": stack, "expand_dims": expand_dims,
    "broadcast_to": broadcast_to, "lexsort": lexsort, "sort": sort, "bincount": bincount,
    "nan_to_num": nan_to_num, "matmul": matmul, "linalg.matmul": matmul, "dot": dot,
    "get_array_module": get_array_module,
    "cupyx.scatter_add": scatter_add, "cupyx.errstate": errstate, "cupyx.seterr": seterr,
    "cupyx.geterr": geterr, "get_default_memory_pool": get_default_memory_pool,
    "get_default_pinned_memory_pool": get_default_pinned_memory_pool,
}  # fmt: skip


class Kernel:
    """A kernel that CuPy would write out itself. The stand-in cannot."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("the stand-in for CuPy has RawModule and RawKernel only")


class RawModule:
    """`cupy.RawModule`: kernels, as `host_kernels` runs them."""

    def __init__(self, code: str, *, options: tuple[str, ...] = ()) -> None:
        self._module = host_kernels.RawModule(code, options=options)

    def get_function(self, name: str) -> Any:
        function = self._module.get_function(name)

        def launch(grid: Any, block: Any, args: Any) -> None:
            for numbers in (grid, block):
                if not isinstance(numbers, tuple) or not all(type(n) is int for n in numbers):
                    raise TypeError(f"grid and block are tuples of ints, not {numbers!r}")
            for x in args:
                if not isinstance(x, (ndarray, numpy.generic)):
                    raise TypeError(f"Unsupported type {type(x)}")
            launched(*args)
            function(grid, block, args)

        return launch


def raw_kernel(code: str, name: str, options: tuple[str, ...] = ()) -> Any:
    return RawModule(code, options=options).get_function(name)


def everything() -> dict[str, Any]:
    """All names, by what they are called from `cupy`: ``"add"``, ``"linalg.norm"``, …"""
    found: dict[str, Any] = dict(UFUNCS)
    for name, parameters in TABLE["functions"].items():
        theirs = _numpy_function(name)
        if name in _OWN:
            found[name] = _OWN[name]
        elif name in _METHODS:
            found[name] = _as_method(name, parameters)
        elif theirs is not None:
            found[name] = generic(name, parameters, theirs)
    for name in TABLE["names"]:
        if "." not in name and hasattr(numpy, name):
            found[name] = getattr(numpy, name)
    for name in ("ElementwiseKernel", "ReductionKernel", "RawKernel", "RawModule"):
        found[name] = Kernel
    found["RawModule"] = RawModule
    found.update(ndarray=ndarray, ufunc=ufunc)
    found["linalg.LinAlgError"] = numpy.linalg.LinAlgError
    found.update(LINALG)
    found["get_default_memory_pool"] = get_default_memory_pool
    found["get_default_pinned_memory_pool"] = get_default_pinned_memory_pool
    return found


def _numpy_function(name: str) -> Callable[..., Any] | None:
    place, _, last = name.rpartition(".")
    if place.startswith("cupyx"):
        return None
    home = getattr(numpy, place) if place else numpy
    theirs = getattr(home, last, None)
    if place == "linalg" and theirs is not None:
        return checked(last, theirs)
    return theirs


__all__ = ["empty", "everything"]
