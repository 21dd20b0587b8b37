"""Pooling over windows: the largest element, the mean, the p-norm.

Both the maximum and the sum over a window are taken one dimension after the other. For its gradient
max pooling keeps which *tap* of each window was the largest: a small integer, from which PyTorch's
indices are made only where they are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from .._tensor import Tensor
from ..autograd._modes import mode
from ._along import check_tensor
from ._errors import refuse_dtype
from ._op import Array, composite, op
from .rounding import absolute, sign
from .views import squeeze, unsqueeze
from .windows import (
    bordered,
    per_dim,
    pooled_size,
    spread_sum,
    tap_slice,
    taps,
    window_sum,
)

__all__ = ["checked_windows", "largest"]

Ints = Sequence[int]

# --- checks and shapes ----------------------------------------------------------------------------


def _check_numbers(name: str, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> None:
    if name == "max_pool1d":
        for title, (n,) in (("kernel_size", kernel), ("stride", stride)):
            if n <= 0:
                raise RuntimeError(f"{name}() {title} must be greater than zero, but got {n}")
        if padding[0] > kernel[0] / 2:
            raise RuntimeError(
                f"{name}() padding should be at most half of kernel size, but got "
                f"padding={padding[0]} and kernel_size={kernel[0]}"
            )
    if 0 in stride:
        raise RuntimeError(f"stride should not be zero: {name}() was given {stride}")
    if min(kernel) <= 0:
        raise RuntimeError(f"kernel size should be greater than zero, but got {kernel}: {name}()")
    if min(stride) <= 0:
        raise RuntimeError(f"stride should be greater than zero, but got {stride}: {name}()")
    if min(dilation) <= 0:
        raise RuntimeError(f"dilation should be greater than zero, but got {dilation}: {name}()")
    if min(padding) < 0:
        raise RuntimeError(f"pad must be non-negative, but got pad: {min(padding)}")
    for p, k, d in zip(padding, kernel, dilation, strict=True):
        if p > (d * (k - 1) + 1) // 2:
            raise RuntimeError(
                f"pad should be at most half of effective kernel size, but got pad={p}, "
                f"kernel_size={k} and dilation={d}"
            )


def checked_windows(
    name: str, input: Any, dims: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
    ceil_mode: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """Kernel, stride, padding, dilation and number of windows of a pooling, for each dimension.

    Raises:
        RuntimeError: they do not fit together, or not the input.
    """
    check_tensor(name, input)
    kernel = per_dim(name, "kernel_size", kernel_size, dims)
    unset = stride is None or (isinstance(stride, (tuple, list)) and not stride)
    stride = kernel if unset else per_dim(name, "stride", stride, dims)
    padding = per_dim(name, "padding", padding, dims)
    dilation = per_dim(name, "dilation", dilation, dims)
    shape = input._array.shape
    _check_numbers(name, kernel, stride, padding, dilation)
    if len(shape) not in (dims + 1, dims + 2) or 0 in shape[1:]:
        raise RuntimeError(
            f"Expected {dims + 1}D or {dims + 2}D (batch mode) tensor with optional 0 dim "
            f"batch size for input, but got:{list(shape)}: {name}()"
        )
    count = tuple([
        pooled_size(*each, ceil_mode)
        for each in zip(shape[-dims:], kernel, stride, padding, dilation, strict=True)
    ])  # fmt: skip
    if min(count) < 1:
        front = list(shape[:-dims])[-1:]
        before, after = ("x".join(map(str, [*front, *n])) for n in (shape[-dims:], count))
        raise RuntimeError(
            f"Given input size: ({before}). Calculated output size: ({after}). Output size is too "
            "small"
        )
    return kernel, stride, padding, dilation, count


def _borders(
    size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, count: Ints
) -> list[tuple[int, int]]:
    """What to put around the input so that all windows lie inside. (The end may be cut off.)"""
    return [
        (p, max((m - 1) * s + d * (k - 1) + 1 - n - p, 0))
        for n, k, s, p, d, m in zip(size, kernel, stride, padding, dilation, count, strict=True)
    ]


# --- the largest ----------------------------------------------------------------------------------


def _lowest(xp: Any, dtype: Any) -> Any:
    return -xp.inf if dtype.kind == "f" else xp.iinfo(dtype).min


def _along(dim: int, dims: int, part: slice) -> tuple[Any, ...]:
    return (..., part, *(slice(None),) * (dims - 1 - dim))


def _largest_values(
    xp: Any, x: Array, kernel: Ints, stride: Ints, dilation: Ints, count: Ints
) -> Array:
    dims = len(kernel)
    for dim in range(dims):  # rows first: whole rows are compared without gaps
        k, s, d, n = kernel[dim], stride[dim], dilation[dim], count[dim]
        parts = [_along(dim, dims, slice(t * d, t * d + (n - 1) * s + 1, s)) for t in range(k)]
        best = xp.maximum(x[parts[0]], x[parts[1]]) if k > 1 else x[parts[0]]
        for part in parts[2:]:
            xp.maximum(best, x[part], out=best)
        x = best
    return x


def largest(
    xp: Any, x: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, count: Ints,
    nan: bool,
) -> tuple[Array, Array]:  # fmt: skip
    """The largest element of each window of ``x``, and which of the window's taps it lies under.

    Of equal ones the first; of NaNs the last, if ``nan`` says to look for them. ``padding`` is
    what lies at the front of ``x`` already: its elements are never chosen.
    """
    dims, code, inner = len(kernel), None, 1
    small = "uint8" if prod(kernel) <= 255 else "int32"
    for dim in reversed(range(dims)):
        k, s, d, n = kernel[dim], stride[dim], dilation[dim], count[dim]
        best: Any = None
        chosen: Any = None
        for t in range(k):
            part = _along(dim, dims, slice(t * d, t * d + (n - 1) * s + 1, s))
            value = x[part]
            place = t * inner if code is None else code[part] + xp.asarray(t * inner, small)
            if best is None:
                best, chosen = value, None if code is None else place
                continue
            better = xp.greater(value, best)
            if nan:
                better |= value != value
            for o in range(n):
                if o * s >= padding[dim]:
                    break
                if -(-(padding[dim] - o * s) // d) == t:  # all before it lie in the border
                    better[_along(dim, dims, slice(o, o + 1))] = True
            # Places grow from tap to tap, so that a better one is also the larger number.
            step = xp.multiply(better.view("uint8"), xp.asarray(place, small))
            chosen = step if chosen is None else xp.maximum(chosen, step)
            best = xp.maximum(best, value)
        if chosen is None:  # a single tap
            chosen = xp.zeros(best.shape, small)
        x, code, inner = best, chosen, inner * k
    return x, code


def _max_forward(
    xp: Any, input: Array, kernel: Any, stride: Any, padding: Any, dilation: Any, count: Any
) -> tuple[Array, Array]:
    dims = len(kernel)
    refuse_dtype(input, "bc", f"max_pool{dims}d")
    borders = _borders(input.shape[-dims:], kernel, stride, padding, dilation, count)
    x = bordered(xp, input, borders, _lowest(xp, input.dtype))
    floating = input.dtype.kind == "f"
    # NaNs are looked for once, at the end, where looking is cheap: there are seldom any.
    nan = floating and not xp.checks_bounds
    values, code = largest(xp, x, kernel, stride, padding, dilation, count, nan)
    if floating and not nan and values.size:
        least = xp.minimum.reduce(values, axis=None)
        if least != least:
            values, code = largest(xp, x, kernel, stride, padding, dilation, count, True)
    return (xp.ascontiguousarray(values), code) if values.base is not None else (values, code)


@op(name="_max_pool_values", function=False, method=False)
def _max_pool_values(
    xp: Any, input: Array, kernel: Any, stride: Any, padding: Any, dilation: Any, count: Any
) -> Array:
    """Max pooling that nobody will differentiate."""
    dims = len(kernel)
    refuse_dtype(input, "bc", f"max_pool{dims}d")
    borders = _borders(input.shape[-dims:], kernel, stride, padding, dilation, count)
    x = bordered(xp, input, borders, _lowest(xp, input.dtype))
    values = _largest_values(xp, x, kernel, stride, dilation, count)
    return xp.ascontiguousarray(values) if values is x or values.base is not None else values


@op(node="MaxPoolBackwardBackward0", function=False, method=False)
def _under_taps(
    xp: Any, input: Array, code: Array, kernel: Any, stride: Any, padding: Any, dilation: Any
) -> Array:
    """The elements of ``input`` under the given tap of each window."""
    dims = len(kernel)
    count = code.shape[-dims:]
    x = bordered(xp, input, _borders(input.shape[-dims:], kernel, stride, padding, dilation, count))
    found = xp.zeros(code.shape, input.dtype)
    for number, tap in enumerate(taps(kernel)):
        found += xp.masked(x[tap_slice(tap, count, stride, dilation)], code == number)
    return found


@op(node="MaxPoolBackward0", function=False, method=False)
def _to_taps(
    xp: Any, input: Array, code: Array, size: Any, kernel: Any, stride: Any, padding: Any,
    dilation: Any,
) -> Array:  # fmt: skip
    """The adjoint of `_under_taps`: each element added where its window's tap lies."""
    dims = len(kernel)
    count = code.shape[-dims:]
    borders = _borders(size, kernel, stride, padding, dilation, count)
    whole = [n + a + b for n, (a, b) in zip(size, borders, strict=True)]
    separate = all(
        d * (k - 1) < s or m == 1
        for k, s, d, m in zip(kernel, stride, dilation, count, strict=True)
    )
    shape = (*input.shape[:-dims], *whole)
    filled = separate and prod(kernel) * prod(count) == prod(whole)
    made = xp.empty(shape, input.dtype) if filled else xp.zeros(shape, input.dtype)
    for number, tap in enumerate(taps(kernel)):
        part = xp.masked(input, code == number)
        if separate:
            made[tap_slice(tap, count, stride, dilation)] = part
        else:
            made[tap_slice(tap, count, stride, dilation)] += part
    if any(a or b for a, b in borders):
        made = made[(..., *[slice(a, a + n) for n, (a, _) in zip(size, borders, strict=True)])]
    return made


