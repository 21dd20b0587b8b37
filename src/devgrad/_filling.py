"""Making tensors that are filled by a rule: with one value, with numbers in order, not at all."""

from __future__ import annotations

import warnings
from typing import Any

from ._tensor import Tensor, wrap
from .device import (
    DTYPES,
    DType,
    TensorType,
    dtype_of_number,
    get_default_dtype,
    resolve,
)
from .ops._arguments import (
    as_bool,
    as_dtype,
    as_ints,
    explained,
    kind_name,
    outer_name,
    wrong_argument,
)
from .ops._memory_format import MemoryFormat, laid_out
from .ops._op import AnyDevice, Ints, Number

__all__ = [
    "arange", "empty", "empty_like", "empty_permuted", "empty_strided", "eye", "full", "full_like",
    "linspace", "logspace", "ones", "ones_like", "range", "zeros", "zeros_like",
]  # fmt: skip

# --- what all creation has in common ---------------------------------------------------------


def chosen_type(dtype: Any, device: Any, default: DType | None = None) -> TensorType:
    """The type of a tensor with this ``dtype=`` and ``device=``."""
    chosen = (default or get_default_dtype()) if dtype is None else as_dtype(dtype)
    return resolve(device).types[chosen.array_dtype]


def finished(array: Any, kind: TensorType, requires_grad: Any) -> Tensor:
    """A leaf over ``array``.

    Raises:
        RuntimeError: it is to require grad, and has an integer or bool dtype.
    """
    if requires_grad is not False:
        requires_grad = as_bool("tensor", "requires_grad", requires_grad)
    if requires_grad and not kind.floating:
        raise RuntimeError(
            "Only Tensors of floating point and complex dtype can require gradients: this one "
            f"would have dtype {kind.dtype}. Give dtype=torch.float32, or write 2.0 for 2"
        )
    made = wrap(array, kind)
    if requires_grad:
        made.requires_grad = True
    return made


def as_size(size: tuple[Any, ...], name: str) -> tuple[int, ...]:
    """The shape that ``zeros(2, 3)`` and ``zeros((2, 3))`` both mean.

    Raises:
        TypeError: there is something else than ints. RuntimeError: one is negative.
    """
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    for n in size:
        if n.__class__ is not int:
            if isinstance(n, (tuple, list)):
                raise TypeError(
                    f"{outer_name(name)}(): argument 'size' failed to unpack the object at pos "
                    f'{size.index(n) + 1} with error "type must be tuple of ints,but got '
                    f'{kind_name(n)}"'
                )
            size = as_ints("size", size, outer_name(name), 1)
            break
    if size and min(size) < 0:
        if outer_name(name) == "zeros":  # in words of its own, in PyTorch
            raise RuntimeError(
                f"zeros: Dimension size must be non-negative. It was given {list(size)}"
            )
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {min(size)}: {list(size)}"
        )
    if size and max(size) >= 2**63:
        raise TypeError(
            f"{name}(): argument 'size' failed to unpack the object at pos "
            f'{size.index(max(size)) + 1} with error "Overflow when unpacking long long"'
        )
    return tuple(size)


