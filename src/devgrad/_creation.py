"""Making tensors from data: from numbers, and from arrays without a copy."""

from __future__ import annotations

import warnings
from typing import Any

from . import _filling
from ._filling import *  # noqa: F403  (the one module to look for creation in)
from ._filling import as_size, chosen_type, fill, finished, full, new_method
from ._tensor import Size, Tensor, wrap
from .autograd._cuts import cut_off
from .device import (
    CPU,
    DTYPES,
    Device,
    DType,
    TensorType,
    array_namespace,
    device_of_array,
    dtype_of_array,
    dtype_of_number,
    get_default_dtype,
    resolve,
    user_stacklevel,
)
from .ops._arguments import NUMBERS, explained, kind_name
from .ops._op import AnyDevice, Number
from .ops._promotion import moved

__all__ = [
    *_filling.__all__, "as_tensor", "asarray", "from_dlpack", "from_numpy", "frombuffer",
    "scalar_tensor", "tensor",
]  # fmt: skip

_host: Any = CPU.xp

# --- from data --------------------------------------------------------------------------------


@explained
def tensor(
    data: Any,
    *,
    dtype: DType | None = None,
    device: AnyDevice = None,
    requires_grad: bool | None = False,
    pin_memory: bool | None = False,
) -> Tensor:
    """A new leaf tensor that holds a copy of ``data``.

    Args:
        data: a number, nested sequences of numbers, an array, or a tensor.
        dtype: default: Python's floats give the default dtype, ints int64, bools bool; arrays and
            tensors keep theirs.
        device: default: the default device; a tensor's or CuPy array's own.
        requires_grad: whether to record what is computed from it.
        pin_memory: accepted for PyTorch's sake; copies to the GPU are pinned where that helps.

    Raises:
        ValueError: the sequences are of unequal lengths.
        TypeError: there is something else than numbers in them.
        RuntimeError: ``requires_grad`` for an integer or bool dtype.

    >>> import devgrad
    >>> devgrad.tensor([[1, 2.5], [3, 4]])
    tensor([[1.0000, 2.5000],
            [3.0000, 4.0000]])
    """
    if isinstance(data, Tensor):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use sourceTensor.detach()."
            "clone() or sourceTensor.detach().clone().requires_grad_(True), rather than "
            "torch.tensor(sourceTensor).",
            UserWarning,
            stacklevel=user_stacklevel(),
        )
        kind = chosen_type(dtype, data.device if device is None else device, data.dtype)
        made = finished(_moved(data._array, data._type, kind, copy=True), kind, requires_grad)
        made._cut = data._cut if data._own_edge() is None else cut_off("detach", "tensor")
        return made
    source = device_of_array(data)
    if source is not None:
        kind, array = _from_array(data, source, dtype, device, copy=True)
        return finished(array, kind, requires_grad)
    array, found = _from_sequence(data)
    kind = chosen_type(dtype, device, found)
    if array.dtype.kind == "c" and kind.dtype.category in (1, 2):
        raise TypeError(
            f"must be real number, not complex: {kind.dtype} cannot hold complex numbers"
        )
    given, array = array, array.astype(kind.array_dtype)
    if kind.dtype.category == 1 and _overflows(given, array):
        raise RuntimeError(
            f"value cannot be converted to type {kind.dtype.name} without overflow: "
            f"{kind.dtype} cannot hold all of the values given"
        )
    return finished(kind.xp.from_host(array, kind.device.index), kind, requires_grad)


def _overflows(given: Any, cast: Any) -> bool:
    """Whether a number was beyond an integer dtype: it is not what it was, up to its fraction."""
    if given.dtype.kind == "f":
        return bool((~(abs(given - cast) < 1)).any())
    return bool((given != cast).any())


def _from_sequence(data: Any) -> tuple[Any, DType]:
    """A host array of nested sequences of numbers, and the dtype that PyTorch gives it.

    Raises:
        ValueError: sequences are of unequal lengths, or an int is beyond 64 bits.
        TypeError, RuntimeError: there is something else than numbers in them.
    """
    if not isinstance(data, (list, tuple, *NUMBERS)) and hasattr(data, "__getitem__"):
        data = _unrolled(data)
    plain, tensors = _without_tensors(data)
    try:
        array = _host.array(plain)
    except ValueError:
        array = None
    if array is None or array.dtype.kind not in "biufc" or (
        array.dtype.kind == "u" and array.dtype.itemsize == 8
    ):  # fmt: skip
        shape = _shape_of(plain)
        if 0 not in shape:  # (else an empty sequence came first: what follows does not count)
            _refuse(plain, shape)
        array = _host.zeros(shape)
    leaf = _first_leaf(plain)
    found = dtype_of_array(array)
    assert found is not None
    if array.size and hasattr(leaf, "dtype"):  # NumPy's own scalars keep their dtype
        return array, found
    if tensors:
        return array, get_default_dtype() if found.is_floating_point else found
    sample = {"b": True, "i": 1, "u": 1, "f": 1.0, "c": 1j}[array.dtype.kind]
    return array, get_default_dtype() if not array.size else dtype_of_number(sample)


