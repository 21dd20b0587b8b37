"""Pooling whose windows follow from the size of the result, or are random; and its inverse.

The windows of adaptive pooling differ in length by one at most; those of fractional pooling begin
at random places. What the largest elements were is kept as positions in the flattened
image, as in PyTorch; `picked` and `placed` move values from and to such positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from .._tensor import Tensor, wrap
from ..device import draws
from ..device import placed as on_its_device
from ._along import check_tensor
from ._arguments import as_int, wrong_argument
from ._errors import refuse_dtype
from ._formula import zeros_like
from ._op import Array, composite, op
from .reductions import mean_dim
from .views import squeeze, unsqueeze
from .windows import per_dim, spread_sum, window_sum

__all__ = ["picked", "placed"]

Ints = Sequence[int]


def _check_ndim(name: str, input: Any, dims: int, colon: str = "") -> None:
    check_tensor(name, input)
    shape = list(input.shape)
    if len(shape) not in (dims + 1, dims + 2):
        if dims == 1:
            raise RuntimeError(
                f"Expected 2 to 3 dimensions, but got {len(shape)}-dimensional tensor for argument "
                f"#1 'self' (while checking arguments for {name})"
            )
        raise RuntimeError(
            f"{name}(): Expected {dims + 1}D or {dims + 2}D tensor, but got{colon} {shape}"
        )
    for d, n in enumerate(shape):
        if n == 0 and (d or len(shape) == dims + 1):
            raise RuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but "
                f"input has sizes {shape} with dimension {d} being empty"
            )


def _wanted(name: str, input: Tensor, output_size: Any, dims: int) -> tuple[int, ...]:
    """The size of the result; None stands for the input's own."""
    size = input._array.shape[-dims:]
    if hasattr(output_size, "__index__"):
        output_size = (output_size,) * dims
    if not isinstance(output_size, (tuple, list)):
        raise wrong_argument(name, "output_size", 2, "tuple of ints", output_size)
    if len(output_size) != dims:
        raise RuntimeError(f"{name}: output_size must be {dims}, but it is {tuple(output_size)}")
    found = tuple([
        n if m is None else as_int("output_size", m, name)
        for n, m in zip(size, output_size, strict=True)
    ])  # fmt: skip
    if min(found) < 0:
        raise RuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received "
            f"{{{', '.join(map(str, found))}}}"
        )
    return found


