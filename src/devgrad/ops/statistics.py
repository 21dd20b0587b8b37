"""Statistics: variances and standard deviations, medians, modes, quantiles."""

from __future__ import annotations

import math
import warnings
from typing import Any

from .._tensor import Tensor, constant
from ..device import user_stacklevel
from ._along import (
    check_nonempty,
    check_tensor,
    many_dims,
    moved,
    one_dim,
    put_along,
    reshaped,
    take_along,
)
from ._op import Array, composite, op
from .extremes import even_share
from .norms import magnitude_power
from .reductions import count_of, mean_dim, share_of_mean, spread
from .sorting import argsorted, sort_dim

__all__: list[str] = []


# --- variances ------------------------------------------------------------------------------------


def _moments(xp: Any, x: Any, dims: Any, correction: float) -> tuple[Any, Any]:
    """Variance and mean, with the dimensions kept."""
    wide = x.astype(xp.float32) if x.dtype.itemsize == 2 else x
    count = count_of(x.shape, dims)
    # Taken from one of the elements, so that the variance of equal ones is zero to the last bit:
    # a standard deviation that is nearly zero would have a gradient made of rounding errors.
    first = wide[tuple([slice(1) if i in dims else slice(None) for i in range(x.ndim)])]
    off = xp.subtract(wide, first)
    shift = xp.true_divide(xp.add.reduce(off, axis=dims, keepdims=True), count)
    off -= shift
    mean = first + shift if count else shift
    squares = off.real**2 + off.imag**2 if x.dtype.kind == "c" else xp.multiply(off, off, out=off)
    freedom = max(count - correction, 0)
    variance = xp.true_divide(xp.add.reduce(squares, axis=dims, keepdims=True), freedom)
    return variance, mean


def _finished(x: Any, like: Any, dims: Any, keepdim: bool) -> Any:
    if not keepdim:
        x = x.reshape([n for i, n in enumerate(like.shape) if i not in dims])
    return x.astype(like.dtype) if like.dtype.itemsize == 2 else x


@op(name="var", function=False, method=False)
def _var(xp: Any, input: Array, dims: Any, correction: float, keepdim: bool) -> Array:
    return _finished(_moments(xp, input, dims, correction)[0], input, dims, keepdim)


@op(name="std", function=False, method=False)
def _std(xp: Any, input: Array, dims: Any, correction: float, keepdim: bool) -> Array:
    return _finished(xp.sqrt(_moments(xp, input, dims, correction)[0]), input, dims, keepdim)


@op(name="var_mean", outputs=("var", "mean"), differentiable=2, function=False, method=False)
def _var_mean(xp: Any, input: Array, dims: Any, correction: float, keepdim: bool) -> Any:
    found = _moments(xp, input, dims, correction)
    return [_finished(x, input, dims, keepdim) for x in found]


@op(name="std_mean", outputs=("std", "mean"), differentiable=2, function=False, method=False)
def _std_mean(xp: Any, input: Array, dims: Any, correction: float, keepdim: bool) -> Any:
    variance, mean = _moments(xp, input, dims, correction)
    return [_finished(x, input, dims, keepdim) for x in (xp.sqrt(variance), mean)]


def _per_freedom(shape: Any, dims: Any, correction: float) -> float:
    freedom = count_of(shape, dims) - correction
    return 1 / freedom if freedom > 0 else math.inf


def _var_rule(
    g: Any, input: Any, input_shape: Any, dims: Any, correction: float, keepdim: bool
) -> Any:
    scaled = g * (2 * _per_freedom(input_shape, dims, correction))
    return spread(scaled, input_shape, dims, keepdim) * (input - mean_dim(input, dims, True))


def _std_rule(
    g: Any, input: Any, out: Any, input_shape: Any, dims: Any, correction: float, keepdim: bool
) -> Any:
    # Half of 1/std, and 0 where std is: as PyTorch has it.
    half = magnitude_power(out, -1.0) * 0.5
    return _var_rule(g * half, input, input_shape, dims, correction, keepdim)


def _mean_part(g: Any, shape: Any, dims: Any, keepdim: bool) -> Any:
    return spread(share_of_mean(g, shape, dims), shape, dims, keepdim)


def _pair_rule(first: Any, second: Any) -> Any:
    """The sum of what two outputs' gradients give, either of which may be missing."""
    if first is None:
        return second
    return first if second is None else first + second


