"""Copies: of a tensor, into a tensor, to another dtype or device; and filling."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from .._tensor import Tensor, wrap
from ..autograd._graph import Edge, Node, next_rank
from ..autograd._modes import mode
from ..autograd._provenance import user_line
from ..device import DTYPES, Device, DType, TensorType, resolve
from ._errors import broadcast_mismatch
from ._formula import cast, zeros_like
from ._inplace import bump, check_inplace, replace
from ._layout import is_dense
from ._op import METHODS, Array, composite, op

__all__ = ["clone", "contiguous", "convert"]


# --- copies ---------------------------------------------------------------------------------------


@op
def clone(xp: Any, input: Array, *, memory_format: Any = None) -> Array:
    """A copy, through which gradients flow.

    Args:
        memory_format: ``"contiguous_format"`` lays the copy out in order; otherwise it lies in
            memory as ``input`` does.

    >>> import devgrad
    >>> devgrad.clone(devgrad.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    if (
        memory_format is None or not str(memory_format).endswith("contiguous_format")
    ) and not input.flags.c_contiguous:
        item = input.itemsize
        if is_dense(input.shape, [s // item for s in input.strides]):
            return input.copy("K")
    return input.copy()


clone.vjp(input=lambda g: g)


def contiguous(self: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor itself if its elements lie in memory in order, else a copy in which they do."""
    if self._array.flags.c_contiguous:
        return self
    return clone.function(self, memory_format="contiguous_format")


def _real_of(array: Any, kind: Any) -> Any:
    """``array``, or its real part where ``kind`` is a real dtype's letter: PyTorch warns."""
    if array.dtype.kind == "c" and kind not in "cb":
        warnings.warn(_DISCARDS, UserWarning, stacklevel=2)
        return array.real
    return array


_DISCARDS = "Casting complex values to real discards the imaginary part"


@op(node="torch::autograd::CopyBackwards", function=False, method=False)
def _copy(xp: Any, input: Array, src: Array) -> Array:
    """``src`` in the shape and dtype of ``input``."""
    src = xp.broadcast_to(_real_of(src, input.dtype.kind), input.shape)
    return src if src.dtype is input.dtype else src.astype(input.dtype)


_copy.node_class.__name__ = "CopyBackwards"  # as its type is called, and it itself is not
setattr(_copy.node_class, "name", lambda self: "torch::autograd::CopyBackwards")  # noqa: B010
_copy.vjp(input=lambda g: zeros_like(g), src=lambda g: g)


def _check_shape(name: str, into: Any, src: Any) -> None:
    problem = broadcast_mismatch(into.shape, src.shape)
    if problem:
        raise RuntimeError(
            f"{problem}. {name}() was to put {list(src.shape)} into {list(into.shape)}"
        )
    if src.ndim > into.ndim or any(
        n == 1 != m for n, m in zip(into.shape[into.ndim - src.ndim :], src.shape, strict=True)
    ):
        longer = max(into.shape, src.shape, key=len)
        raise RuntimeError(
            f"output with shape {list(into.shape)} doesn't match the broadcast shape {list(longer)}"
        )


def copy_(self: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """Put the elements of ``src`` into this tensor, cast to its dtype and moved to its device.

    Args:
        src: of this tensor's shape, or of one that broadcasts to it.
        non_blocking: taken for compatibility.

    Returns:
        The tensor itself. The gradient of its former values is zero.

    Raises:
        RuntimeError: ``src`` does not broadcast to this shape; or autograd cannot follow.

    >>> import devgrad
    >>> devgrad.zeros(2).copy_(devgrad.tensor([1, 2]))
    tensor([1., 2.])
    """
    if not isinstance(src, Tensor):
        raise TypeError(
            f"copy_(): argument 'other' (position 1) must be Tensor, not {type(src).__name__}"
        )
    recorded = mode.grad and (self._own_edge() is not None or src._own_edge() is not None)
    into = self._array
    if recorded or self._version is None or self._view is not None or 0 in into.strides:
        check_inplace("copy_", self, recorded)
    if src is self:
        return self
    if into.shape != src._array.shape:
        _check_shape("copy_", into, src._array)
    if src._type.device is not self._type.device:
        src = convert(src, self._type.device.types[src._type.array_dtype])
    if src._version is self._version and src._version is not None:
        src = clone.function(src)  # the memory may overlap
    if recorded and self._type.floating:
        return replace("copy_", self, _copy.function(self, src))
    into[...] = _real_of(src._array, into.dtype.kind)
    bump(self)
    return self


# --- filling --------------------------------------------------------------------------------------


@op(node="FillBackward0")
def fill(xp: Any, input: Array, value: Any) -> Array:
    """A tensor like ``input``, filled with a number."""
    made = xp.empty(input.shape, input.dtype)
    made.fill(value)
    return made


fill.vjp(input=lambda g: zeros_like(g))


@op(node="FillBackward1", function=False, method=False)
def _fill_tensor(xp: Any, input: Array, value: Array) -> Array:
    return xp.broadcast_to(_real_of(value, input.dtype.kind).astype(input.dtype), input.shape)


_fill_tensor.vjp(input=lambda g: zeros_like(g), value=lambda g: g)


_C_NAMES = {"float32": "float", "float64": "double", "int64": "int64_t", "int32": "int"}


def _checked_value(name: str, input: Tensor, value: Any) -> Any:
    if isinstance(value, Tensor):
        if value._array.ndim:
            raise RuntimeError(
                f"{name} only supports 0-dimension value tensor but got tensor with "
                f"{value._array.ndim} dimensions."
            )
        if value._type.device is not input._type.device:
            value = convert(value, input._type.device.types[value._type.array_dtype])
        return value
    if isinstance(value, complex) and not input._type.dtype.is_complex:
        if value.imag:
            name = _C_NAMES.get(input._type.dtype.name, input._type.dtype.name)
            raise RuntimeError(f"value cannot be converted to type {name} without overflow")
        value = value.real
    if not isinstance(value, (int, float, complex)):
        raise TypeError(
            f"{name}(): argument 'value' (position 1) must be Number, not {type(value).__name__}"
        )
    return int(value) if input._type.dtype.category == 1 and isinstance(value, float) else value


def fill_(self: Tensor, value: Any) -> Tensor:
    """Set every element to ``value``, a number or a 0-dim tensor.

    >>> import devgrad
    >>> devgrad.zeros(2).fill_(3)
    tensor([3., 3.])
    """
    value = _checked_value("fill_", self, value)
    by_tensor = isinstance(value, Tensor)
    recorded = mode.grad and (
        self._own_edge() is not None or by_tensor and value._own_edge() is not None
    )
    if recorded or self._version is None or self._view is not None:
        check_inplace("fill_", self, recorded, uniform=True)
    if recorded and self._type.floating:
        filled = (_fill_tensor if by_tensor else fill).function(self, value)
        return replace("fill_", self, filled)
    if by_tensor:
        self._array[...] = _real_of(value._array, self._array.dtype.kind)
    else:
        self._array.fill(value)
    bump(self)
    return self


@op(node="ZeroBackward0", function=False, method=False)
def _zero(xp: Any, input: Array) -> Array:
    return xp.zeros(input.shape, input.dtype)


_zero.vjp(input=lambda g: zeros_like(g))


def zero_(self: Tensor) -> Tensor:
    """Set every element to zero."""
    recorded = mode.grad and self._own_edge() is not None
    if recorded or self._version is None or self._view is not None:
        check_inplace("zero_", self, recorded, uniform=True)
    if recorded:
        return replace("zero_", self, _zero.function(self))
    self._array.fill(0)
    bump(self)
    return self


def _public_fill(input: Tensor, value: Any) -> Tensor:
    """A tensor like ``input``, filled with ``value``, a number or a 0-dim tensor."""
    value = _checked_value("fill", input, value)
    return (_fill_tensor if isinstance(value, Tensor) else fill).function(input, value)


_public_fill.__name__ = "fill"
composite(_public_fill, out=False)


# --- other dtypes and devices ---------------------------------------------------------------------


class Transfer(Node):
    """The node of a copy to another device; the gradient takes the way back."""

    __slots__ = ("source",)
    source: TensorType

    def name(self) -> str:
        return "ToCopyBackward0"

    def vjp(self, g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        return (moved(g, self.tensor_type, self.source),)

    def vjp_on_tensors(self, g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        return (convert(g, self.source),)


def moved(array: Any, source: TensorType, kind: TensorType) -> Any:
    """An array of type ``source`` on the device, and in the dtype, of ``kind``."""
    if array.dtype.kind == "c" and kind.dtype.kind not in "cb":
        array = array.real
    narrowing = kind.dtype.itemsize < array.itemsize
    if narrowing and array.dtype is not kind.array_dtype:  # move the fewer bytes
        array = array.astype(kind.array_dtype)
    if source.device is not kind.device:
        array = kind.xp.from_host(source.xp.to_host(array), kind.device.index)
    if array.dtype is not kind.array_dtype:
        array = array.astype(kind.array_dtype)
    return array


def convert(input: Tensor, kind: TensorType, copy: bool = False) -> Tensor:
    """``input`` on a device and in a dtype; ``input`` itself if it is so and ``copy`` is not asked.

    Recorded as ``ToCopyBackward0``; a conversion to integers or booleans cuts the graph.
    """
    source = input._type
    if source is kind and not copy:
        return input
    if source.dtype.is_complex and kind.dtype.category in (1, 2):
        warnings.warn(_DISCARDS, UserWarning, stacklevel=3)
    if source.device is kind.device and kind.floating:
        return cast.function(input, kind.array_dtype)
    array = moved(input._array, source, kind)
    if array is input._array or source.device is not kind.device and kind.xp is source.xp:
        array = array.copy()
    result = wrap(array, kind)
    edge = input._own_edge() if mode.grad and kind.floating else None
    if edge is not None:
        node = Transfer.__new__(Transfer)
        node.edges = (edge,)
        node.saved = ()
        node.rank = next_rank()
        node.code, node.lasti = user_line()
        node.shape = array.shape
        node.tensor_type = kind
        node.source = source
        result._edge = node
    return result


def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The tensor on another device, or in another dtype: ``x.to("cuda")``, ``x.to(torch.float64)``,
    ``x.to("cuda", torch.float16)``, ``x.to(other)``.

    Args:
        device, dtype, other: what to convert to; what is not named stays.
        non_blocking: taken for compatibility.
        copy: make a copy even if nothing changes.

    Returns:
        The tensor itself if nothing changes. Gradients flow back through the conversion.

    >>> import devgrad
    >>> devgrad.tensor([1, 2]).to(devgrad.float64)
    tensor([1., 2.], dtype=torch.float64)
    """
    if len(args) == 1 and not kwargs:
        target = args[0]
        if target.__class__ is DType:
            source = self._type
            if source.dtype is target:
                return self
            return convert(self, source.device.types[target.array_dtype])
    device, dtype, copy = _wanted(self, args, kwargs)
    return convert(self, device.types[dtype.array_dtype], copy)


def _wanted(x: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, DType, bool]:
    options: dict[str, Any] = {"device": None, "dtype": None, "non_blocking": False, "copy": False,
               "memory_format": None, "other": None}  # fmt: skip
    order = ["device", "dtype", "non_blocking", "copy"]
    if args:
        first = args[0]
        if isinstance(first, Tensor):
            order = ["other", "non_blocking", "copy"]
        elif isinstance(first, DType):
            order = ["dtype", "non_blocking", "copy"]
        elif not (first is None or isinstance(first, (str, int, Device))):
            raise TypeError(
                "to() received an invalid combination of arguments - got "
                f"({type(first).__name__}), but expected a device, a dtype, or a tensor"
            )
    unknown = set(kwargs) - set(options)
    if unknown or len(args) > len(order):
        raise TypeError(f"to() received an invalid combination of arguments: {args}, {kwargs}")
    options.update(zip(order, args, strict=False))
    options.update(kwargs)
    other = options["other"]
    if isinstance(other, Tensor):
        return other._type.device, other._type.dtype, bool(options["copy"])
    dtype = options["dtype"] or x._type.dtype
    if not isinstance(dtype, DType):
        raise TypeError(f"to(): argument 'dtype' must be torch.dtype, not {type(dtype).__name__}")
    device = x._type.device if options["device"] is None else resolve(options["device"])
    return device, dtype, bool(options["copy"])


def type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The name of the tensor's type, ``"torch.FloatTensor"``; with ``dtype``, the tensor in it.

    Args:
        dtype: a dtype, a type's name, or a type such as ``torch.DoubleTensor``.
    """
    if dtype is None:
        return str(self._type)
    if isinstance(dtype, DType):
        return convert(self, self._type.device.types[dtype.array_dtype])
    name = dtype if isinstance(dtype, str) else str(getattr(dtype, "name", dtype))
    for known in DTYPES.values():
        for device, place in (("cpu", "torch"), ("cuda", "torch.cuda")):
            if f"{place}.{known.title}Tensor" in name:
                return convert(self, resolve(device).types[known.array_dtype])
    tensor_dtype = getattr(dtype, "dtype", None)
    if isinstance(tensor_dtype, DType):
        return convert(self, self._type.device.types[tensor_dtype.array_dtype])
    raise ValueError(f"invalid type: '{name}'")


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """The tensor in the dtype, and on the device, of ``other``."""
    return convert(self, other._type)


def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor on the CPU; itself if it is there."""
    return convert(self, resolve("cpu").types[self._type.array_dtype])


def cuda(
    self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None
) -> Tensor:
    """The tensor on a CUDA device; itself if it is there."""
    target = resolve("cuda" if device is None else device)
    return convert(self, target.types[self._type.array_dtype])


def _to_dtype(name: str, dtype: DType) -> Any:
    def method(self: Tensor, memory_format: Any = None) -> Tensor:
        kind = self._type
        return self if kind.dtype is dtype else convert(self, kind.device.types[dtype.array_dtype])

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"The tensor in {dtype}; itself if it is so already."
    return method


METHODS.update({
    name: _to_dtype(name, DTYPES[dtype])
    for name, dtype in {
        "float": "float32", "double": "float64", "half": "float16", "int": "int32",
        "long": "int64", "short": "int16", "char": "int8", "byte": "uint8", "bool": "bool",
        "cfloat": "complex64", "cdouble": "complex128",
    }.items()
})  # fmt: skip
METHODS.update(
    contiguous=contiguous, copy_=copy_, fill_=fill_, zero_=zero_, to=to, type=type,
    type_as=type_as, cpu=cpu, cuda=cuda,
)  # fmt: skip
