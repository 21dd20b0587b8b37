"""The array of the stand-in: `cupy.ndarray`'s attributes and methods over host memory.

It holds a NumPy array and is none. What CuPy's array has not, it has not; NumPy cannot look into
it; and nothing leaves it except through the doors that CuPy has (`get`, `item`, `tolist`, `bool`),
which are counted. See `_memory.wait`.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy

from . import _memory
from ._memory import Memory, MemoryPointer, wait

ALL = slice(None)
DTYPES = "?bBhHiIlLqQefdFD"  # what CuPy's kernels are made for


class Flags:
    """`ndarray.flags`: there is no ``writeable``."""

    __slots__ = ("_owndata", "c_contiguous", "f_contiguous")

    def __init__(self, c_contiguous: bool, f_contiguous: bool, owndata: bool) -> None:
        self.c_contiguous, self.f_contiguous, self._owndata = c_contiguous, f_contiguous, owndata

    @property
    def owndata(self) -> bool:
        return self._owndata

    @property
    def fnc(self) -> bool:
        return self.f_contiguous and not self.c_contiguous

    @property
    def forc(self) -> bool:
        return self.f_contiguous or self.c_contiguous

    def __getitem__(self, name: str) -> bool:
        if name not in ("C_CONTIGUOUS", "F_CONTIGUOUS", "OWNDATA"):
            raise KeyError(f"{name} is not defined for cupy.ndarray.flags")
        return bool(getattr(self, name.lower()))


def check_dtype(dtype: Any) -> numpy.dtype[Any]:
    """The dtype, if CuPy has kernels for it."""
    found = numpy.dtype(dtype)
    if found.char not in DTYPES:
        raise ValueError(f"Unsupported dtype {found}")
    return found


def _ints(shape: Any) -> tuple[int, ...]:
    # An array among the sizes would have to be fetched from the device.
    parts = shape if isinstance(shape, (tuple, list)) else (shape,)
    for n in parts:
        if isinstance(n, (ndarray, float, numpy.ndarray)):
            raise TypeError(f"a shape is made of integers, not of {type(n).__name__}")
    return tuple([n.__index__() for n in parts])


class ndarray:
    """`cupy.ndarray`, and no subclass of NumPy's."""

    __slots__ = ("__weakref__", "_array", "_base", "_memory")
    __module__ = "cupy"
    __array_priority__ = 100

    _array: numpy.ndarray[Any, Any]  # over the block of _memory
    _memory: Any
    _base: ndarray | None

    def __new__(
        cls, shape: Any, dtype: Any = float, memptr: Any = None, strides: Any = None,
        order: str = "C",
    ) -> ndarray:  # fmt: skip
        shape, dtype = _ints(shape), check_dtype(dtype)
        if any(n < 0 for n in shape):
            raise ValueError("Negative dimensions are not allowed")
        if len(shape) > 32:
            raise ValueError(
                f"maximum supported dimension for an ndarray is 32, found {len(shape)}"
            )
        if memptr is None:
            if strides is not None:
                raise NotImplementedError("the stand-in: strides without memptr")
            return _allocated(shape, dtype, order or "C")
        self = object.__new__(cls)
        self._memory, self._base = memptr.mem, None
        offset = memptr.ptr - memptr.mem.ptr
        if not math.prod(shape):
            offset = 0
        self._array = numpy.ndarray(shape, dtype, self._memory.block, offset, strides)
        return self

    # --- facts ----------------------------------------------------------------------------------

    @property
    def dtype(self) -> Any:
        return self._array.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    @shape.setter
    def shape(self, shape: Any) -> None:
        view = self._array.reshape(shape)
        if self.size and view.ctypes.data != self._array.ctypes.data:
            raise AttributeError(
                "Incompatible shape for in-place modification. Use `.reshape()` to make a copy "
                "with the desired shape."
            )
        self._array = view

    @property
    def strides(self) -> tuple[int, ...]:
        return self._array.strides

    @property
    def ndim(self) -> int:
        return self._array.ndim

    @property
    def size(self) -> int:
        return self._array.size

    @property
    def itemsize(self) -> int:
        return self._array.itemsize

    @property
    def nbytes(self) -> int:
        return self._array.nbytes

    @property
    def flags(self) -> Flags:
        flags = self._array.flags
        return Flags(flags.c_contiguous, flags.f_contiguous, self._base is None)

    @property
    def base(self) -> ndarray | None:
        return self._base

    @property
    def data(self) -> MemoryPointer:
        start = self._array.ctypes.data - self._memory.ptr if self._array.size else 0
        return MemoryPointer(self._memory, start)

    @property
    def device(self) -> Any:
        return self._memory.device

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self.shape, "typestr": self.dtype.str, "descr": self.dtype.descr,
            "version": 3, "strides": None if self._array.flags.c_contiguous else self.strides,
            "data": (self.data.ptr, False), "stream": _memory.get_current_stream().ptr or 1,
        }  # fmt: skip

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None,
        copy: Any = None,
    ) -> Any:  # fmt: skip
        return DLPack(self.copy() if copy else self)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self._memory.device_id

    # --- views ----------------------------------------------------------------------------------

    @property
    def T(self) -> ndarray:
        return self if self.ndim < 2 else view_of(self, self._array.T)

    @property
    def mT(self) -> ndarray:
        if self.ndim < 2:
            raise ValueError("matrix transpose with ndim < 2 is undefined")
        return self.swapaxes(-1, -2)

    @property
    def real(self) -> ndarray:
        return view_of(self, self._array.real) if self.dtype.kind == "c" else self

    @real.setter
    def real(self, value: Any) -> None:
        self.real[...] = value

    @property
    def imag(self) -> ndarray:
        if self.dtype.kind == "c":
            return view_of(self, self._array.imag)
        return new(numpy.zeros(self.shape, self.dtype))

    @imag.setter
    def imag(self, value: Any) -> None:
        if self.dtype.kind != "c":
            raise TypeError("cupy.ndarray does not have imaginary part to set")
        self.imag[...] = value

    def view(self, dtype: Any = None, type: Any = None) -> ndarray:
        if type is not None:
            raise ValueError("Type must be a sub-type of ndarray type")
        return view_of(self, self._array.view() if dtype is None else self._array.view(dtype))

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> ndarray:
        if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
            shape = tuple(shape[0])
        found = self._array.reshape(_ints(shape), order=order)
        if self.size and not numpy.may_share_memory(found, self._array):
            if copy is False:
                raise ValueError("Unable to avoid creating a copy while reshaping.")
            launched(self)
            return new(found, order if order != "A" else "C")
        made = view_of(self, found)
        return made.copy() if copy else made

    def ravel(self, order: str = "C") -> ndarray:
        return self._flat(self._array.ravel(order))

    def flatten(self, order: str = "C") -> ndarray:
        launched(self)
        return new(self._array.flatten(order))

    def _flat(self, found: Any) -> ndarray:
        if self.size and numpy.may_share_memory(found, self._array):
            return view_of(self, found)
        launched(self)
        return new(found)

    def transpose(self, *axes: Any) -> ndarray:
        return view_of(self, self._array.transpose(*axes))

    def swapaxes(self, axis1: int, axis2: int) -> ndarray:
        return view_of(self, self._array.swapaxes(axis1, axis2))

    def squeeze(self, axis: Any = None) -> ndarray:
        return view_of(self, self._array.squeeze(axis))

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> ndarray:
        return view_of(self, self._array.diagonal(offset, axis1, axis2))

    def reduced_view(self, dtype: Any = None) -> ndarray:
        return self.view()

    # --- copies ---------------------------------------------------------------------------------

    def astype(
        self, dtype: Any, order: str | None = "K", casting: Any = None, subok: Any = None,
        copy: bool = True,
    ) -> ndarray:  # fmt: skip
        if casting is not None:
            raise TypeError("casting is not supported yet")
        if subok is not None:
            raise TypeError("subok is not supported yet")
        order = order or "K"
        dtype = check_dtype(dtype)
        if not copy and dtype == self.dtype and self._is_laid_out(order):
            return self
        launched(self)
        return new(self._array.astype(dtype, order=order), "K")

    def _is_laid_out(self, order: str) -> bool:
        flags = self._array.flags
        return (
            order == "K" or order == "A" and flags.forc or order == "C" and flags.c_contiguous
            or order == "F" and flags.f_contiguous
        )  # fmt: skip

    def copy(self, order: str = "C") -> ndarray:
        # Alone among the methods it takes arrays of another device: to the current one.
        return new(self._array.copy(order=order), "K")

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> ndarray:
        with self.device:
            return self.copy()

    def __reduce__(self) -> Any:
        from ._functions import array

        return array, (self.get(order="A"),)

    def fill(self, value: Any) -> None:
        launched(self)
        if isinstance(value, ndarray):
            if value.shape != ():
                raise ValueError("non-scalar cupy.ndarray cannot be used for fill")
            launched(value)
            self._array.fill(value._array.astype(self.dtype)[()])
            return
        scalar = numpy.asarray(value, dtype=self.dtype)
        if scalar.shape != ():
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        self._array.fill(scalar[()])

    def set(self, arr: Any, stream: Any = None) -> None:
        if not isinstance(arr, numpy.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if self.dtype != arr.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self.dtype} array")
        if self.shape != arr.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        if not self._array.flags.forc:
            raise RuntimeError("Cannot set to non-contiguous array")
        self._array[...] = arr

    # --- leaving the device ---------------------------------------------------------------------

    def get(
        self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True
    ) -> Any:
        if blocking:
            wait("get")
        if out is not None:
            if not isinstance(out, numpy.ndarray):
                raise TypeError("Only numpy.ndarray can be obtained fromcupy.ndarray")
            if self.dtype != out.dtype:
                raise TypeError(f"{out.dtype} array cannot be obtained from {self.dtype} array")
            if self.shape != out.shape:
                raise ValueError(
                    f"Shape mismatch. Expected shape: {self.shape}, actual shape: {out.shape}"
                )
            if not out.flags.forc:
                raise RuntimeError("`out` cannot be specified when copying to non-contiguous "
                                   "ndarray")  # fmt: skip
            out[...] = self._array
            return out
        if order == "A":
            order = "F" if self._array.flags.f_contiguous else "C"
        if order not in ("C", "F"):
            raise ValueError(f"unsupported order: {order}")
        return self._array.copy(order=order)

    def item(self) -> Any:
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def tobytes(self, order: str = "C") -> bytes:
        return bytes(self.get().tobytes(order))

    def __bool__(self) -> bool:
        if self.size > 1:
            raise ValueError(
                "The truth value of an array with more than one element is ambiguous. Use a.any() "
                "or a.all()"
            )
        if not self.size:
            warnings.warn(
                "The truth value of an empty array is ambiguous.", DeprecationWarning, stacklevel=2
            )
            return False
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __complex__(self) -> complex:
        return complex(self.get())

    def __repr__(self) -> str:
        return repr(self.get())

    def __str__(self) -> str:
        return str(self.get())

    def __format__(self, spec: str) -> str:
        return format(self.get(), spec)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct "
            "a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        # CuPy answers for any of NumPy's functions. It is refused here, save where a NumPy scalar
        # stands on the left of an operator: above devgrad.device, nobody may call NumPy.
        if any(isinstance(x, numpy.ndarray) for x in inputs):
            raise TypeError("Unsupported type <class 'numpy.ndarray'>")
        if method == "__call__" and any(isinstance(x, numpy.generic) for x in inputs):
            from ._ufuncs import UFUNCS

            return UFUNCS[ufunc.__name__](*inputs, **kwargs)
        raise TypeError(
            f"numpy.{ufunc.__name__} was called with an array of the CUDA device. (CuPy would give "
            "way; the stand-in does not: call the function of `xp`)"
        )

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        raise TypeError(
            f"numpy.{function.__name__} was called with an array of the CUDA device. (CuPy would "
            "give way; the stand-in does not: call the function of `xp`)"
        )

    # --- containers -----------------------------------------------------------------------------

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Any:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __getitem__(self, index: Any) -> ndarray:
        from ._indexing import getitem

        return getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        from ._indexing import scatter

        if isinstance(value, ndarray):
            n = next((i for i, k in enumerate(value.shape) if k != 1), value.ndim)
            value = value.reshape(value.shape[n:]) if n else value
        scatter(self, index, value, "update")

    # The rest is attached by _methods.py and _ufuncs.py.