def _unrolled(data: Any) -> Any:
    """A sequence of another class, ``range(3)``, as a list; itself if it is none."""
    if isinstance(data, (str, bytes, dict)) or not hasattr(data, "__len__"):
        return data
    return [_unrolled(x) if hasattr(x, "__getitem__") else x for x in data]


def _without_tensors(data: Any) -> tuple[Any, bool]:
    if isinstance(data, Tensor):
        return data.detach().tolist(), True
    if isinstance(data, (list, tuple)):
        if not any(isinstance(x, (Tensor, list, tuple)) for x in data):
            return data, False
        parts = [_without_tensors(x) for x in data]
        return [p for p, _ in parts], any(t for _, t in parts)
    return data, False


def _first_leaf(data: Any) -> Any:
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return data


def _shape_of(data: Any) -> tuple[int, ...]:
    """The shape of nested sequences, by the first of each, as PyTorch reads it."""
    shape: tuple[int, ...] = ()
    while isinstance(data, (list, tuple)):
        shape = (*shape, len(data))
        if not data:
            break
        data = data[0]
    return shape


def _refuse(data: Any, shape: tuple[int, ...], dim: int = 0) -> None:
    """Raise PyTorch's error for the first thing in ``data`` that does not fit into ``shape``."""
    if dim == len(shape):
        _refuse_number(data, dim)
        return
    if not isinstance(data, (list, tuple)):
        raise TypeError(f"not a sequence: expected one at dim {dim}, got {kind_name(data)}")
    if len(data) != shape[dim]:
        raise ValueError(f"expected sequence of length {shape[dim]} at dim {dim} (got {len(data)})")
    for x in data:
        _refuse(x, shape, dim + 1)


def _refuse_number(x: Any, dim: int) -> None:
    if isinstance(x, str):
        if dim:
            raise ValueError("too many dimensions 'str'")
        raise TypeError("new(): invalid data type 'str'")
    if isinstance(x, (list, tuple)):
        raise TypeError(
            f"'{kind_name(x)}' object cannot be interpreted as an integer: only numbers were "
            f"expected at dim {dim}"
        )
    if isinstance(x, int) and not -(2**63) <= x < 2**63:
        raise ValueError("Overflow when unpacking long long")
    if not isinstance(x, NUMBERS) and dtype_of(x) is None:
        raise RuntimeError(f"Could not infer dtype of {kind_name(x)}")


def dtype_of(x: Any) -> DType | None:
    """The dtype of one of the array libraries' numbers; None for anything else."""
    return None if array_namespace(x) is None else dtype_of_array(x)


def _moved(array: Any, source: TensorType, kind: TensorType, *, copy: bool) -> Any:
    """The array on the device and in the dtype of ``kind``; itself, if it may and is."""
    made = moved(array, source, kind)
    return made.copy() if copy and made is array else made


def _from_array(
    data: Any, source: Device, dtype: Any, device: Any, *, copy: bool
) -> tuple[TensorType, Any]:
    array = array_namespace(data).asarray(data)
    if not array.dtype.isnative:
        raise ValueError(
            "given numpy array has byte order different from the native byte order. Conversion "
            "between byte orders is currently not supported."
        )
    own = dtype_of_array(array)
    if own is None:
        raise TypeError(
            f"can't convert np.ndarray of type {array.dtype.type.__module__}."
            f"{array.dtype.type.__name__}. The only supported types are: float64, float32, "
            "float16, complex64, complex128, int64, int32, int16, int8, uint8, and bool."
        )
    kind = chosen_type(dtype, source if device is None and source is not CPU else device, own)
    # Equal dtypes need not be the one object that we compare with.
    array = array.view(own.array_dtype) if array.dtype is not own.array_dtype else array
    return kind, _moved(array, source.types[own.array_dtype], kind, copy=copy)