_under_taps.vjp(
    input=lambda g, code, input_shape, kernel, stride, padding, dilation: _to_taps(
        g, code, input_shape[-len(kernel) :], kernel, stride, padding, dilation
    )
)
_to_taps.vjp(
    input=lambda g, code, kernel, stride, padding, dilation: _under_taps(
        g, code, kernel, stride, padding, dilation
    )
)


def _max_op(dims: int) -> Any:
    made = op(
        _max_forward, name=f"_max_pool{dims}d", node=f"MaxPool{dims}DWithIndicesBackward0",
        outputs=("out", "code"), function=False, method=False,
    )  # fmt: skip
    made.vjp(
        input=lambda g, code, input_shape, kernel, stride, padding, dilation: _to_taps(
            g, code, input_shape[-dims:], kernel, stride, padding, dilation
        )
    )
    return made


_MAX = {dims: _max_op(dims) for dims in (2, 3)}


@op(name="_max_pool_indices", function=False, method=False)
def _indices(
    xp: Any, code: Array, size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any
) -> Array:
    """PyTorch's indices: positions in the flattened image."""
    dims = len(kernel)
    left = code.astype("int64")
    found = xp.zeros(code.shape, "int64")
    step = 1
    for dim in reversed(range(dims)):
        n = code.shape[code.ndim - dims + dim]
        first = xp.arange(n, dtype="int64") * stride[dim] - padding[dim]
        first = first.reshape((n,) + (1,) * (dims - 1 - dim))
        found += (first + left % kernel[dim] * dilation[dim]) * step
        left //= kernel[dim]
        step *= size[dim]
    return found