class DLPack:
    """What stands for a DLPack capsule: the host's libraries could not open one of a device."""

    def __init__(self, array: ndarray) -> None:
        self.array = array


def _allocated(shape: tuple[int, ...], dtype: Any, order: str) -> ndarray:
    made = object.__new__(ndarray)
    made._memory, made._base = Memory(math.prod(shape) * dtype.itemsize), None
    if dtype.char == "?" and made._memory.size:
        made._memory.block[:] = 1
    made._array = numpy.ndarray(shape, dtype, made._memory.block, order=order)
    return made


def empty(shape: tuple[int, ...], dtype: Any) -> ndarray:
    """A new array on the current device."""
    return _allocated(shape, dtype, "C")


def new(array: Any, order: str = "C") -> ndarray:
    """A new array on the current device with these elements; with their strides if order is K."""
    array = numpy.asarray(array)
    check_dtype(array.dtype)
    made = object.__new__(ndarray)
    made._memory, made._base = Memory(array.nbytes), None
    strides = None
    if order == "K":
        strides = array.strides if array.flags.forc or _is_dense(array) else None
    elif order == "F":
        made._array = numpy.ndarray(array.shape, array.dtype, made._memory.block, order="F")
        made._array[...] = array
        return made
    made._array = numpy.ndarray(array.shape, array.dtype, made._memory.block, 0, strides)
    made._array[...] = array
    return made