def _spans(n: int, m: int) -> list[tuple[int, int]]:
    """Where each of ``m`` windows over ``n`` elements begins and ends."""
    return [(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]


# --- positions in the flattened image -------------------------------------------------------------


@op(node="PickedBackward0", function=False, method=False)
def picked(xp: Any, input: Array, indices: Array, dims: int) -> Array:
    """The elements of ``input`` at positions in its last ``dims`` dimensions, flattened."""
    lead = prod(input.shape[:-dims])
    flat = input.reshape(lead, prod(input.shape[-dims:]))
    rows = xp.arange(lead).reshape(lead, 1)
    return flat[rows, indices.reshape(lead, -1)].reshape(indices.shape)


@op(node="PlacedBackward0", function=False, method=False)
def placed(xp: Any, input: Array, indices: Array, size: Any) -> Array:
    """The adjoint of `picked`: zeros, with each element added at its position."""
    lead, length = prod(input.shape[: -len(size)]), prod(size)
    made = xp.zeros(lead * length, input.dtype)
    if input.size:
        rows = xp.arange(lead).reshape(lead, 1) * length
        places = (indices.reshape(lead, -1) + rows).reshape(-1)
        xp.scatter_add(made, places, xp.ascontiguousarray(input).reshape(-1))
    return made.reshape(*input.shape[: -len(size)], *size)


picked.vjp(input=lambda g, indices, input_shape, dims: placed(g, indices, input_shape[-dims:]))
placed.vjp(input=lambda g, indices, size: picked(g, indices, len(size)))

# --- adaptive: the mean ---------------------------------------------------------------------------


def _uniform(size: Ints, out: Ints) -> tuple[int, ...] | None:
    """The length of all windows, if they are of one length and do not overlap."""
    if any(m == 0 or n % m for n, m in zip(size, out, strict=True)):
        return None
    return tuple([n // m for n, m in zip(size, out, strict=True)])


def _part(axis: int, start: int, stop: int) -> tuple[Any, ...]:
    return (*(slice(None),) * axis, slice(start, stop))


def _adaptive_mean(xp: Any, input: Array, count: Any) -> Array:
    dims = len(count)
    refuse_dtype(input, "iubc", f"adaptive_avg_pool{dims}d")
    x = input.astype("float32") if input.dtype.char == "e" else input
    size = x.shape[-dims:]
    kernel = _uniform(size, count)
    if kernel is not None:
        x = window_sum(xp, x, kernel, kernel, count) / prod(kernel)
        return x.astype(input.dtype) if x.dtype != input.dtype else x
    for axis, m in zip(range(x.ndim - dims, x.ndim), count, strict=True):
        made = xp.empty((*x.shape[:axis], m, *x.shape[axis + 1 :]), x.dtype)
        for i, (start, stop) in enumerate(_spans(x.shape[axis], m)):
            total = xp.add.reduce(x[_part(axis, start, stop)], axis=axis, keepdims=True)
            made[_part(axis, i, i + 1)] = total / (stop - start)
        x = made
    return x.astype(input.dtype) if x.dtype != input.dtype else x


def _adaptive_mean_back(xp: Any, input: Array, size: Any) -> Array:
    dims = len(size)
    g = input.astype("float32") if input.dtype.char == "e" else input
    kernel = _uniform(size, g.shape[-dims:])
    if kernel is not None:
        g = spread_sum(xp, g / prod(kernel), kernel, kernel, size)
        return g.astype(input.dtype) if g.dtype != input.dtype else g
    for axis, n in zip(range(g.ndim - dims, g.ndim), size, strict=True):
        made = xp.zeros((*g.shape[:axis], n, *g.shape[axis + 1 :]), g.dtype)
        for i, (start, stop) in enumerate(_spans(n, g.shape[axis])):
            made[_part(axis, start, stop)] += g[_part(axis, i, i + 1)] / (stop - start)
        g = made
    return g.astype(input.dtype) if g.dtype != input.dtype else g


def _mean_op(dims: int) -> Any:
    title = f"AdaptiveAvgPool{dims}D"
    made = op(_adaptive_mean, name=f"_adaptive_avg_pool{dims}d", node=f"{title}Backward0",
              function=False, method=False)  # fmt: skip
    back = op(_adaptive_mean_back, name=f"_adaptive_avg_pool{dims}d_backward",
              node=f"{title}BackwardBackward0", function=False, method=False)  # fmt: skip
    made.vjp(input=lambda g, input_shape: back(g, input_shape[-dims:]))
    back.vjp(input=lambda g, input_shape: made(g, input_shape[-dims:]))
    return made


_MEAN = {dims: _mean_op(dims) for dims in (2, 3)}

# --- adaptive: the largest ------------------------------------------------------------------------


def _better(value: Array, best: Array) -> Array:
    """Where a later element takes the place of the largest so far; NaN is larger than all."""
    return (value > best) | (value != value)


def _adaptive_largest(xp: Any, input: Array, count: Any) -> tuple[Array, Array]:
    dims = len(count)
    refuse_dtype(input, "iubc", f"adaptive_max_pool{dims}d")
    x, places, inner = input, None, 1
    for axis in reversed(range(x.ndim - dims, x.ndim)):
        n, m = x.shape[axis], count[axis - x.ndim + dims]
        # A shorter window looks at its last element again: it is no better the second time.
        starts = xp.arange(m, dtype="int64") * n // max(m, 1)
        ends = -(-(xp.arange(m, dtype="int64") + 1) * n // max(m, 1))
        reach = max([stop - start for start, stop in _spans(n, m)], default=1)
        best = chosen = None
        for t in range(reach):
            at = xp.minimum(starts + t, ends - 1)
            value = xp.take(x, at, axis=axis)
            place = at.reshape((m,) + (1,) * (x.ndim - 1 - axis)) * inner
            if places is not None:
                place = place + xp.take(places, at, axis=axis)
            if best is None:
                best, chosen = value, place + xp.zeros(value.shape, "int64")
                continue
            better = _better(value, best)
            best = xp.where(better, value, best)
            chosen = xp.where(better, place, chosen)
        x, places, inner = best, chosen, inner * n
    return x, places


def _largest_op(name: str, node: str, forward: Any) -> Any:
    made = op(forward, name=name, node=node, outputs=("out", "indices"), function=False,
              method=False)  # fmt: skip
    made.vjp(
        input=lambda g, indices, input_shape, count: placed(g, indices, input_shape[-len(count) :])
    )
    return made


_LARGEST = {
    dims: _largest_op(
        f"_adaptive_max_pool{dims}d", f"AdaptiveMaxPool{dims}DBackward0", _adaptive_largest
    )
    for dims in (2, 3)
}

# --- fractional -----------------------------------------------------------------------------------


def _random_starts(xp: Any, samples: Array, n: int, m: int, k: int) -> Array:
    """Where the ``m`` windows of length ``k`` begin, for each of ``samples`` in [0, 1)."""
    if m == 1:
        return xp.full((*samples.shape, 1), n - k, "int64")
    # In the samples' own precision, as PyTorch has it: it decides how numbers are rounded.
    step = xp.asarray((n - k) / (m - 1), samples.dtype)
    grid = (xp.arange(m).astype(samples.dtype) + samples[..., None]) * step
    starts = grid.astype("int64") - (samples * step).astype("int64")[..., None]
    starts[..., -1] = n - k
    return starts


def _fractional_largest(
    xp: Any, input: Array, samples: Array, kernel: Any, count: Any
) -> tuple[Array, Array]:
    dims = len(count)
    size = input.shape[-dims:]
    lead = prod(input.shape[:-dims])
    flat = input.reshape(lead, prod(size))
    # PyTorch takes the samples for the last dimension first.
    order = (0, 1, 2) if dims == 3 else (1, 0)
    columns = samples.reshape(lead, dims)
    starts = [
        _random_starts(xp, columns[:, order[d]], size[d], count[d], kernel[d]) for d in range(dims)
    ]
    best: Any = None
    chosen: Any = None
    for number in range(prod(kernel)):
        place: Any = 0
        left, step = number, 1
        for d in reversed(range(dims)):
            left, tap = divmod(left, kernel[d])
            along = (starts[d] + tap) * step
            place = place + along.reshape((lead, *(1,) * d, count[d], *(1,) * (dims - 1 - d)))
            step *= size[d]
        place = place.reshape(lead, prod(count))
        value = xp.take_along_axis(flat, place, axis=1)
        if best is None:
            best, chosen = value, place
            continue
        better = _better(value, best)
        best, chosen = xp.where(better, value, best), xp.where(better, place, chosen)
    shape = (*input.shape[:-dims], *count)
    return best.reshape(shape), chosen.reshape(shape)


_FRACTIONAL = {
    dims: _largest_op(
        f"_fractional_max_pool{dims}d", f"FractionalMaxPool{dims}DBackward0", _fractional_largest
    )
    for dims in (2, 3)
}

# --- the inverse ----------------------------------------------------------------------------------


def _unpooled(xp: Any, input: Array, indices: Array, size: Any) -> Array:
    """Zeros, with each element at its position."""
    lead, length = prod(input.shape[: -len(size)]), prod(size)
    if xp.checks_bounds and indices.size:
        low, high = indices.min(), indices.max()
        if low < 0 or high >= length:
            raise RuntimeError(
                f"Found an invalid max index: {low if low < 0 else high} (output volumes are of "
                f"size {'x'.join(map(str, size))})"
            )
    made = xp.zeros((lead, length), input.dtype)
    rows = xp.arange(lead).reshape(lead, 1)
    made[rows, indices.reshape(lead, -1)] = input.reshape(lead, -1)
    return made.reshape(*input.shape[: -len(size)], *size)


_UNPOOL = {
    dims: op(
        _unpooled,
        name=f"_max_unpool{dims}d",
        node=f"MaxUnpool{dims}DBackward0",
        function=False,
        method=False,
    ).vjp(input=lambda g, indices, size: picked(g, indices, len(size)))
    for dims in (2, 3)
}

# --- the public functions -------------------------------------------------------------------------

_SIZES = {1: "[N, C, L]", 2: "[N, C, H, W]", 3: "[N, C, D, H, W]"}


def _declare_adaptive(dims: int) -> None:
    def avg(input: Tensor, output_size: Any) -> Tensor:
        _check_ndim(avg.__name__, input, dims)
        out = _wanted(avg.__name__, input, output_size, dims)
        if dims == 1:  # as in PyTorch, of one row
            row: Tensor = _MEAN[2].function(unsqueeze.function(input, -2), (1, *out))
            return squeeze(row, -2)
        if prod(out) == 1 and input.is_floating_point():
            axes = tuple(range(input.ndim - dims, input.ndim))
            return mean_dim.function(input, axes, True)
        return _MEAN[dims].function(input, out)

    def largest(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        _check_ndim(f"adaptive_max_pool{dims}d", input, dims, ":")
        out = _wanted(f"adaptive_max_pool{dims}d", input, output_size, dims)
        if dims == 1:
            pair = _LARGEST[2].function(unsqueeze.function(input, -2), (1, *out))
            values, indices = (squeeze(x, -2) for x in pair)
        else:
            values, indices = _LARGEST[dims].function(input, out)
        return (values, indices) if return_indices else values

    def with_indices(input: Tensor, output_size: Any, return_indices: bool = True) -> Any:
        return largest(input, output_size, True)

    def pair(input: Tensor, output_size: Any) -> Any:
        return largest(input, output_size, True)

    text = f"""over the last {dims} dimension(s), in windows that give ``output_size``.

    Args:
        input: ``{_SIZES[dims]}``, or without ``N``; floating point.
        output_size: a number, or one for each dimension; None: as the input's.

    Raises:
        RuntimeError: ``input`` has another number of dimensions, or no elements.

    >>> import devgrad
    >>> x = devgrad.ones(1, {", ".join("4" * dims)})
    >>> devgrad.nn.functional.adaptive_%s_pool{dims}d(x, 2).shape
    torch.Size([1, {", ".join("2" * dims)}])
    """
    avg.__doc__ = "The mean " + text % "avg"
    largest.__doc__ = "The largest element " + text % "max"
    with_indices.__doc__ = pair.__doc__ = (
        f"`adaptive_max_pool{dims}d`, and the positions in the flattened image (int64)."
    )
    avg.__name__ = f"adaptive_avg_pool{dims}d"
    largest.__name__ = pair.__name__ = f"adaptive_max_pool{dims}d"
    with_indices.__name__ = f"adaptive_max_pool{dims}d_with_indices"
    for function in (avg, largest, with_indices, pair):
        function.__qualname__ = function.__name__
    composite(avg, method=False, out=False,
              namespaces=("", "nn.functional") if dims == 1 else ("nn.functional",))  # fmt: skip
    composite(largest, method=False, out=False, namespaces=("nn.functional",))
    composite(with_indices, method=False, out=False, namespaces=("nn.functional",))
    if dims == 1:
        composite(pair, method=False, out=False)


def _declare_fractional(dims: int) -> None:
    name = f"fractional_max_pool{dims}d"

    def pool(
        input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
        return_indices: bool = False, _random_samples: Tensor | None = None,
    ) -> Any:  # fmt: skip
        if output_size is None and output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
        check_tensor(name, input)
        shape = input._array.shape
        if len(shape) not in (dims + 1, dims + 2) or 0 in shape[-dims - 1 :]:
            raise RuntimeError(
                f"{name}(): Expected {dims + 1}D or {dims + 2}D tensor with non-zero size for "
                f"non-batch dimensions, but got {list(shape)}"
            )
        refuse_dtype(input._array, "iubc", f"{name}_out_frame")
        kernel = per_dim(name, "kernel_size", kernel_size, dims)
        if output_size is None:
            ratios = (
                output_ratio if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * dims
            )
            output_size = [int(n * r) for n, r in zip(shape[-dims:], ratios, strict=True)]
        out = per_dim(name, "output_size", output_size, dims)
        titles = ("time", "height", "width")[-dims:]
        for title, n, k, m in zip(titles, shape[-dims:], kernel, out, strict=True):
            if m + k - 1 > n:
                raise RuntimeError(
                    f"{name}(): pool {title} {k} too large relative to input {title} {n}, for an "
                    f"output of {m}"
                )
        if _random_samples is None:
            batch = 1 if len(shape) == dims + 1 else shape[0]
            kind = input._type
            size = (batch, shape[-dims - 1], dims)
            drawn = draws(None, kind).uniform(size, kind.array_dtype)
            _random_samples = wrap(on_its_device(drawn, kind), kind)
        if _random_samples.requires_grad:
            raise RuntimeError(
                f"The function '{name}' is not differentiable with respect to argument "
                "'random_samples'. This input cannot have requires_grad True."
            )
        values, indices = _FRACTIONAL[dims].function(input, _random_samples, kernel, out)
        return (values, indices) if return_indices else values

    def with_indices(
        input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
        return_indices: bool = True, _random_samples: Tensor | None = None,
    ) -> Any:  # fmt: skip
        return pool(input, kernel_size, output_size, output_ratio, True, _random_samples)

    pool.__doc__ = f"""The largest element of windows that begin at random places, overlapping.

    Args:
        input: ``{_SIZES[dims]}``, or without ``N``; floating point.
        kernel_size: of the windows: a number, or one for each dimension.
        output_size, output_ratio: the size of the result, or its ratio to the input's; one of them.
        return_indices: also give the positions in the flattened image (int64).

    Raises:
        ValueError: neither ``output_size`` nor ``output_ratio`` is given.
        RuntimeError: the windows do not fit.

    >>> import devgrad
    >>> x = devgrad.rand(1, 1, {", ".join("8" * dims)})
    >>> devgrad.nn.functional.{name}(x, 2, output_ratio=0.5).shape
    torch.Size([1, 1, {", ".join("4" * dims)}])
    """
    with_indices.__doc__ = f"`{name}`, and the positions in the flattened image (int64)."
    for function, title in ((pool, name), (with_indices, f"{name}_with_indices")):
        function.__name__ = function.__qualname__ = title
        composite(function, method=False, out=False, namespaces=("nn.functional",))


def _unpooled_size(
    name: str, input: Tensor, kernel: Ints, stride: Ints, padding: Ints, output_size: Any
) -> tuple[int, ...]:
    dims = len(kernel)
    default = [
        (n - 1) * s + k - 2 * p
        for n, k, s, p in zip(input._array.shape[-dims:], kernel, stride, padding, strict=True)
    ]
    if output_size is None:
        return tuple(default)
    if len(output_size) == dims + 2:
        output_size = output_size[2:]
    if len(output_size) != dims:
        raise ValueError(
            f"output_size should be a sequence containing {dims} or {dims + 2} elements, but it "
            f"has a length of '{len(output_size)}'"
        )
    for d, (n, wanted, s) in enumerate(zip(default, output_size, stride, strict=True)):
        if not n - s < wanted < n + s:
            raise ValueError(
                f'invalid output_size "{tuple(output_size)}" (dim {d} must be between {n - s} and '
                f"{n + s})"
            )
    return tuple(output_size)


def _declare_unpool(dims: int) -> None:
    name = f"max_unpool{dims}d"

    def unpool(
        input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
        output_size: Any = None,
    ) -> Tensor:  # fmt: skip
        check_tensor(name, input)
        kernel = per_dim(name, "kernel_size", kernel_size, dims)
        steps = kernel if stride is None else per_dim(name, "stride", stride, dims)
        around = per_dim(name, "padding", padding, dims)
        size = _unpooled_size(name, input, kernel, steps, around, output_size)
        if indices.dtype.name != "int64":
            raise RuntimeError(
                f"elements in indices should be type int64 but got: {indices._type.dtype.title}"
            )
        if input.ndim not in (dims + 1, dims + 2):
            raise RuntimeError(
                f"Input to max_unpooling{dims}d should be a {dims + 1}d or {dims + 2}d Tensor, but "
                f"got a tensor with {input.ndim} dimensions."
            )
        if input.shape != indices.shape:
            raise RuntimeError(
                "Expected shape of indices to be same as that of the input tensor "
                f"({list(input.shape)}) but got indices tensor with shape: {list(indices.shape)}"
            )
        if dims == 1:
            rows = (unsqueeze.function(x, -2) for x in (input, indices))
            return squeeze(_UNPOOL[2].function(*rows, (1, *size)), -2)
        found: Tensor = _UNPOOL[dims].function(input, indices, size)
        return found

    unpool.__doc__ = f"""The inverse of `max_pool{dims}d`, as far as there is one: zeros, with each
    element of ``input`` where it was the largest.

    Args:
        input: ``{_SIZES[dims]}``, or without ``N``.
        indices: of the same shape: the positions that max pooling gave.
        kernel_size, stride, padding: of the pooling.
        output_size: of the result, where the pooling could have been of several.

    Raises:
        RuntimeError: shapes differ, or a position lies outside.
        ValueError: ``output_size`` cannot be.

    >>> import devgrad
    >>> x = devgrad.arange({2**dims}.0).reshape(1, {", ".join("2" * dims)})
    >>> largest, at = devgrad.nn.functional.max_pool{dims}d(x, 2, return_indices=True)
    >>> devgrad.nn.functional.{name}(largest, at, 2).sum().item()
    {float(2**dims - 1)}
    """
    unpool.__name__ = unpool.__qualname__ = name
    composite(unpool, method=False, out=False, namespaces=("nn.functional",))


for _dims in (1, 2, 3):
    _declare_adaptive(_dims)
    _declare_unpool(_dims)
    if _dims > 1:
        _declare_fractional(_dims)


@op(name="max_pool2d_with_indices_backward", node="MaxPool2DWithIndicesBackwardBackward0",
    method=False)  # fmt: skip
def max_pool_backward(
    xp: Any, grad_output: Array, input: Array, kernel_size: Any, stride: Any, padding: Any,
    dilation: Any, ceil_mode: bool, indices: Array,
) -> Array:  # fmt: skip
    """The gradient of `nn.functional.max_pool2d` for its ``input``, by the indices it gave."""
    return placed.forward(xp, grad_output, indices, input.shape[-2:])


max_pool_backward.vjp(
    grad_output=lambda g, indices: picked(g, indices, 2), input=lambda g, input: zeros_like(input)
)