def _max_pool(
    name: str, dims: int, input: Tensor, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
    ceil_mode: bool, return_indices: bool,
) -> Any:  # fmt: skip
    kernel, stride, padding, dilation, count = checked_windows(
        name, input, dims, kernel_size, stride, padding, dilation, ceil_mode
    )
    if not return_indices and not (mode.grad and input.requires_grad):
        return _max_pool_values.function(input, kernel, stride, padding, dilation, count)
    if dims == 1:  # as in PyTorch, of one row
        kernel, stride, dilation, count = ((1, *n) for n in (kernel, stride, dilation, count))
        input, padding = unsqueeze.function(input, -2), (0, *padding)
    out, code = _MAX[max(dims, 2)].function(input, kernel, stride, padding, dilation, count)
    if dims == 1:
        out = squeeze(out, -2)
    if not return_indices:
        return out
    size = input._array.shape[-max(dims, 2) :]
    indices = _indices.function(code, size, kernel, stride, padding, dilation)
    return out, squeeze(indices, -2) if dims == 1 else indices


# --- the mean -------------------------------------------------------------------------------------


def _divisors(
    xp: Any, dtype: Any, size: Ints, kernel: Ints, stride: Ints, padding: Ints, count: Ints,
    count_include_pad: bool, divisor_override: int | None,
) -> Any:  # fmt: skip
    """What the sum over each window is divided by: a number, or one for each window."""
    if divisor_override is not None:
        return divisor_override
    found: Any = 1
    dims = len(kernel)
    for dim, (n, k, s, p, m) in enumerate(zip(size, kernel, stride, padding, count, strict=True)):
        border = p if count_include_pad else 0
        if (m - 1) * s + k - p <= n + border and (border == p):
            found = found * k
            continue
        first = xp.arange(m) * s - p
        last = xp.minimum(first + k, n + p)
        if not count_include_pad:
            first, last = xp.maximum(first, 0), xp.minimum(last, n)
        found = found * (last - first).reshape((m,) + (1,) * (dims - 1 - dim))
    return found if isinstance(found, int) else found.astype(dtype)