def _is_dense(array: Any) -> bool:
    if any(s < 0 for s in array.strides):
        return False
    low, high = numpy.lib.array_utils.byte_bounds(array)
    return bool(high - low == array.nbytes)


def view_of(owner: ndarray, array: Any) -> ndarray:
    """An array of ``owner``'s memory. (Not through NumPy's view, which may be read-only.)"""
    made = object.__new__(ndarray)
    made._memory = owner._memory
    made._base = owner if owner._base is None else owner._base
    if array.size and not array.flags.writeable:
        offset = array.ctypes.data - owner._memory.ptr
        array = numpy.ndarray(array.shape, array.dtype, owner._memory.block, offset, array.strides)
    made._array = array
    return made


def launched(*arrays: Any) -> None:
    """A kernel reads or writes these arrays: they must be on the current device."""
    for x in arrays:
        if isinstance(x, ndarray):
            here = _memory.current_device()
            if x._memory.device_id != here:
                raise ValueError(
                    f"The device where the array resides ({x._memory.device_id}) is different from "
                    f"the current device ({here}). Peer access is unavailable between these "
                    "devices."
                )


def is_view_of(array: Any, owner: ndarray) -> bool:
    """Whether a NumPy array is a view of the memory of ``owner``."""
    while isinstance(array.base, numpy.ndarray):
        array = array.base
    return array is owner._memory.block
