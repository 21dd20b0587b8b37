"""Making tensors: from data, from arrays without a copy, and filled by a rule."""

from __future__ import annotations

import warnings
from typing import Any

from ._tensor import Size, Tensor, wrap
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
)
from .ops._promotion import moved

__all__ = [
    "arange", "as_tensor", "asarray", "empty", "empty_like", "empty_strided", "eye", "from_dlpack",
    "from_numpy", "frombuffer", "full", "full_like", "linspace", "logspace", "ones", "ones_like",
    "range", "scalar_tensor", "tensor", "zeros", "zeros_like",
]  # fmt: skip

_range = range
_host: Any = CPU.xp

_PYTHON_TYPES = {float: "float64", int: "int64", bool: "bool", complex: "complex128"}


def as_dtype(dtype: Any) -> DType:
    """A dtype, also from Python's ``float``, ``int``, ``bool`` and ``complex``."""
    if isinstance(dtype, DType):
        return dtype
    if dtype in _PYTHON_TYPES:
        return DTYPES[_PYTHON_TYPES[dtype]]
    raise TypeError(f"argument 'dtype' must be torch.dtype, not {type(dtype).__name__}")


def _type(dtype: Any, device: Any, default: DType | None = None) -> TensorType:
    chosen = (default or get_default_dtype()) if dtype is None else as_dtype(dtype)
    return resolve(device).types[chosen.array_dtype]


def _finish(array: Any, kind: TensorType, requires_grad: bool) -> Tensor:
    if requires_grad and not kind.floating:
        raise RuntimeError(
            "Only Tensors of floating point and complex dtype can require gradients: this one "
            f"would have dtype {kind.dtype}. Give dtype=torch.float32, or write 2.0 for 2"
        )
    made = wrap(array, kind)
    if requires_grad:
        made.requires_grad = True
    return made


# --- from data --------------------------------------------------------------------------------


def tensor(
    data: Any,
    *,
    dtype: DType | None = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
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
            stacklevel=2,
        )
        kind = _type(dtype, data.device if device is None else device, data.dtype)
        return _finish(_moved(data._array, data._type, kind, copy=True), kind, requires_grad)
    source = device_of_array(data)
    if source is not None:
        kind, array = _from_array(data, source, dtype, device, copy=True)
        return _finish(array, kind, requires_grad)
    array, found = _from_sequence(data)
    kind = _type(dtype, device, found)
    if array.dtype.kind == "c" and not kind.dtype.is_complex:
        raise RuntimeError(f"value cannot be converted to type {kind.dtype} without overflow")
    given, array = array, array.astype(kind.array_dtype)
    if (
        kind.dtype.category == 1
        and given.size
        and (given != array).any()
        and given.dtype.kind in "iu"
    ):
        raise RuntimeError(
            f"value cannot be converted to type {kind.dtype.name} without overflow: "
            f"{kind.dtype} cannot hold all of the values given"
        )
    return _finish(kind.xp.from_host(array, kind.device.index), kind, requires_grad)


def _from_sequence(data: Any) -> tuple[Any, DType]:
    """A host array of nested sequences of numbers, and the dtype that PyTorch gives it."""
    plain, tensors = _without_tensors(data)
    try:
        array = _host.array(plain)
    except ValueError:
        _find_ragged(plain)
        raise
    if array.dtype.kind == "O" or array.dtype.kind == "u" and array.dtype.itemsize == 8:
        first = _first_leaf(plain)
        if isinstance(first, int):
            raise ValueError("Overflow when unpacking long long")
        raise TypeError(f"new(): invalid data type '{type(first).__name__}'")
    if array.dtype.kind in "USMmV":
        raise TypeError("new(): invalid data type 'str'")
    leaf = _first_leaf(plain)
    if array.size and hasattr(leaf, "dtype"):  # NumPy's own scalars keep their dtype
        found = dtype_of_array(array)
        assert found is not None
        return array, found
    if tensors:
        found = dtype_of_array(array)
        assert found is not None
        return array, get_default_dtype() if found.is_floating_point else found
    sample = {"b": True, "i": 1, "u": 1, "f": 1.0, "c": 1j}[array.dtype.kind]
    return array, get_default_dtype() if not array.size else dtype_of_number(sample)


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