def _summable(x: Array) -> Array:
    return x.astype("float32") if x.dtype.char == "e" else x


def _avg_forward(
    xp: Any, input: Array, kernel: Any, stride: Any, padding: Any, count: Any,
    count_include_pad: bool, divisor_override: Any,
) -> Array:  # fmt: skip
    dims = len(kernel)
    refuse_dtype(input, "b", f"avg_pool{dims}d")
    size = input.shape[-dims:]
    borders = _borders(size, kernel, stride, padding, (1,) * dims, count)
    x = bordered(xp, _summable(input), borders)
    total = window_sum(xp, x, kernel, stride, count)
    divisor = _divisors(
        xp, x.dtype, size, kernel, stride, padding, count, count_include_pad, divisor_override
    )
    if total.dtype.kind in "iu":
        quotient = xp.floor_divide(xp.absolute(total), xp.absolute(divisor))
        return (quotient * xp.sign(total) * xp.sign(divisor)).astype(input.dtype)
    return (total / divisor).astype(input.dtype)


def _avg_backward(
    xp: Any, input: Array, size: Any, kernel: Any, stride: Any, padding: Any, count: Any,
    count_include_pad: bool, divisor_override: Any,
) -> Array:  # fmt: skip
    dims = len(kernel)
    g = _summable(input)
    divisor = _divisors(
        xp, g.dtype, size, kernel, stride, padding, count, count_include_pad, divisor_override
    )
    borders = _borders(size, kernel, stride, padding, (1,) * dims, count)
    whole = [n + a + b for n, (a, b) in zip(size, borders, strict=True)]
    made = spread_sum(xp, g / divisor, kernel, stride, whole)
    if any(a or b for a, b in borders):
        made = made[(..., *[slice(a, a + n) for n, (a, _) in zip(size, borders, strict=True)])]
    return made.astype(input.dtype) if made.dtype != input.dtype else made


def _avg_op(dims: int) -> Any:
    title = f"AvgPool{dims}D"
    made = op(_avg_forward, name=f"_avg_pool{dims}d", node=f"{title}Backward0", function=False,
              method=False)  # fmt: skip
    back = op(_avg_backward, name=f"_avg_pool{dims}d_backward", node=f"{title}BackwardBackward0",
              function=False, method=False)  # fmt: skip
    made.vjp(
        input=lambda g, input_shape, kernel, stride, padding, count, count_include_pad,
        divisor_override: back(
            g, input_shape[-dims:], kernel, stride, padding, count, count_include_pad,
            divisor_override,
        )
    )  # fmt: skip
    back.vjp(
        input=lambda g, kernel, stride, padding, count, count_include_pad, divisor_override: made(
            g, kernel, stride, padding, count, count_include_pad, divisor_override
        )
    )
    return made


_AVG = {dims: _avg_op(dims) for dims in (2, 3)}


def _avg_pool(
    name: str, dims: int, input: Tensor, kernel_size: Any, stride: Any, padding: Any,
    ceil_mode: bool, count_include_pad: bool, divisor_override: int | None,
) -> Tensor:  # fmt: skip
    kernel, stride, padding, _, count = checked_windows(
        name, input, dims, kernel_size, stride, padding, 1, ceil_mode
    )
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    if dims == 1:
        kernel, stride, count = ((1, *n) for n in (kernel, stride, count))
        input, padding = unsqueeze.function(input, -2), (0, *padding)
    found: Tensor = _AVG[max(dims, 2)].function(
        input, kernel, stride, padding, count, count_include_pad, divisor_override
    )
    return squeeze(found, -2) if dims == 1 else found


# --- the public functions -------------------------------------------------------------------------

_SIZES = {1: "[N, C, L]", 2: "[N, C, H, W]", 3: "[N, C, D, H, W]"}


