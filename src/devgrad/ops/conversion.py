"""Copies: of a tensor, into a tensor, to another dtype or device; and filling."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from .._tensor import Tensor, wrap
from ..autograd._cuts import cut_off
from ..autograd._graph import Edge, Node, next_rank
from ..autograd._modes import mode
from ..autograd._provenance import user_line
from ..device import (
    CPU,
    DTYPES,
    DType,
    TensorType,
    current_device,
    dtype_of_number,
    fetched,
    resolve,
    retyped,
    transferred,
    user_stacklevel,
)
from ._arguments import NUMBERS, explained, wrong_argument
from ._errors import broadcast_mismatch
from ._formula import cast, zeros_like
from ._inplace import bump, check_inplace, replace
from ._layout import is_dense
from ._memory_format import FORMATS, MemoryFormat, follows, laid_out
from ._op import FUNCTIONS, METHODS, AnyDevice, Array, composite, op

__all__ = ["clone", "contiguous", "convert"]


# --- copies ---------------------------------------------------------------------------------------


@op
def clone(xp: Any, input: Array, *, memory_format: MemoryFormat | None = None) -> Array:
    """A copy, through which gradients flow.

    Args:
        memory_format: the order of the dimensions in memory: ``torch.contiguous_format``,
            ``torch.channels_last``; by default (``torch.preserve_format``) as in ``input``.

    >>> import devgrad
    >>> devgrad.clone(devgrad.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    if memory_format is not None and memory_format is not FORMATS["preserve_format"]:
        made = laid_out(xp, input, memory_format)
        return made.copy("K") if made is input else made
    if not input.flags.c_contiguous:
        item = input.itemsize
        if is_dense(input.shape, [s // item for s in input.strides]):
            return input.copy("K")
    return input.copy()


clone.vjp(input=lambda g: g)


def contiguous(
    self: Tensor, *, memory_format: MemoryFormat = FORMATS["contiguous_format"]
) -> Tensor:
    """The tensor itself if its elements lie in memory in order, else a copy in which they do.

    Args:
        memory_format: the order that is meant; ``torch.channels_last`` for images N×C×H×W whose
            channels are to lie side by side.
    """
    if memory_format is FORMATS["contiguous_format"]:
        return self if self._array.flags.c_contiguous else clone.function(
            self, memory_format=memory_format
        )  # fmt: skip
    if memory_format is FORMATS["preserve_format"]:
        raise RuntimeError(
            "preserve memory format is unsupported by the contiguous operator: name an order"
        )
    if not isinstance(memory_format, MemoryFormat):
        raise wrong_argument(
            "contiguous", "memory_format", None, "torch.memory_format", memory_format
        )
    if follows(self._array, memory_format):
        return self
    return clone.function(self, memory_format=memory_format)


def is_contiguous(
    self: Tensor, *, memory_format: MemoryFormat = FORMATS["contiguous_format"]
) -> bool:
    """Whether the elements lie in memory in this order, and without gaps."""
    if memory_format is FORMATS["contiguous_format"]:
        return bool(self._array.flags.c_contiguous)
    if not isinstance(memory_format, MemoryFormat):
        raise wrong_argument(
            "is_contiguous", "memory_format", None, "torch.memory_format", memory_format
        )
    wanted = memory_format.ndim
    return (wanted is None or self._array.ndim == wanted) and follows(self._array, memory_format)


def _real_of(array: Any, kind: Any) -> Any:
    """``array``, or its real part where ``kind`` is a real dtype's letter: PyTorch warns."""
    if array.dtype.kind == "c" and kind not in "cb":
        warnings.warn(_DISCARDS, UserWarning, stacklevel=user_stacklevel())
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


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Put the elements of ``src`` into this tensor, cast to its dtype and moved to its device.

    Args:
        src: a tensor of this shape, or of one that broadcasts to it; or a number.
        non_blocking: do not wait for a copy between a GPU and pinned memory, see `to`.

    Returns:
        The tensor itself. The gradient of its former values is zero.

    Raises:
        RuntimeError: ``src`` does not broadcast to this shape; or autograd cannot follow.

    >>> import devgrad
    >>> devgrad.zeros(2).copy_(devgrad.tensor([1, 2]))
    tensor([1., 2.])
    """
    if not isinstance(src, Tensor):
        if not isinstance(src, NUMBERS):
            raise wrong_argument("copy_", "other", 1, "Tensor", src)
        src = wrap(
            self._type.xp.asarray(src), resolve("cpu").types[dtype_of_number(src).array_dtype]
        )
    if non_blocking.__class__ is not bool:
        raise wrong_argument("copy_", "non_blocking", 2, "bool", non_blocking)
    recorded = mode.grad and (self._own_edge() is not None or src._own_edge() is not None)
    into = self._array
    if recorded or self._changes is None or self._view is not None or 0 in into.strides:
        check_inplace("copy_", self, recorded)
    if src is self:
        return self
    if into.shape != src._array.shape:
        _check_shape("copy_", into, src._array)
    if src._type.device is not self._type.device:
        if non_blocking and not recorded and fetched(src._array, into):
            bump(self)
            return self
        kind = self._type.device.types[src._type.array_dtype]
        src = convert(src, kind, non_blocking=non_blocking and self.is_cuda)
    if src._changes is self._changes and src._changes is not None:
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
    if not isinstance(value, NUMBERS):
        if hasattr(value, "item") and not getattr(value, "ndim", 1):
            value = value.item()  # NumPy's own
        else:
            raise wrong_argument(name, "value", 1, "Number", value)
    if isinstance(value, int) and abs(value) >= 2**63:
        raise ValueError(f"Overflow when unpacking long long: {value} does not fit 64 bits")
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
    if recorded or self._changes is None or self._view is not None:
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
    if recorded or self._changes is None or self._view is not None:
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
        found = moved(g, self.tensor_type, self.source)
        if current_device.use is not None:
            current_device.use(self.source.device)  # for the engine, which may add to it
        return (found,)

    def vjp_on_tensors(self, g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        return (convert(g, self.source),)


def moved(array: Any, source: TensorType, kind: TensorType, non_blocking: bool = False) -> Any:
    """An array of type ``source`` on the device, and in the dtype, of ``kind``."""
    if array.dtype.kind == "c" and kind.dtype.kind not in "cb":
        array = array.real
    narrowing = kind.dtype.itemsize < array.itemsize
    if narrowing and array.dtype is not kind.array_dtype:  # move the fewer bytes
        array = retyped(array, source.device, kind.array_dtype)
    if source.device is not kind.device:
        later = array.dtype is not kind.array_dtype and kind.device is CPU
        array = transferred(array, source.device, kind.device, non_blocking and not later)
    if array.dtype is not kind.array_dtype:
        array = retyped(array, kind.device, kind.array_dtype)
    return array


def convert(
    input: Tensor, kind: TensorType, copy: bool = False, non_blocking: bool = False
) -> Tensor:
    """``input`` on a device and in a dtype; ``input`` itself if it is so and ``copy`` is not asked.

    Recorded as ``ToCopyBackward0``; a conversion to integers or booleans cuts the graph.
    """
    source = input._type
    if source is kind and not copy:
        return input
    if source.dtype.is_complex and kind.dtype.category in (1, 2):
        warnings.warn(_DISCARDS, UserWarning, stacklevel=user_stacklevel())
    if source.device is kind.device and kind.floating:
        return cast.function(input, kind.array_dtype)
    array = moved(input._array, source, kind, non_blocking)
    if array is input._array:
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
    elif input._own_edge() is None:
        result._cut = input._cut
    else:
        result._cut = cut_off("no derivative" if mode.grad else "mode", "to")
    return result


def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The tensor on another device, or in another dtype: ``x.to("cuda")``, ``x.to(torch.float64)``,
    ``x.to("cuda", torch.float16)``, ``x.to(other)``.

    Args:
        device, dtype, other: what to convert to; what is not named stays.
        non_blocking: do not wait for a copy between a GPU and the CPU. A pinned tensor (see
            `pin_memory`) that goes to a GPU must not be changed, and what comes from one must not
            be read, before ``torch.cuda.current_stream().synchronize()``.
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
    if args and isinstance(args[0], Tensor):
        return _to_tensor(self, *args, **kwargs)
    if args and (isinstance(args[0], DType) or args[0] in _PYTHON_TYPES):
        return _to_dtype(self, *args, **kwargs)
    if "other" in kwargs:
        return _to_tensor(self, *args, **kwargs)
    return _to_device(self, *args, **kwargs)


_PYTHON_TYPES = (float, int, bool, complex)


def _explained_to(form: Any) -> Any:
    return explained(form, "to")


def _converted(
    x: Tensor, device: Any, dtype: Any, later: bool, copy: bool, memory_format: MemoryFormat | None
) -> Tensor:
    kind = resolve(x._type.device if device is None else device).types[
        (x._type.dtype if dtype is None else dtype).array_dtype
    ]
    if memory_format is None or memory_format is FORMATS["preserve_format"]:
        return convert(x, kind, copy, later)
    if kind is not x._type:
        x, copy = convert(x, kind), False
    if copy or not follows(x._array, memory_format):
        return clone.function(x, memory_format=memory_format)
    return x


@_explained_to
def _to_tensor(
    self: Tensor, other: Tensor, non_blocking: bool = False, copy: bool = False, *,
    memory_format: MemoryFormat | None = None,
) -> Tensor:  # fmt: skip
    kind = other._type
    return _converted(self, kind.device, kind.dtype, non_blocking, copy, memory_format)


@_explained_to
def _to_dtype(
    self: Tensor, dtype: DType, non_blocking: bool = False, copy: bool = False, *,
    memory_format: MemoryFormat | None = None,
) -> Tensor:  # fmt: skip
    return _converted(self, None, dtype, non_blocking, copy, memory_format)


@_explained_to
def _to_device(
    self: Tensor, device: AnyDevice = None, dtype: DType | None = None,
    non_blocking: bool = False, copy: bool = False, *, memory_format: MemoryFormat | None = None,
) -> Tensor:  # fmt: skip
    return _converted(self, device, dtype, non_blocking, copy, memory_format)


def type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The name of the tensor's type, ``"torch.FloatTensor"``; with ``dtype``, the tensor in it.

    Args:
        dtype: a dtype, a type's name, or a type such as ``torch.DoubleTensor``.
    """
    if dtype is None:
        return str(self._type)
    if isinstance(dtype, DType):
        return convert(self, self._type.device.types[dtype.array_dtype])
    if isinstance(dtype, Tensor) or not (isinstance(dtype, str) or hasattr(dtype, "__name__")):
        raise TypeError("dtype must be a type, str, or dtype object")
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


def cpu(self: Tensor, *, memory_format: MemoryFormat | None = None) -> Tensor:
    """The tensor on the CPU; itself if it is there."""
    return _converted(self, "cpu", None, False, False, memory_format)


def cuda(
    self: Tensor, device: AnyDevice = None, non_blocking: bool = False, *,
    memory_format: MemoryFormat | None = None,
) -> Tensor:  # fmt: skip
    """The tensor on a CUDA device; itself if it is there."""
    return _converted(
        self, "cuda" if device is None else device, None, non_blocking, False, memory_format
    )


def _in_dtype(name: str, dtype: DType) -> Any:
    def method(self: Tensor, *, memory_format: MemoryFormat | None = None) -> Tensor:
        kind = self._type
        if memory_format is not None:
            return _converted(self, None, dtype, False, False, memory_format)
        return self if kind.dtype is dtype else convert(self, kind.device.types[dtype.array_dtype])

    method.__doc__ = f"The tensor in {dtype}; itself if it is so already."
    return explained(method, name)


METHODS.update({
    name: _in_dtype(name, DTYPES[dtype])
    for name, dtype in {
        "float": "float32", "double": "float64", "half": "float16", "int": "int32",
        "long": "int64", "short": "int16", "char": "int8", "byte": "uint8", "bool": "bool",
        "cfloat": "complex64", "cdouble": "complex128",
    }.items()
})  # fmt: skip
METHODS.update(
    contiguous=contiguous, is_contiguous=is_contiguous, copy_=copy_, fill_=fill_, zero_=zero_,
    to=to, type=explained(type),
    type_as=explained(type_as), cpu=explained(cpu), cuda=explained(cuda),
)  # fmt: skip
FUNCTIONS[""]["zero_"] = explained(zero_)