def one_size(size: Any, name: str) -> tuple[int, ...]:
    """A shape given as one tuple; an int is not taken for one.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(size, (tuple, list)):
        raise wrong_argument(outer_name(name), "size", 1, "tuple of ints", size)
    return as_size((size,), name)


def into(out: Tensor | None, made: Tensor) -> Tensor:
    """``made``, written into ``out`` if there is one."""
    if out is None:
        return made
    from .ops._inplace import write_result

    if not isinstance(out, Tensor):
        raise wrong_argument("out", "out", None, "Tensor", out)
    return write_result(out, made)


def only_strided(name: str, layout: Any) -> None:
    """Refuse layouts other than ``torch.strided``, the only one.

    Raises:
        TypeError: it is another.
    """
    if layout is not None and layout != "strided":
        raise wrong_argument(name, "layout", None, "torch.layout", layout)


# --- filled with one value -------------------------------------------------------------------


def _filled(name: str, how: str) -> Any:
    def make(
        *size: Any, out: Tensor | None = None, dtype: DType | None = None, layout: Any = None,
        device: AnyDevice = None, pin_memory: bool | None = False,
        requires_grad: bool | None = False, **names: Any,
    ) -> Tensor:  # fmt: skip
        if "size" in names:
            size = (names.pop("size"),)
        elif not size:
            raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
        memory_format = names.pop("memory_format", None) if how == "empty" else None
        if names:
            raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(names))}'")
        only_strided(name, layout)
        shape = as_size(size, name)
        kind = chosen_type(dtype, device, None if out is None else out.dtype)
        array = laid_out(kind.xp, fill(kind, shape, how), memory_format)
        return into(out, finished(array, kind, requires_grad))

    what = "unfilled" if how == "empty" else f"filled with {how}"
    make.__doc__ = f"""A tensor of this size, {what}.

    ``{name}(2, 3)`` and ``{name}((2, 3))`` are the same.

    >>> import devgrad
    >>> devgrad.{name}(2, 3).shape
    torch.Size([2, 3])
    """
    return explained(make, name)


def fill(kind: TensorType, shape: tuple[int, ...], how: str) -> Any:
    """An array by ``xp.zeros``, ``xp.ones`` or ``xp.empty``."""
    with _on(kind):
        return getattr(kind.xp, how)(shape, kind.array_dtype)


def _on(kind: TensorType) -> Any:
    return kind.xp.on_device(kind.device.index)


zeros = _filled("zeros", "zeros")
ones = _filled("ones", "ones")
empty = _filled("empty", "empty")


def _full_of(kind: TensorType, shape: tuple[int, ...], value: Any) -> Any:
    if kind.dtype.name == "uint8" and isinstance(value, int) and -255 <= value < 0:
        value += 256  # a negative number wraps around, as in PyTorch
    with _on(kind):
        return kind.xp.full(shape, value, kind.array_dtype)


@explained
def full(
    size: Any, fill_value: Number, *, out: Tensor | None = None, dtype: DType | None = None,
    layout: Any = None, device: AnyDevice = None, requires_grad: bool | None = False,
    pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """A tensor of this size in which every element is ``fill_value``.

    >>> import devgrad
    >>> devgrad.full((2,), 7)
    tensor([7, 7])
    """
    only_strided("full", layout)
    shape = one_size(size, "full")
    kind = chosen_type(dtype, device, dtype_of_number(fill_value))
    return into(out, finished(_full_of(kind, shape, fill_value), kind, requires_grad))


def _like(name: str) -> Any:
    def make(
        input: Tensor, *, dtype: DType | None = None, layout: Any = None, device: AnyDevice = None,
        requires_grad: bool | None = False, memory_format: MemoryFormat | None = None,
        pin_memory: bool | None = False,
    ) -> Tensor:  # fmt: skip
        only_strided(f"{name}_like", layout)
        kind = _type_like(f"{name}_like", input, dtype, device)
        array = laid_out(kind.xp, fill(kind, input._array.shape, name), memory_format, input)
        return finished(array, kind, requires_grad)

    make.__doc__ = f"As `{name}`, with the size, dtype and device of ``input``."
    return explained(make, f"{name}_like")


def _type_like(name: str, input: Any, dtype: Any, device: Any) -> TensorType:
    if not isinstance(input, Tensor):
        raise wrong_argument(name, "input", 1, "Tensor", input)
    return chosen_type(dtype, input.device if device is None else device, input.dtype)


zeros_like = _like("zeros")
ones_like = _like("ones")
empty_like = _like("empty")


@explained
def full_like(
    input: Tensor, fill_value: Number, *, dtype: DType | None = None, device: AnyDevice = None,
    requires_grad: bool | None = False, layout: Any = None,
    memory_format: MemoryFormat | None = None, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """As `full`, with the size, dtype and device of ``input``."""
    only_strided("full_like", layout)
    kind = _type_like("full_like", input, dtype, device)
    array = _full_of(kind, input._array.shape, fill_value)
    return finished(laid_out(kind.xp, array, memory_format, input), kind, requires_grad)


@explained
def empty_strided(
    size: Ints, stride: Ints, *, dtype: DType | None = None, layout: Any = None,
    device: AnyDevice = None,
    requires_grad: bool | None = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """An unfilled tensor with these strides, in elements.

    Raises:
        RuntimeError: there are not as many strides as sizes, or one is negative.
    """
    only_strided("empty_strided", layout)
    kind = chosen_type(dtype, device)
    shape, steps = one_size(size, "empty_strided"), as_ints("stride", stride, "empty_strided")
    if len(steps) != len(shape):
        raise RuntimeError(
            f"dimensionality of sizes ({len(shape)}) must match dimensionality of strides "
            f"({len(steps)})"
        )
    if steps and min(steps) < 0:
        raise RuntimeError(f"empty_strided(): strides must be non-negative, but got {list(steps)}")
    extent = 0 if 0 in shape else 1 + sum([(n - 1) * s for n, s in zip(shape, steps, strict=True)])
    array = kind.xp.strided(fill(kind, (extent,), "empty"), shape, steps, 0)
    return finished(array, kind, requires_grad)


@explained
def empty_permuted(
    size: Ints, physical_layout: Ints, *, dtype: DType | None = None, layout: Any = None,
    device: AnyDevice = None, requires_grad: bool | None = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """An unfilled tensor without gaps, its dimensions in this order in memory.

    Raises:
        RuntimeError: ``physical_layout`` does not name each dimension once.
    """
    shape = one_size(size, "empty_permuted")
    order = as_ints("physical_layout", physical_layout, "empty_permuted")
    if len(order) != len(shape):
        raise RuntimeError(
            f"Number of dimensions in size does not match the length of the physical_layout; i.e. "
            f"len(size) = {len(shape)} is not equal to len(physical_layout) = {len(order)}"
        )
    if set(order) != set(dict(enumerate(order))):
        raise RuntimeError(f"physical_layout names each dimension once, not {list(order)}")
    steps, step = [0] * len(shape), 1
    for d in reversed(order):
        steps[d] = step
        step *= max(shape[d], 1)
    return empty_strided(
        shape, steps, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad
    )


# --- numbers in order ------------------------------------------------------------------------

_ARANGE = ("start", "end", "step")


@explained
def arange(
    *limits: Any, out: Tensor | None = None, dtype: DType | None = None, layout: Any = None,
    device: AnyDevice = None, requires_grad: bool | None = False, pin_memory: bool | None = False,
    **named: Any,
) -> Tensor:  # fmt: skip
    """``arange(end)``, ``arange(start, end, step=1)``: the numbers from ``start`` (0) up to,
    without, ``end``.

    Raises:
        RuntimeError: ``step`` is zero or leads away from ``end``.

    >>> import devgrad
    >>> devgrad.arange(1, 8, 3)
    tensor([1, 4, 7])
    """
    start, end, step = _limits(limits, named)
    integers = all(isinstance(x, int) for x in (start, end, step))
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if not all(abs(x) < float("inf") for x in (start, end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    only_strided("arange", layout)
    kind = chosen_type(dtype, device, DTYPES["int64"] if integers else None)
    if kind.dtype.name == "int64" and not integers:  # PyTorch cuts all three before it counts
        start, end, step = int(start), int(end), int(step)
        integers = True
    count = max(-int(-(end - start) // step) if integers else _ceil((end - start) / step), 0)
    return into(out, finished(_steps(kind, start, step, count), kind, requires_grad))


def _limits(limits: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Start, end and step of `arange`: of one number that is given, it is the end."""
    names = _ARANGE[1:2] if len(limits) == 1 and "end" not in named else _ARANGE
    given = dict(zip(names, limits, strict=False))
    unknown = next((n for n in named if n not in _ARANGE), None)
    if unknown is not None:
        raise TypeError(f"arange() got an unexpected keyword argument '{unknown}'")
    if len(limits) > 3 or "end" not in given | named or given.keys() & named.keys():
        raise TypeError(
            "arange() received an invalid combination of arguments - got "
            f"({', '.join([kind_name(x) for x in limits] + list(named))}), but expected (Number "
            "end), or (Number start, Number end, Number step)"
        )
    given.update(named)
    for position, (name, value) in enumerate(given.items(), 1):
        given[name] = _number("arange", name, position, value)
    return given.get("start", 0), given["end"], given.get("step", 1)