_var.vjp(input=_var_rule)
_std.vjp(input=_std_rule)
_var_mean.vjp(
    input=lambda g, input, input_shape, dims, correction, keepdim: _pair_rule(
        None if g[0] is None else _var_rule(g[0], input, input_shape, dims, correction, keepdim),
        None if g[1] is None else _mean_part(g[1], input_shape, dims, keepdim),
    )
)
_std_mean.vjp(
    input=lambda g, input, std, input_shape, dims, correction, keepdim: _pair_rule(
        None
        if g[0] is None
        else _std_rule(g[0], input, std, input_shape, dims, correction, keepdim),
        None if g[1] is None else _mean_part(g[1], input_shape, dims, keepdim),
    )
)


def _spread_of(
    name: str, operation: Any, input: Any, dim: Any, unbiased: Any, keepdim: Any, correction: Any
) -> Any:
    if isinstance(dim, bool):  # var(input, unbiased)
        dim, unbiased = None, dim
    dims = many_dims(name, input, dim, keepdim)
    if input._type.dtype.category < 2:
        who = "std and var" if name in ("std", "var") else name
        raise RuntimeError(
            f"{who} only support floating point and complex dtypes: this tensor is "
            f"{input.dtype}. Convert it first, x.float()"
        )
    if unbiased is not None and correction is not None:
        raise TypeError(f"{name}() takes unbiased= or correction=, not both")
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    shape = input._array.shape
    if count_of(shape, dims) - correction <= 0:
        warnings.warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the "
            "reduction factor (input numel divided by output numel).",
            UserWarning,
            stacklevel=user_stacklevel(),
        )
    return operation.function(input, dims, correction, keepdim)