@explained
def as_tensor(data: Any, dtype: DType | None = None, device: AnyDevice = None) -> Tensor:
    """A tensor of ``data``, without a copy where that is possible: arrays share their memory.

    >>> import devgrad, numpy
    >>> a = numpy.zeros(2)
    >>> devgrad.as_tensor(a)[0] = 1
    >>> float(a[0])
    1.0
    """
    if isinstance(data, Tensor):
        kind = chosen_type(dtype, data.device if device is None else device, data.dtype)
        return data if kind is data._type else data.to(kind.device, kind.dtype)
    source = device_of_array(data)
    if source is not None:
        kind, array = _from_array(data, source, dtype, device, copy=False)
        return wrap(array, kind)
    if hasattr(data, "__cuda_array_interface__") or (
        hasattr(data, "__array_interface__") or hasattr(data, "__array__")
    ):
        return as_tensor(_foreign(data), dtype, device)
    return tensor(data, dtype=dtype, device=device)


def _foreign(data: Any) -> Any:
    if hasattr(data, "__cuda_array_interface__"):
        # DLPack, where there is it too, tells the other library which stream will wait.
        if hasattr(data, "__dlpack__"):
            return _from_dlpack(data)
        return resolve("cuda").xp.from_cuda_array(data)
    return _host.asarray(data)


@explained
def asarray(
    obj: Any, *, dtype: DType | None = None, device: AnyDevice = None, copy: bool | None = None,
    requires_grad: bool | None = False,
) -> Tensor:  # fmt: skip
    """As `as_tensor`, or as `tensor` with ``copy=True``; ``copy=False`` refuses to copy."""
    if copy:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            made = tensor(obj, dtype=dtype, device=device)
    else:
        made = as_tensor(obj, dtype, device)
        if copy is False and isinstance(obj, (list, tuple, int, float, complex)):
            raise ValueError("can't alias arbitrary sequence into a tensor")
    return made.requires_grad_() if requires_grad else made


def from_numpy(ndarray: Any) -> Tensor:
    """A tensor over a NumPy array's memory: changes show in both.

    Raises:
        TypeError: it is no NumPy array, or of a dtype that tensors do not have.
        ValueError: negative strides, or foreign byte order.

    >>> import devgrad, numpy
    >>> devgrad.from_numpy(numpy.arange(3))
    tensor([0, 1, 2])
    """
    if not isinstance(ndarray, _host.array_type):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    kind, array = _from_array(ndarray, CPU, None, CPU, copy=False)
    if any(stride < 0 for stride in array.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative "
            "strides are not currently supported. (You can probably work around this by making a "
            "copy of your array  with array.copy().) "
        )
    return wrap(array, kind)


_ON_CUDA = (2, 13)  # DLPack's numbers for CUDA's memory, and for that which the host shares


def _from_dlpack(data: Any, copy: bool | None = None) -> Any:
    """The array of NumPy or CuPy over the memory of another library's array."""
    kind = int(data.__dlpack_device__()[0])
    xp = resolve("cuda").xp if kind in _ON_CUDA else _host
    return xp.from_dlpack(data) if copy is None else xp.from_dlpack(data, copy=copy)


def from_dlpack(
    ext_tensor: Any, *, device: Device | str | None = None, copy: bool | None = None
) -> Tensor:
    """A tensor over the memory of another library's array, through DLPack.

    What either library has started with the memory is done before the other goes on: a CUDA array's
    producer is told our current stream.

    Args:
        ext_tensor: an array with ``__dlpack__``.
        device: where the tensor is to be; elsewhere than the array is a copy.
        copy: True copies in any case; False refuses to.

    Raises:
        TypeError: it offers no DLPack. ValueError: a copy is needed, and ``copy`` is False.

    >>> import devgrad, numpy
    >>> devgrad.from_dlpack(numpy.ones(2))
    tensor([1., 1.], dtype=torch.float64)
    """
    if not hasattr(ext_tensor, "__dlpack_device__"):
        raise TypeError(f"{type(ext_tensor).__name__} has no __dlpack__: it cannot be shared")
    target = None if device is None else resolve(device)
    if isinstance(ext_tensor, Tensor):
        ext_tensor.__dlpack__()  # what refuses to be exported says so
        made = ext_tensor.detach()
    else:
        array = _from_dlpack(ext_tensor)
        made = as_tensor(array, device=device_of_array(array))  # not on the default device
    if target is not None and target is not made.device:
        if copy is False:
            raise ValueError(
                f"cannot move DLPack tensor from device {made.device} to {target} without copying. "
                "Set copy=None or copy=True."
            )
        return made.to(target)
    return made.clone() if copy else made