def _find_ragged(data: Any, dim: int = 0) -> None:
    if not isinstance(data, (list, tuple)) or not data:
        return
    first = data[0]
    for x in data:
        if isinstance(first, (list, tuple)):
            length = len(x) if isinstance(x, (list, tuple)) else None
            if length is None:
                raise TypeError(f"expected a sequence at dim {dim + 1}, got {type(x).__name__}")
            if length != len(first):
                raise ValueError(
                    f"expected sequence of length {len(first)} at dim {dim + 1} (got {length})"
                )
        elif isinstance(x, (list, tuple)):
            raise TypeError(f"only numbers were expected at dim {dim}, got a sequence")
    for x in data:
        _find_ragged(x, dim + 1)


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
    kind = _type(dtype, source if device is None and source is not CPU else device, own)
    # Equal dtypes need not be the one object that we compare with.
    array = array.view(own.array_dtype) if array.dtype is not own.array_dtype else array
    return kind, _moved(array, source.types[own.array_dtype], kind, copy=copy)


def as_tensor(data: Any, dtype: DType | None = None, device: Any = None) -> Tensor:
    """A tensor of ``data``, without a copy where that is possible: arrays share their memory.

    >>> import devgrad, numpy
    >>> a = numpy.zeros(2)
    >>> devgrad.as_tensor(a)[0] = 1
    >>> float(a[0])
    1.0
    """
    if isinstance(data, Tensor):
        kind = _type(dtype, data.device if device is None else device, data.dtype)
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
        return resolve("cuda").xp.asarray(data)
    return _host.asarray(data)