def _number(function: str, parameter: str, position: int, value: Any) -> Any:
    """A Python number, also from a tensor of no dimensions.

    Raises:
        TypeError: it is none.
    """
    if isinstance(value, Tensor) and not value._array.ndim:
        return value.item()
    if value.__class__ not in (int, float, bool, complex):
        if not hasattr(value, "item") or isinstance(value, Tensor) or getattr(value, "ndim", None):
            raise wrong_argument(function, parameter, position, "Number", value)
        return value.item()
    return value


def _ceil(x: float) -> int:
    whole = int(x)
    return whole + (x > whole)


def _steps(kind: TensorType, start: Any, step: Any, count: int) -> Any:
    xp = kind.xp
    with _on(kind):
        wide = "float64" if kind.floating else "int64"
        if not kind.floating:
            start, step = int(start), int(step)
        return (xp.arange(count, dtype=wide) * step + start).astype(kind.array_dtype)


@explained
def range(
    start: Number, end: Number | None = None, step: Number = 1, *, out: Tensor | None = None,
    dtype: DType | None = None, layout: Any = None, device: AnyDevice = None,
    requires_grad: bool | None = False,
) -> Tensor:  # fmt: skip
    """The numbers from ``start`` up to and with ``end``. Deprecated in PyTorch: use `arange`."""
    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior "
        "is inconsistent with Python's range builtin. Instead, use torch.arange, which produces "
        "values in [start, end).",
        UserWarning,
        stacklevel=3,
    )
    if end is None:
        start, end = 0, start
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    kind = chosen_type(dtype, device)
    count = int((end - start) / step) + 1
    return into(out, finished(_steps(kind, start, step, count), kind, requires_grad))