def frombuffer(
    buffer: Any, *, dtype: DType, count: int = -1, offset: int = 0,
    requires_grad: bool | None = False,
) -> Tensor:  # fmt: skip
    """A 1-dim tensor over the memory of an object with a buffer.

    Raises:
        ValueError: the object offers no buffer, or is too small.
    """
    try:
        size = len(memoryview(buffer).cast("B"))
    except TypeError:
        raise ValueError("object does not implement Python buffer protocol.") from None
    if size <= 0 or count == 0:
        raise ValueError(f"both buffer length ({size}) and count ({count}) must not be 0")
    if not 0 <= offset < size:
        raise ValueError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length "
            f"({size} bytes) minus 1"
        )
    if count > 0 and offset + count * dtype.itemsize > size:
        raise ValueError(
            f"requested buffer length ({count} * {dtype.itemsize} bytes) after offset ({offset} "
            f"bytes) must not be greater than actual buffer length ({size} bytes)"
        )
    if count < 0 and (size - offset) % dtype.itemsize:
        raise ValueError(
            f"buffer length ({size - offset} bytes) after offset ({offset} bytes) must be a "
            f"multiple of element size ({dtype.itemsize})"
        )
    array = _host.frombuffer(buffer, dtype.array_dtype, count, offset)
    return finished(array, CPU.types[dtype.array_dtype], requires_grad)


@explained
def scalar_tensor(
    s: Number,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: AnyDevice = None,
    pin_memory: bool | None = False,
    requires_grad: bool | None = False,
) -> Tensor:
    """A 0-dim tensor of the default dtype."""
    return full(
        (), s, dtype=get_default_dtype() if dtype is None else dtype, device=device,
        requires_grad=requires_grad,
    )  # fmt: skip


# --- the forms of older PyTorch: Tensor([2.0]), FloatTensor(2, 3) --------------------------------


def _legacy(kind: TensorType, args: tuple[Any, ...]) -> Any:
    if not args:
        return fill(kind, (0,), "empty")
    data = args[0]
    if len(args) == 1 and isinstance(data, (bool, float, complex, str, dict, type(None))):
        if isinstance(data, str):
            raise TypeError("new(): invalid data type 'str'")
        raise TypeError(f"new(): data must be a sequence (got {kind_name(data)})")
    if len(args) == 1 and isinstance(data, Tensor):
        if data._type is not kind:
            raise TypeError(
                f"expected TensorOptions(dtype={kind.dtype.title.lower()}, device={kind.device}) "
                f"(got a tensor of dtype {data.dtype} on {data.device})"
            )
        return data._array
    if len(args) == 1 and isinstance(data, Size):
        return fill(kind, tuple(data), "empty")
    if len(args) == 1 and (isinstance(data, (list, tuple)) or device_of_array(data) is not None):
        return tensor(data, dtype=kind.dtype, device=kind.device)._array
    return fill(kind, as_size(args, "new"), "empty")


def _construct(cls: type[Tensor], *args: Any, device: AnyDevice = None) -> Tensor:
    made = object.__new__(cls)
    kind = chosen_type(None, device)
    source = wrap(_legacy(kind, args), kind)
    made._array, made._type, made._edge = source._array, source._type, None
    made._changes, made._view, made._cut = source._changes, None, None
    return made


Tensor._construct = staticmethod(_construct)


class TensorClass:
    """``FloatTensor`` and its kin: ``FloatTensor([1, 2])``, ``isinstance(x, FloatTensor)``."""

    def __init__(self, dtype: DType) -> None:
        self.dtype = dtype
        self.__name__ = f"{dtype.title}Tensor"

    def __call__(self, *args: Any, device: AnyDevice = None) -> Tensor:
        kind = chosen_type(self.dtype, device)
        return wrap(_legacy(kind, args), kind)

    def __instancecheck__(self, x: object) -> bool:
        return isinstance(x, Tensor) and x.dtype is self.dtype

    def __repr__(self) -> str:
        return f"<class 'torch.{self.__name__}'>"


TENSOR_CLASSES = {f"{d.title}Tensor": TensorClass(d) for d in DTYPES.values() if not d.is_complex}


for _name in ("new_tensor", "new"):
    setattr(Tensor, _name, new_method(tensor, _name))