def asarray(
    obj: Any, *, dtype: DType | None = None, device: Any = None, copy: bool | None = None,
    requires_grad: bool = False,
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


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor over the memory of another library's array, through DLPack.

    Raises:
        TypeError: it offers no DLPack.

    >>> import devgrad, numpy
    >>> devgrad.from_dlpack(numpy.ones(2))
    tensor([1., 1.], dtype=torch.float64)
    """
    if not hasattr(ext_tensor, "__dlpack_device__"):
        raise TypeError(f"{type(ext_tensor).__name__} has no __dlpack__: it cannot be shared")
    kind = int(ext_tensor.__dlpack_device__()[0])
    xp = resolve("cuda").xp if kind == 2 else _host  # 2 is kDLCUDA
    return as_tensor(xp.from_dlpack(ext_tensor))


def frombuffer(
    buffer: Any, *, dtype: DType, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """A 1-dim tensor over the memory of an object with a buffer."""
    array = _host.frombuffer(buffer, dtype.array_dtype, count, offset)
    return _finish(array, CPU.types[dtype.array_dtype], requires_grad)


def scalar_tensor(
    s: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A 0-dim tensor of the default dtype."""
    return tensor(
        s, dtype=get_default_dtype() if dtype is None else dtype, device=device,
        requires_grad=requires_grad,
    )  # fmt: skip


# --- filled ----------------------------------------------------------------------------------


def as_size(size: tuple[Any, ...], name: str) -> tuple[int, ...]:
    """The shape that ``zeros(2, 3)`` and ``zeros((2, 3))`` both mean."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    found = []
    for n in size:
        try:
            found.append(n.__index__())
        except (AttributeError, TypeError):
            raise TypeError(
                f"{name}(): argument 'size' (position 1) must be tuple of ints, not "
                f"{type(n).__name__}"
            ) from None
        if found[-1] < 0:
            raise RuntimeError(
                f"Trying to create tensor with negative dimension {found[-1]}: {list(size)}"
            )
    return tuple(found)


def _into(out: Tensor | None, made: Tensor) -> Tensor:
    if out is None:
        return made
    from .ops._inplace import write_result

    return write_result(out, made)


def _filled(name: str, how: str) -> Any:
    def make(
        *size: Any, out: Tensor | None = None, dtype: DType | None = None, layout: Any = None,
        device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
        memory_format: Any = None, **names: Any,
    ) -> Tensor:  # fmt: skip
        if "size" in names:
            size = (names.pop("size"),)
        if names:
            raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(names))}'")
        shape = as_size(size, name)
        kind = _type(dtype, device, None if out is None else out.dtype)
        made = _finish(_fill(kind, shape, how), kind, requires_grad)
        return _into(out, made)

    make.__name__ = make.__qualname__ = name
    what = "unfilled" if how == "empty" else f"filled with {how}"
    make.__doc__ = f"""A tensor of this size, {what}.

    ``{name}(2, 3)`` and ``{name}((2, 3))`` are the same.

    >>> import devgrad
    >>> devgrad.{name}(2, 3).shape
    torch.Size([2, 3])
    """
    return make


def _fill(kind: TensorType, shape: tuple[int, ...], how: str) -> Any:
    with _on(kind):
        return getattr(kind.xp, how)(shape, kind.array_dtype)


def _on(kind: TensorType) -> Any:
    return kind.xp.on_device(kind.device.index)


zeros = _filled("zeros", "zeros")
ones = _filled("ones", "ones")
empty = _filled("empty", "empty")


def full(
    size: Any, fill_value: Any, *, out: Tensor | None = None, dtype: DType | None = None,
    layout: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor of this size in which every element is ``fill_value``.

    >>> import devgrad
    >>> devgrad.full((2,), 7)
    tensor([7, 7])
    """
    if isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    kind = _type(dtype, device, dtype_of_number(fill_value))
    with _on(kind):
        array = kind.xp.full(as_size((size,), "full"), fill_value, kind.array_dtype)
    return _into(out, _finish(array, kind, requires_grad))


def _like(name: str) -> Any:
    def make(
        input: Tensor, *, dtype: DType | None = None, layout: Any = None, device: Any = None,
        requires_grad: bool = False, memory_format: Any = None, pin_memory: bool = False,
    ) -> Tensor:  # fmt: skip
        if not isinstance(input, Tensor):
            raise TypeError(
                f"{name}_like(): argument 'input' (position 1) must be Tensor, not "
                f"{type(input).__name__}"
            )
        kind = _type(dtype, input.device if device is None else device, input.dtype)
        return _finish(_fill(kind, input._array.shape, name), kind, requires_grad)

    make.__name__ = make.__qualname__ = f"{name}_like"
    make.__doc__ = f"As `{name}`, with the size, dtype and device of ``input``."
    return make


zeros_like = _like("zeros")
ones_like = _like("ones")
empty_like = _like("empty")


def full_like(
    input: Tensor, fill_value: Any, *, dtype: DType | None = None, device: Any = None,
    requires_grad: bool = False, layout: Any = None, memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """As `full`, with the size, dtype and device of ``input``."""
    kind = _type(dtype, input.device if device is None else device, input.dtype)
    return full(
        input.shape, fill_value, dtype=kind.dtype, device=kind.device, requires_grad=requires_grad
    )


def empty_strided(
    size: Any, stride: Any, *, dtype: DType | None = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """An unfilled tensor with these strides, in elements."""
    kind = _type(dtype, device)
    shape = as_size((size,), "empty_strided")
    extent = (
        1 + sum((n - 1) * s for n, s in zip(shape, stride, strict=True)) if 0 not in shape else 0
    )
    array = kind.xp.strided(_fill(kind, (extent,), "empty"), shape, tuple(stride), 0)
    return _finish(array, kind, requires_grad)


# --- ranges ----------------------------------------------------------------------------------


def _number(x: Any) -> Any:
    return x.item() if isinstance(x, Tensor) else x


def arange(
    start: Any = None, end: Any = None, step: Any = 1, *, out: Tensor | None = None,
    dtype: DType | None = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """The numbers from ``start`` up to, without, ``end``.

    Raises:
        RuntimeError: ``step`` is zero or leads away from ``end``.

    >>> import devgrad
    >>> devgrad.arange(1, 8, 3)
    tensor([1, 4, 7])
    """
    if end is None:
        start, end = 0, start
    start, end, step = _number(start), _number(end), _number(step)
    integers = all(isinstance(x, int) for x in (start, end, step))
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    kind = _type(dtype, device, DTYPES["int64"] if integers else None)
    count = max(-int(-(end - start) // step) if integers else _ceil((end - start) / step), 0)
    return _into(out, _finish(_steps(kind, start, step, count), kind, requires_grad))


def _ceil(x: float) -> int:
    whole = int(x)
    return whole + (x > whole)


def _steps(kind: TensorType, start: Any, step: Any, count: int) -> Any:
    xp = kind.xp
    with _on(kind):
        wide = "float64" if kind.floating else "int64"
        return (xp.arange(count, dtype=wide) * step + start).astype(kind.array_dtype)


def range(start: Any = 0, end: Any = None, step: Any = 1, **options: Any) -> Tensor:
    """The numbers from ``start`` up to and with ``end``. Deprecated in PyTorch: use `arange`."""
    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior "
        "is inconsistent with Python's range builtin. Instead, use torch.arange, which produces "
        "values in [start, end).",
        UserWarning,
        stacklevel=2,
    )
    kind = _type(options.pop("dtype", None), options.pop("device", None))
    count = int((end - start) / step) + 1
    return _finish(_steps(kind, start, step, count), kind, options.get("requires_grad", False))


def linspace(
    start: Any, end: Any, steps: int, *, out: Tensor | None = None, dtype: DType | None = None,
    layout: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """``steps`` numbers evenly spaced from ``start`` to ``end``, both included.

    Counted from both ends, in the result's own precision, so that the values are PyTorch's.

    >>> import devgrad
    >>> devgrad.linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    start, end = _number(start), _number(end)
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    kind = _type(dtype, device, _complex_if(start, end))
    array = _spaced(kind, start, end, steps)
    return _into(out, _finish(array, kind, requires_grad))


def _complex_if(*numbers: Any) -> DType | None:
    return (
        get_default_dtype().to_complex() if any(isinstance(n, complex) for n in numbers) else None
    )


def _spaced(kind: TensorType, start: Any, end: Any, steps: int) -> Any:
    xp = kind.xp
    dtype = kind.array_dtype
    with _on(kind):
        if steps == 1:
            return xp.full((1,), start, dtype)
        if not kind.floating:
            step = (end - start) / (steps - 1) if steps else 0.0
            index = xp.arange(steps, dtype="float64")
            low, high = start + step * index, end - step * (steps - 1 - index)
            return xp.where(index < steps // 2, low, high).astype(dtype)
        first, last = xp.asarray(start).astype(dtype), xp.asarray(end).astype(dtype)
        step = (last - first) / xp.asarray(max(steps - 1, 1)).astype(dtype)
        index = xp.arange(steps).astype(dtype)
        back = xp.arange(steps - 1, -1, -1).astype(dtype)
        half = steps // 2
        return xp.concatenate([first + step * index[:half], last - step * back[half:]]).astype(
            dtype
        )


def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, *, out: Tensor | None = None,
    dtype: DType | None = None, device: Any = None, layout: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """``base`` to the powers of `linspace`'s numbers.

    >>> import devgrad
    >>> devgrad.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    start, end = _number(start), _number(end)
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    kind = _type(dtype, device, _complex_if(start, end))
    wide = (
        kind if kind.dtype.itemsize >= 8 and kind.floating else kind.with_dtype(DTYPES["float64"])
    )
    powers = kind.xp.power(
        kind.xp.asarray(base, wide.array_dtype), _spaced(wide, start, end, steps)
    )
    return _into(out, _finish(powers.astype(kind.array_dtype), kind, requires_grad))


def eye(
    n: int, m: int | None = None, *, out: Tensor | None = None, dtype: DType | None = None,
    layout: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """The matrix with ones on the diagonal, of ``n`` rows and ``m`` (default ``n``) columns."""
    if n < 0 or (m is not None and m < 0):
        raise RuntimeError(f"n must be greater or equal to 0, got {n}")
    kind = _type(dtype, device)
    with _on(kind):
        array = kind.xp.eye(n, n if m is None else m, dtype=kind.array_dtype)
    return _into(out, _finish(array, kind, requires_grad))


# --- the forms of older PyTorch: Tensor([2.0]), FloatTensor(2, 3) --------------------------------


def _legacy(kind: TensorType, name: str, args: tuple[Any, ...]) -> Any:
    if not args:
        return _fill(kind, (0,), "empty")
    data = args[0]
    if len(args) == 1 and isinstance(data, Tensor):
        if data._type is not kind:
            raise TypeError(
                f"expected TensorOptions(dtype={kind.dtype.title.lower()}, device={kind.device}) "
                f"(got a tensor of dtype {data.dtype} on {data.device})"
            )
        return data._array
    if len(args) == 1 and isinstance(data, Size):
        return _fill(kind, tuple(data), "empty")
    if len(args) == 1 and (isinstance(data, (list, tuple)) or device_of_array(data) is not None):
        return tensor(data, dtype=kind.dtype, device=kind.device)._array
    if isinstance(data, float):
        raise TypeError(f"new(): data must be a sequence (got {type(data).__name__})")
    return _fill(kind, as_size(args, name), "empty")


def _construct(cls: type[Tensor], *args: Any, device: Any = None) -> Tensor:
    made = object.__new__(cls)
    kind = _type(None, device)
    source = wrap(_legacy(kind, cls.__name__, args), kind)
    made._array, made._type, made._edge = source._array, source._type, None
    made._version, made._view = source._version, None
    return made


Tensor._construct = staticmethod(_construct)


class TensorClass:
    """``FloatTensor`` and its kin: ``FloatTensor([1, 2])``, ``isinstance(x, FloatTensor)``."""

    def __init__(self, dtype: DType) -> None:
        self.dtype = dtype
        self.__name__ = f"{dtype.title}Tensor"

    def __call__(self, *args: Any, device: Any = None) -> Tensor:
        kind = _type(self.dtype, device)
        return wrap(_legacy(kind, self.__name__, args), kind)

    def __instancecheck__(self, x: object) -> bool:
        return isinstance(x, Tensor) and x.dtype is self.dtype

    def __repr__(self) -> str:
        return f"<class 'torch.{self.__name__}'>"


TENSOR_CLASSES = {f"{d.title}Tensor": TensorClass(d) for d in DTYPES.values() if not d.is_complex}


def _new(name: str) -> Any:
    make = globals()[name]

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        kwargs["dtype"] = kwargs.get("dtype") or self.dtype
        kwargs["device"] = self.device if kwargs.get("device") is None else kwargs["device"]
        made: Tensor = make(*args, **kwargs)
        return made

    method.__name__ = method.__qualname__ = f"new_{name}"
    method.__doc__ = f"As `{name}`, with this tensor's dtype and device."
    return method


for _name in ("zeros", "ones", "empty", "full", "tensor", "empty_strided"):
    setattr(Tensor, f"new_{_name}", _new(_name))
Tensor.new = _new("tensor")  # type: ignore[attr-defined]