@composite
def var(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> Tensor:  # fmt: skip
    """The variance of all elements, or over one or several dimensions.

    Args:
        input: floating point or complex; the result is real.
        dim: what to reduce; None and ``()`` mean everything.
        unbiased: divide by n - 1 rather than by n. As ``correction=1`` and ``0``.
        keepdim: keep the reduced dimensions, with size 1.
        correction: divide by n less this; default 1.

    Raises:
        RuntimeError: the dtype is neither.

    >>> import devgrad
    >>> devgrad.var(devgrad.tensor([1.0, 2.0, 3.0]))
    tensor(1.)
    """
    return _spread_of("var", _var, input, dim, unbiased, keepdim, correction)


@composite
def std(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> Tensor:  # fmt: skip
    """The standard deviation: the square root of `var`, with its arguments.

    >>> import devgrad
    >>> devgrad.std(devgrad.tensor([1.0, 3.0]), correction=0)
    tensor(1.)
    """
    return _spread_of("std", _std, input, dim, unbiased, keepdim, correction)


@composite(method=False)
def var_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> Any:  # fmt: skip
    """Variance and mean, as a tuple; the arguments are those of `var`.

    >>> import devgrad
    >>> devgrad.var_mean(devgrad.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))
    """
    return tuple(_spread_of("var_mean", _var_mean, input, dim, unbiased, keepdim, correction))


@composite(method=False)
def std_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> Any:  # fmt: skip
    """Standard deviation and mean, as a tuple; the arguments are those of `var`.

    >>> import devgrad
    >>> devgrad.std_mean(devgrad.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))
    """
    return tuple(_spread_of("std_mean", _std_mean, input, dim, unbiased, keepdim, correction))


# --- medians and modes ----------------------------------------------------------------------------


def _middle(xp: Any, x: Any, dim: int, skip_nan: bool) -> Any:
    """The index, with ``dim`` kept, of the lower middle element along ``dim``."""
    n = x.shape[dim]
    order = argsorted(xp, x, dim)  # NaN comes last
    place = xp.full((*x.shape[:dim], 1, *x.shape[dim + 1 :]), (n - 1) // 2, xp.int64)
    if x.dtype.kind == "f":
        nans = xp.add.reduce(x != x, axis=dim, dtype=xp.int64, keepdims=True)
        if skip_nan:
            place = xp.maximum((n - nans - 1) // 2, 0)
        else:
            place = xp.where(nans > 0, n - nans, place)
    return take_along.forward(xp, order, place, dim, True, False)


def _at_middle(xp: Any, x: Any, dim: int, keepdim: bool, skip_nan: bool) -> Any:
    if not x.ndim:
        return x.copy(), xp.zeros((), xp.int64)
    indices = _middle(xp, x, dim, skip_nan)
    values = take_along.forward(xp, x, indices, dim, True, False)
    if not keepdim:
        place = (slice(None),) * dim + (0,)
        return values[place], indices[place]
    return values, indices


def _middle_of_all(xp: Any, x: Any, skip_nan: bool) -> Any:
    if not x.size:
        return xp.asarray(xp.nan if x.dtype.kind == "f" else xp.iinfo(x.dtype).min, x.dtype)
    flat = x.reshape(-1)
    return flat[_middle(xp, flat, 0, skip_nan)].reshape(())


@op(node="MedianBackward0", function=False, method=False)
def _median_all(xp: Any, input: Array) -> Array:
    return _middle_of_all(xp, input, False)


@op(node="NanmedianBackward0", function=False, method=False)
def _nanmedian_all(xp: Any, input: Array) -> Array:
    return _middle_of_all(xp, input, True)


@op(name="median", node="MedianBackward1", outputs=("values", "indices"),
    function=False, method=False)  # fmt: skip
def _median(xp: Any, input: Array, dim: int, keepdim: bool) -> Any:
    return _at_middle(xp, input, dim, keepdim, False)


@op(name="nanmedian", node="NanmedianBackward1", outputs=("values", "indices"),
    function=False, method=False)  # fmt: skip
def _nanmedian(xp: Any, input: Array, dim: int, keepdim: bool) -> Any:
    return _at_middle(xp, input, dim, keepdim, True)


@op(name="mode", outputs=("values", "indices"), function=False, method=False)
def _mode(xp: Any, input: Array, dim: int, keepdim: bool) -> Any:
    if not input.ndim:
        return input.copy(), xp.zeros((), xp.int64)
    moved = xp.moveaxis(input, dim, -1)
    n = moved.shape[-1]
    order = argsorted(xp, moved, moved.ndim - 1)
    ordered = take_along.forward(xp, moved, order, moved.ndim - 1, True, False)
    # How long the run of equal elements is so far, at each place of the sorted line.
    starts = xp.ones(moved.shape, bool)
    starts[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    places = xp.arange(n)
    length = places - xp.accumulate("maximum", xp.where(starts, places, 0), moved.ndim - 1)
    best = xp.asarray(length.argmax(axis=-1))[..., None]  # the last of the first longest run
    indices = take_along.forward(xp, order, best, moved.ndim - 1, True, False)
    values = take_along.forward(xp, moved, indices, moved.ndim - 1, True, False)
    if keepdim:
        return xp.moveaxis(values, -1, dim), xp.moveaxis(indices, -1, dim)
    return values[..., 0], indices[..., 0]


_median_all.vjp(input=lambda g, input, out: g * even_share(input, out, None))
_nanmedian_all.vjp(input=lambda g, input, out: g * even_share(input, out, None))
for _op in (_median, _nanmedian, _mode):
    _op.vjp(
        input=lambda g, indices, input_shape, dim, keepdim: put_along(
            g, indices, input_shape, dim, keepdim, False
        )
    )


def _median_of(name: str, whole: Any, along: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    check_tensor(name, input)
    kind = input._type.dtype
    if kind.category in (0, 3):
        kernel = "median_cpu" if dim is None else "median_out"
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{kind.title}'")
    if dim is None:
        return whole.function(input)
    dim = one_dim(name, input, dim, keepdim)
    check_nonempty(name, input, (dim,) if input._array.ndim else (), False)
    return along.function(input, dim, keepdim)


@composite
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower middle element; or those along ``dim``, as a named tuple ``(values, indices)``.

    NaN where there is one.

    >>> import devgrad
    >>> devgrad.median(devgrad.tensor([1.0, 4.0, 2.0, 3.0]))
    tensor(2.)
    """
    return _median_of("median", _median_all, _median, input, dim, keepdim)


@composite
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The `median` of the elements that are not NaN.

    >>> import devgrad
    >>> devgrad.nanmedian(devgrad.tensor([1.0, float("nan"), 2.0, 3.0]))
    tensor(2.)
    """
    return _median_of("nanmedian", _nanmedian_all, _nanmedian, input, dim, keepdim)


@composite
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """The commonest element along ``dim`` (the least of several), as ``(values, indices)``.

    Of its places the last is given.

    >>> import devgrad
    >>> devgrad.mode(devgrad.tensor([1, 2, 2, 0])).values
    tensor(2)
    """
    dim = one_dim("mode", input, dim, keepdim)
    check_nonempty("mode", input, (dim,) if input._array.ndim else (), False)
    if input._type.dtype.is_complex:
        raise NotImplementedError(f"\"mode\" not implemented for '{input._type.dtype.title}'")
    return _mode.function(input, dim, keepdim)


# --- quantiles ------------------------------------------------------------------------------------


@op(outputs=("below", "above", "weight"), function=False, method=False)
def _ranks(xp: Any, ordered: Array, q: Array, interpolation: str, skip_nan: bool) -> Any:
    """Between which places of each sorted line the quantiles lie, and how far along."""
    n = ordered.shape[-1]
    nans = xp.add.reduce(ordered != ordered, axis=-1, dtype=xp.int64, keepdims=True)
    if skip_nan:
        rank = q * xp.maximum(n - nans - 1, 0).astype(ordered.dtype)
    else:
        rank = xp.where(nans > 0, xp.asarray(n - 1, q.dtype), q * (n - 1))
    if interpolation == "lower":
        rank = xp.floor(rank)
    elif interpolation == "higher":
        rank = xp.ceil(rank)
    elif interpolation == "nearest":
        rank = xp.rint(rank)
    below = rank.astype(xp.int64)
    weight = rank - below.astype(rank.dtype)
    if interpolation == "midpoint":
        weight = xp.where(weight > 0, xp.asarray(0.5, rank.dtype), xp.zeros((), rank.dtype))
    return below, xp.ceil(rank).astype(xp.int64), weight


@op(function=False, method=False)
def _gaps(xp: Any, ordered: Array, skip_nan: bool) -> Array:
    """How many gaps are between the elements of each sorted line; of a line with NaN, none."""
    n = ordered.shape[-1]
    nans = xp.add.reduce(ordered != ordered, axis=-1, dtype=xp.int64, keepdims=True)
    gaps = xp.maximum(n - nans - 1, 0) if skip_nan else xp.where(nans > 0, 0, n - 1)
    return gaps.astype(ordered.dtype)


@op(node="SqueezeBackward4", function=False, method=False)
def _in_shape(xp: Any, input: Array, shape: Any) -> Array:
    """Quantiles in the shape that is asked for."""
    return input.reshape(shape)


_in_shape.vjp(input=lambda g, input_shape: reshaped(g, input_shape))


def _quantile(
    name: str, input: Any, q: Any, dim: Any, keepdim: bool, interpolation: str, skip_nan: bool
) -> Tensor:
    check_tensor(name, input)
    kind = input._type
    if kind.dtype.name not in ("float32", "float64"):
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype")
    if not input._array.size:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise RuntimeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, "
            f"but got {interpolation}"
        )
    if not isinstance(q, Tensor):
        if not 0 <= q <= 1:
            raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q}")
        q = constant(float(q), kind)
    if q.ndim > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor")
    if q._type.dtype is not kind.dtype:
        raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor")
    if kind.xp.checks_bounds and ((q._array < 0) | (q._array > 1)).any():
        raise RuntimeError(f"{name}() q values must be in the range [0, 1]")
    shape = input._array.shape
    if dim is None:
        line = reshaped.function(input, (input._array.size,))
        kept = [1] * len(shape) if keepdim else []
    else:
        dim = one_dim(name, input, dim, keepdim)
        line = moved.function(input, dim, -1) if shape else reshaped.function(input, (1,))
        kept = [1 if i == dim else n for i, n in enumerate(shape) if keepdim or i != dim]
    last = line.ndim - 1
    ordered = sort_dim.function(line, last, False)[0]
    flat_q = reshaped.function(q.detach(), (-1,))
    below, above, weight = _ranks.function(ordered.detach(), flat_q, interpolation, skip_nan)
    if q.requires_grad and interpolation == "linear":
        # The weight is the fractional part of q times the number of gaps: its derivative is that.
        weight = weight + (reshaped.function(q, (-1,)) - flat_q) * _gaps.function(
            ordered.detach(), skip_nan
        )
    low = take_along.function(ordered, below, last, True, True)
    high = take_along.function(ordered, above, last, True, True)
    found = low + (high - low) * weight if interpolation in ("linear", "midpoint") else low
    if q.ndim == 0:
        return _in_shape.function(found, tuple(kept))
    return _in_shape.function(moved.function(found, -1, 0), (*q.shape, *kept))


@composite
def quantile(
    input: Tensor, q: float | Tensor, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear",
) -> Tensor:  # fmt: skip
    """The ``q``-quantiles of all elements or along ``dim``; NaN where there is one.

    Args:
        input: float32 or float64.
        q: a number between 0 and 1, or a tensor of them, 0- or 1-dimensional; its dimension comes
            first in the result.
        dim: along which dimension; None means all elements.
        keepdim: keep it, with size 1.
        interpolation: between neighbours: linear, lower, higher, midpoint or nearest.

    >>> import devgrad
    >>> devgrad.quantile(devgrad.tensor([1.0, 2.0, 3.0, 4.0]), 0.5)
    tensor(2.5000)
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation, False)


@composite
def nanquantile(
    input: Tensor, q: float | Tensor, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear",
) -> Tensor:  # fmt: skip
    """The `quantile` of the elements that are not NaN.

    >>> import devgrad
    >>> devgrad.nanquantile(devgrad.tensor([1.0, float("nan"), 3.0]), 0.5)
    tensor(2.)
    """
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, True)