@explained
def linspace(
    start: Any, end: Any, steps: int, *, out: Tensor | None = None, dtype: DType | None = None,
    layout: Any = None, device: AnyDevice = None, requires_grad: bool | None = False,
    pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """``steps`` numbers evenly spaced from ``start`` to ``end``, both included.

    Counted from both ends, in the result's own precision, so that the values are PyTorch's.

    >>> import devgrad
    >>> devgrad.linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    only_strided("linspace", layout)
    start, end = _ends("linspace", start, end, steps)
    kind = chosen_type(dtype, device, complex_if(start, end))
    return into(out, finished(_spaced(kind, start, end, steps), kind, requires_grad))


def _ends(name: str, start: Any, end: Any, steps: int) -> tuple[Any, Any]:
    for word, value in (("start", start), ("end", end)):
        if isinstance(value, Tensor) and value._array.ndim:
            raise RuntimeError(
                f"{name} only supports 0-dimensional start and end tensors, but got {word} with "
                f"{value._array.ndim} dimension(s)."
            )
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    return _number(name, "start", 1, start), _number(name, "end", 2, end)


def complex_if(*numbers: Any) -> DType | None:
    """The default complex dtype if there is a complex one among them, else None."""
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
            start, end = int(start), int(end)
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


@explained
def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, *, out: Tensor | None = None,
    dtype: DType | None = None, device: AnyDevice = None, layout: Any = None,
    requires_grad: bool | None = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """``base`` to the powers of `linspace`'s numbers.

    >>> import devgrad
    >>> devgrad.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    only_strided("logspace", layout)
    start, end = _ends("logspace", start, end, steps)
    kind = chosen_type(dtype, device, complex_if(start, end))
    wide = (
        kind if kind.dtype.itemsize >= 8 and kind.floating else kind.with_dtype(DTYPES["float64"])
    )
    powers = kind.xp.power(
        kind.xp.asarray(base, wide.array_dtype), _spaced(wide, start, end, steps)
    )
    return into(out, finished(powers.astype(kind.array_dtype), kind, requires_grad))


@explained
def eye(
    n: int, m: int | None = None, *, out: Tensor | None = None, dtype: DType | None = None,
    layout: Any = None, device: AnyDevice = None, requires_grad: bool | None = False,
    pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """The matrix with ones on the diagonal, of ``n`` rows and ``m`` (default ``n``) columns."""
    only_strided("eye", layout)
    for name, count in (("n", n), ("m", n if m is None else m)):
        if count < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {count}")
    kind = chosen_type(dtype, device)
    with _on(kind):
        array = kind.xp.eye(n, n if m is None else m, dtype=kind.array_dtype)
    return into(out, finished(array, kind, requires_grad))


# --- methods: as one tensor is, another ------------------------------------------------------


def new_method(make: Any, name: str) -> Any:
    """The method that makes a tensor as ``make`` does, with the dtype and device of another."""
    make = explained(make.__wrapped__, name)

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        kwargs["dtype"] = self.dtype if kwargs.get("dtype") is None else kwargs["dtype"]
        kwargs["device"] = self.device if kwargs.get("device") is None else kwargs["device"]
        made: Tensor = make(*args, **kwargs)
        return made

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"As `{name.removeprefix('new_')}`, with this tensor's dtype and device."
    return method


for _make in (zeros, ones, empty, full, empty_strided):
    setattr(Tensor, f"new_{_make.__name__}", new_method(_make, f"new_{_make.__name__}"))