def _declare_max(dims: int) -> None:
    name = f"max_pool{dims}d"

    def pool(
        input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
        ceil_mode: bool = False, return_indices: bool = False,
    ) -> Any:  # fmt: skip
        return _max_pool(name, dims, input, kernel_size, stride, padding, dilation, ceil_mode,
                         return_indices)  # fmt: skip

    def with_indices(
        input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
        ceil_mode: bool = False, return_indices: bool = True,
    ) -> Any:  # fmt: skip
        return _max_pool(name, dims, input, kernel_size, stride, padding, dilation, ceil_mode, True)

    pool.__doc__ = f"""The largest element of each window over the last {dims} dimension(s).

    Args:
        input: ``{_SIZES[dims]}``, or without ``N``.
        kernel_size, stride, padding, dilation: a number, or one for each dimension; the default
            of ``stride`` is ``kernel_size``. What ``padding`` adds is never the largest.
        ceil_mode: also take the windows that reach over the end.
        return_indices: also give the positions of the largest in the flattened image (int64).
            Of equal elements it is the first; NaN counts as larger than all.

    Raises:
        RuntimeError: the windows do not fit together or not the input.

    >>> import devgrad
    >>> x = devgrad.arange({4**dims}.0).reshape(1, {", ".join("4" * dims)})
    >>> devgrad.max_pool{dims}d(x, 4).item()
    {4**dims - 1}.0
    """
    with_indices.__doc__ = f"`max_pool{dims}d`, and the indices of the largest."
    for function, title in ((pool, name), (with_indices, f"{name}_with_indices")):
        function.__name__ = function.__qualname__ = title
        spaces = ("nn.functional",) if title.endswith("indices") and dims > 1 else (
            "", "nn.functional")  # fmt: skip
        composite(function, method=False, out=False, namespaces=spaces)


def _declare_avg(dims: int) -> None:
    name = f"avg_pool{dims}d"

    def pool(
        input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
        ceil_mode: bool = False, count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Tensor:  # fmt: skip
        return _avg_pool(name, dims, input, kernel_size, stride, padding, ceil_mode,
                         count_include_pad, divisor_override)  # fmt: skip

    def pool1(
        input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
        ceil_mode: bool = False, count_include_pad: bool = True,
    ) -> Tensor:  # fmt: skip
        return pool(input, kernel_size, stride, padding, ceil_mode, count_include_pad)

    public: Any = pool1 if dims == 1 else pool
    public.__doc__ = f"""The mean of each window over the last {dims} dimension(s).

    Args:
        input: ``{_SIZES[dims]}``, or without ``N``. Means of integers are rounded to zero.
        kernel_size, stride, padding: a number, or one for each dimension; the default of
            ``stride`` is ``kernel_size``.
        ceil_mode: also take the windows that reach over the end.
        count_include_pad: whether the zeros of ``padding`` count.
        divisor_override: divide the sums by this number (not in one dimension).

    Raises:
        RuntimeError: the windows do not fit together or not the input.

    >>> import devgrad
    >>> x = devgrad.arange({4**dims}.0).reshape(1, {", ".join("4" * dims)})
    >>> devgrad.nn.functional.avg_pool{dims}d(x, 4).item()
    {(4**dims - 1) / 2}
    """
    public.__name__ = public.__qualname__ = name
    spaces = ("", "nn.functional") if dims == 1 else ("nn.functional",)
    composite(public, method=False, out=dims > 1, namespaces=spaces)


def _declare_lp(dims: int) -> None:
    name = f"lp_pool{dims}d"

    def pool(
        input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None,
        ceil_mode: bool = False,
    ) -> Tensor:  # fmt: skip
        kernel = per_dim(name, "kernel_size", kernel_size, dims)
        mean = _avg_pool(name, dims, input**norm_type, kernel, stride, 0, ceil_mode, True, None)
        total = sign.function(mean) * absolute.function(mean) * prod(kernel)
        found: Tensor = pow(total, 1.0 / norm_type)
        return found

    pool.__doc__ = f"""The p-norm of each window over the last {dims} dimension(s).

    Args:
        input: ``{_SIZES[dims]}``, or without ``N``.
        norm_type: p. kernel_size, stride, ceil_mode: as for `avg_pool{dims}d`.

    Raises:
        RuntimeError: the windows do not fit the input.

    >>> import devgrad
    >>> devgrad.nn.functional.lp_pool{dims}d(devgrad.ones(1, {", ".join("4" * dims)}), 2, 4).item()
    {float(2**dims)}
    """
    pool.__name__ = pool.__qualname__ = name
    composite(pool, method=False, out=False, namespaces=("nn.functional",))


for _dims in (1, 2, 3):
    _declare_max(_dims)
    _declare_avg(_dims)
    _declare_lp(_dims)
