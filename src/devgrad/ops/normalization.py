"""Normalisation: to mean 0 and variance 1 over some dimensions, then a scale and a shift.

Layer, batch, group and instance normalisation are one operation, `standardize`; they differ in the
dimensions that their statistics are taken over (a `Layout`). With ``x^ = (x - mean) * r``, where
``r = 1 / sqrt(var + eps)``, over n elements, its derivative is ``r * P(g * weight)`` with

    P(v) = v - mean(v) - x^ * mean(v * x^)

which takes away what moves mean and variance. P is its own transpose; without centring (root mean
square normalisation) it lacks ``mean(v)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from .._tensor import Tensor
from ._along import reshaped
from ._errors import refuse_dtype
from ._formula import cast, sum_to
from ._functional import FUNCTIONAL
from ._inplace import bump
from ._op import FUNCTIONS, Array, composite, op
from .elementwise import rsqrt
from .reductions import count_of, mean_dim

__all__: list[str] = []


class Layout(NamedTuple):
    """Over which dimensions a tensor is normalised.

    Attributes:
        view: the shape in which the dimensions are counted.
        dims: the statistics are taken over these.
        place: the shape in which scale and shift broadcast to ``view``.
        eps: added to the variance.
        centred: whether the mean is taken away.
    """

    view: tuple[int, ...]
    dims: tuple[int, ...]
    place: tuple[int, ...]
    eps: float
    centred: bool = True


def _wide(xp: Any, x: Any, view: Any) -> Any:
    x = x.reshape(view)
    return x.astype(xp.float32) if x.dtype.itemsize == 2 else x


def _blocks(xp: Any, layout: Layout) -> Any:
    """Slices of the first dimension, if each has statistics of its own."""
    return (slice(None),) if 0 in layout.dims else xp.row_blocks(layout.view)


def _standardize(
    xp: Any, input: Array, weight: Array | None, bias: Array | None, layout: Layout
) -> Any:
    refuse_dtype(input, "biuc", "LayerNormKernelImpl")
    view, dims, place, eps, centred = layout
    x = _wide(xp, input, view)
    count = count_of(view, dims)
    kept = tuple([1 if i in dims else n for i, n in enumerate(view)])
    result = xp.empty(view, x.dtype)
    mean, r, var = (xp.zeros(kept, x.dtype) for _ in range(3))
    for block in _blocks(xp, layout) if x.size else ():
        part = x[block]
        if centred:
            mean[block] = xp.sums(part, dims) / count
            part = xp.subtract(part, mean[block], out=result[block])
        var[block] = xp.sum_of_products(part, part, dims) / count
        r[block] = 1 / xp.sqrt(var[block] + eps)
        part = xp.multiply(part, r[block], out=result[block])
        if weight is not None:
            part *= weight.reshape(place)
        if bias is not None:
            part += bias.reshape(place)
    result = result.reshape(input.shape)
    return (result if x.dtype == input.dtype else result.astype(input.dtype)), mean, r, var


@op(function=False, method=False)
def standardize_backward(
    xp: Any, grad_output: Array, input: Array, weight: Array | None, mean: Array, r: Array,
    layout: Layout,
) -> Array:  # fmt: skip
    """``r * P(grad_output * weight)``. ``mean`` and ``r`` are those of ``input``."""
    view, dims, place, _, centred = layout
    x, g = _wide(xp, input, view), _wide(xp, grad_output, view)
    count = count_of(view, dims)
    result = xp.empty(view, x.dtype)
    for block in _blocks(xp, layout) if x.size else ():
        h = g[block] if weight is None else g[block] * weight.reshape(place)
        part, scale = result[block], r[block]
        if centred:
            c = xp.subtract(x[block], mean[block], out=part)
        else:
            c = x[block]  # c * scale is x^
        slope = xp.sum_of_products(h, c, dims) * (scale * scale / -count)
        part = xp.multiply(c, slope, out=part)
        part += h
        if centred:
            part -= xp.sums(h, dims) / count
        part *= scale
    return result.reshape(input.shape)


@op(function=False, method=False)
def standardize_weight_backward(
    xp: Any, grad_output: Array, input: Array, mean: Array, r: Array, layout: Layout, shape: Any
) -> Array:
    """``grad_output * x^``, summed to the shape of the scale."""
    view, _, place, _, centred = layout
    x, g = _wide(xp, input, view), _wide(xp, grad_output, view)
    front = len(view) - len(place)
    axes = (*range(front), *[i + front for i, n in enumerate(place) if n == 1])
    total = xp.zeros(place, x.dtype)
    for block in _blocks(xp, layout) if x.size else ():
        unit = x[block] - mean[block] if centred else x[block]
        unit = unit * r[block]
        total += xp.sum_of_products(g[block], unit, axes).reshape(place)
    return total.reshape(shape)


def _project(v: Any, unit: Any, layout: Layout) -> Any:
    """P of the module's text."""
    result = v - unit * mean_dim(v * unit, layout.dims, True)
    return result - mean_dim(v, layout.dims, True) if layout.centred else result


def _second(g: Any, grad_output: Any, input: Any, weight: Any, layout: Layout) -> Any:
    """The gradient of `standardize_backward` for ``input``."""
    view, dims, place, eps, centred = layout
    x, v, h = reshaped(input, view), reshaped(g, view), reshaped(grad_output, view)
    if weight is not None:
        h = h * reshaped(weight, place)
    if centred:
        x = x - mean_dim(x, dims, True)
    r = rsqrt(mean_dim(x * x, dims, True) + eps)
    unit = x * r
    projected = _project(h, unit, layout)
    total = (
        unit * mean_dim(v * projected, dims, True)
        + _project(v, unit, layout) * mean_dim(h * unit, dims, True)
        + projected * mean_dim(v * unit, dims, True)
    )
    return reshaped(total * -(r * r), input.shape)


def _scaled(x: Any, weight: Any, layout: Layout) -> Any:
    if weight is None:
        return x
    return reshaped(reshaped(x, layout.view) * reshaped(weight, layout.place), x.shape)


def _shift_gradient(g: Any, layout: Layout, shape: Any) -> Any:
    return reshaped(sum_to(reshaped(g, layout.view), layout.place), shape)


def _declare(name: str, node: str) -> Any:
    declared = op(
        name=name, node=node, outputs=("out", "mean", "r", "var"), function=False, method=False
    )(_standardize)
    return declared.vjp(
        input=lambda g, input, weight, mean, r, layout: standardize_backward(
            g, input, weight, mean, r, layout
        ),
        weight=lambda g, input, mean, r, layout, weight_shape: standardize_weight_backward(
            g, input, mean, r, layout, weight_shape
        ),
        bias=lambda g, layout, bias_shape: _shift_gradient(g, layout, bias_shape),
    )


_layer = _declare("native_layer_norm", "NativeLayerNormBackward0")
_batch = _declare("native_batch_norm", "NativeBatchNormBackward0")
_group = _declare("native_group_norm", "NativeGroupNormBackward0")
_root_mean_square = _declare("rms_norm", "FusedRmsNormBackward0")

standardize_backward.vjp(
    grad_output=lambda g, input, weight, mean, r, layout: _scaled(
        standardize_backward(g, input, None, mean, r, layout), weight, layout
    ),
    input=lambda g, grad_output, input, weight, layout: _second(
        g, grad_output, input, weight, layout
    ),
    weight=lambda g, grad_output, input, weight, mean, r, layout: _weight_share(
        grad_output * standardize_backward(g, input, None, mean, r, layout), weight, layout
    ),
)


def _weight_share(product: Any, weight: Any, layout: Layout) -> Any:
    return _shift_gradient(product, layout, weight.shape)


standardize_weight_backward.vjp(
    grad_output=lambda g, input, layout: _scaled(
        _layer(input, None, None, layout)[0], g, layout
    ),
    input=lambda g, grad_output, input, mean, r, layout: standardize_backward(
        _scaled(grad_output, g, layout), input, None, mean, r, layout
    ),
)


# --- layer and root mean square normalisation -----------------------------------------------------


def _rows(
    name: str, input: Tensor, normalized_shape: Any, eps: float, centred: bool,
    **parameters: Tensor | None,
) -> Layout:  # fmt: skip
    """The layout of a normalisation over the last dimensions.

    Raises:
        RuntimeError: the shapes do not fit.
    """
    if isinstance(normalized_shape, int):
        normalized_shape = (normalized_shape,)
    last, shape = tuple(normalized_shape), input._array.shape
    if not last:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
            "element, but got normalized_shape = []"
        )
    for title, parameter in parameters.items():
        if parameter is not None and parameter._array.shape != last:
            raise RuntimeError(
                f"Expected {title} to be of same shape as normalized_shape, but got {title} of "
                f"shape {list(parameter.shape)} and normalized_shape = {list(last)}"
            )
    front = len(shape) - len(last)
    if front < 0 or shape[front:] != last:
        wanted = "".join(f", {n}" for n in last)
        raise RuntimeError(
            f"Given normalized_shape={list(last)}, expected input with shape [*{wanted}], but got "
            f"input of size{list(shape)}"
        )
    # At least one leading dimension: blocks are taken along it.
    view = shape if front else (1, *shape)
    first = len(view) - len(last)
    return Layout(view, tuple(range(first, len(view))), last, eps, centred)


@composite(method=False, out=False)
def native_layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None, bias: Tensor | None,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """`nn.functional.layer_norm`, with the means and the reciprocal deviations.

    >>> import devgrad
    >>> x = devgrad.tensor([[1.0, 3.0]])
    >>> devgrad.native_layer_norm(x, (2,), None, None, 0.0)
    (tensor([[-1.,  1.]]), tensor([[2.]]), tensor([[1.]]))
    """
    layout = _rows("layer_norm", input, normalized_shape, eps, True, weight=weight, bias=bias)
    out, mean, r, _ = _layer.function(input, weight, bias, layout)
    shape = [1 if i in layout.dims else n for i, n in enumerate(layout.view)]
    shape = shape[len(layout.view) - input.ndim :]
    return out, _as(mean, input).reshape(shape), _as(r, input).reshape(shape)


def _as(x: Tensor, other: Tensor) -> Tensor:
    """``x`` in the dtype of ``other``: statistics of halves are floats."""
    return x if x._type is other._type else cast.function(x, other._type.array_dtype)


@composite(method=False, out=False, namespaces=("", "nn.functional"))
def layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
    bias: Tensor | None = None, eps: float = 1e-5, cudnn_enable: bool = True,
) -> Tensor:  # fmt: skip
    """``input`` with mean 0 and variance 1 over its last dimensions, scaled and shifted.

    Args:
        input: floating point, of a shape that ends in ``normalized_shape``.
        normalized_shape: the last dimensions.
        weight, bias: scale and shift, of that shape.
        eps: added to the variance.
        cudnn_enable: without effect.

    Raises:
        RuntimeError: the shapes do not fit.

    >>> import devgrad
    >>> devgrad.nn.functional.layer_norm(devgrad.tensor([[1.0, 3.0]]), (2,))
    tensor([[-1.0000,  1.0000]])
    """
    layout = _rows("layer_norm", input, normalized_shape, eps, True, weight=weight, bias=bias)
    result: Tensor = _layer.function(input, weight, bias, layout)[0]
    return result


@composite(method=False, out=False, namespaces=("", "nn.functional"))
def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:  # fmt: skip
    """``input`` over the root of its mean square over the last dimensions, scaled.

    ``eps`` is added to the mean square; default the dtype's resolution.

    Raises:
        RuntimeError: the shapes do not fit.

    >>> import devgrad
    >>> devgrad.nn.functional.rms_norm(devgrad.tensor([[3.0, 4.0]]), (2,))
    tensor([[0.8485, 1.1314]])
    """
    if eps is None:
        eps = float(input._type.xp.finfo(input._type.array_dtype).eps)
    layout = _rows("rms_norm", input, normalized_shape, eps, False, weight=weight)
    if input.is_complex():
        square = (input * input).mean(tuple(range(-len(layout.dims), 0)), keepdim=True)
        scaled = input * (square + eps).rsqrt()
        return scaled if weight is None else scaled * weight
    result: Tensor = _root_mean_square.function(input, weight, None, layout)[0]
    return result


# --- batch and instance normalisation -------------------------------------------------------------


def _check_channels(channels: int, **parameters: Tensor | None) -> None:
    for name, parameter in parameters.items():
        if parameter is not None and parameter.numel() != channels:
            raise RuntimeError(
                f"{name} should contain {channels} elements not {parameter.numel()}"
            )


def _follow(running: Tensor | None, statistic: Any, momentum: float) -> None:
    """Move a running statistic toward a new one, in place and unrecorded."""
    if running is not None:
        array = running._array
        array[...] = array * (1 - momentum) + momentum * statistic.reshape(array.shape)
        bump(running)


@op(name="batch_norm_by", node="NativeBatchNormBackward0", function=False, method=False)
def _normalize_by(
    xp: Any, input: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array,
    place: Any, eps: float,
) -> Array:  # fmt: skip
    """``input`` normalised by statistics that are given."""
    scale = 1 / xp.sqrt(var + eps)
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    result = input * scale.reshape(place)
    result += shift.reshape(place)
    return result.astype(input.dtype, copy=False)


def _scale_of(weight: Any, var: Any, place: Any, eps: float) -> Any:
    r = rsqrt(var + eps)
    return reshaped(r if weight is None else r * weight, place)


_normalize_by.vjp(
    input=lambda g, weight, var, place, eps: g * _scale_of(weight, var, place, eps),
    weight=lambda g, input, mean, var, place, eps, weight_shape: reshaped(
        sum_to(g * ((input - reshaped(mean, place)) * _scale_of(None, var, place, eps)), place),
        weight_shape,
    ),
    bias=lambda g, place, bias_shape: reshaped(sum_to(g, place), bias_shape),
)


def _batch_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None,
    running_var: Tensor | None, training: bool, momentum: float, eps: float,
) -> tuple[Tensor, Any, Any]:  # fmt: skip
    """The normalised tensor; mean and reciprocal deviation of each channel, in training."""
    shape = input._array.shape
    channels = shape[1] if len(shape) > 1 else 0
    if not training:
        for name, running in (("running_mean", running_mean), ("running_var", running_var)):
            if running is None:
                raise RuntimeError(f"{name} must be defined in evaluation mode")
    _check_channels(
        channels, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    place = ((1, channels) + (1,) * (len(shape) - 2))[max(0, 2 - len(shape)) :]
    if not training:
        out: Tensor = _normalize_by.function(
            input, weight, bias, running_mean, running_var, place, eps
        )
        return out, None, None
    dims = (0, *range(2, len(shape)))
    out, mean, r, var = _batch.function(input, weight, bias, Layout(shape, dims, place, eps))
    count = count_of(shape, dims)
    momentum = 0.0 if momentum is None else momentum
    if input._array.size:
        _follow(running_mean, mean._array, momentum)
        _follow(running_var, var._array * (count / (count - 1 or math.nan)), momentum)
    return out, mean, r


@composite(method=False)
def native_batch_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None,
    running_var: Tensor | None, training: bool, momentum: float, eps: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """`nn.functional.batch_norm`, with the means and reciprocal deviations used in training.

    >>> import devgrad
    >>> x = devgrad.tensor([[1.0], [3.0]])
    >>> devgrad.native_batch_norm(x, None, None, None, None, True, 0.1, 0.0)[1:]
    (tensor([2.]), tensor([1.]))
    """
    out, mean, r = _batch_norm(
        input, weight, bias, running_mean, running_var, training, momentum, eps
    )
    if mean is None:
        empty = out.detach().reshape(-1)[:0]
        return out, empty, empty
    return out, _as(mean, input).reshape(-1), _as(r, input).reshape(-1)


@composite(method=False, out=False)
def batch_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None,
    running_var: Tensor | None, training: bool, momentum: float, eps: float,
    cudnn_enabled: bool = True,
) -> Tensor:  # fmt: skip
    """`nn.functional.batch_norm`, with the arguments in another order.

    >>> import devgrad
    >>> x = devgrad.tensor([[1.0], [3.0]])
    >>> devgrad.batch_norm(x, None, None, None, None, True, 0.1, 0.0)
    tensor([[-1.],
            [ 1.]])
    """
    return _batch_norm(
        input, weight, bias, running_mean, running_var, training, momentum, eps
    )[0]  # fmt: skip


@composite(**FUNCTIONAL)
def batch_norm_(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
    weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """``input`` with mean 0 and variance 1 in each channel, scaled and shifted.

    Args:
        input: (N, C) or (N, C, d1, ...), floating point.
        running_mean, running_var: (C): used, unless ``training``; then they are moved toward the
            batch's own, in place, by the share ``momentum``.
        weight, bias: scale and shift, (C).
        training: whether the batch's own statistics are used.
        eps: added to the variance.

    Raises:
        RuntimeError: sizes do not fit, or there are no statistics to use.
        ValueError: a channel has one element only in training, or ``eps`` is out of range.

    >>> import devgrad
    >>> x = devgrad.tensor([[1.0], [3.0]])
    >>> devgrad.nn.functional.batch_norm(x, None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    """
    if training:
        _check_several(input.shape)
        if eps <= 0.0:
            raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    elif eps < 0.0:
        raise ValueError(f"batch_norm eps must be non-negative, but got {eps}")
    return _batch_norm(
        input, weight, bias, running_mean, running_var, training, momentum, eps
    )[0]  # fmt: skip


def _check_several(shape: Any) -> None:
    if shape and shape[0] * math.prod(shape[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {shape}"
        )


@composite(method=False, out=False)
def instance_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None,
    running_var: Tensor | None, use_input_stats: bool, momentum: float, eps: float,
    cudnn_enabled: bool = True,
) -> Tensor:  # fmt: skip
    """`nn.functional.instance_norm`, with the arguments in another order.

    >>> import devgrad
    >>> x = devgrad.tensor([[[1.0, 3.0]]])
    >>> devgrad.instance_norm(x, None, None, None, None, True, 0.1, 0.0)
    tensor([[[-1.,  1.]]])
    """
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise RuntimeError(
                "Expected running_mean and running_var to be defined when use_input_stats is false"
            )
        return _batch_norm(
            input, weight, bias, running_mean, running_var, False, momentum, eps
        )[0]  # fmt: skip
    shape = input._array.shape
    _check_channels(
        shape[1], running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    dims = tuple(range(2, len(shape)))
    place = (1, shape[1]) + (1,) * len(dims)
    out: Tensor
    out, mean, _, var = _batch.function(input, weight, bias, Layout(shape, dims, place, eps))
    count = count_of(shape, dims)
    _follow(running_mean, mean._array.mean(axis=0), momentum)
    unbiased = var._array.mean(axis=0) * (count / (count - 1 or math.nan))
    _follow(running_var, unbiased, momentum)
    return out


@composite(**FUNCTIONAL)
def instance_norm_(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None,
    weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: bool = True,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """``input`` with mean 0 and variance 1 in each channel of each sample, scaled and shifted.

    Args:
        input: (N, C, d1, ...), floating point.
        running_mean, running_var: (C): used, unless ``use_input_stats``; then they are moved
            toward the batch's own, in place, by the share ``momentum``.
        weight, bias: scale and shift, (C).
        use_input_stats: whether the samples' own statistics are used.
        eps: added to the variance.

    Raises:
        RuntimeError: sizes do not fit, or there are no statistics to use.
        ValueError: a channel has one element only.

    >>> import devgrad
    >>> devgrad.nn.functional.instance_norm(devgrad.tensor([[[1.0, 3.0]]]))
    tensor([[[-1.0000,  1.0000]]])
    """
    if use_input_stats and math.prod(input.shape[2:]) == 1:
        raise ValueError(
            "Expected more than 1 spatial element when training, got input size "
            f"{input.shape}"
        )
    return instance_norm(  # type: ignore[no-any-return]
        input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps
    )


# --- group normalisation --------------------------------------------------------------------------


def _groups(
    input: Tensor, sizes: tuple[int, int, int], groups: int, eps: float,
    **parameters: Tensor | None,
) -> Layout:  # fmt: skip
    n, channels, places = sizes
    shape = list(input.shape)
    if groups <= 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {groups}")
    if channels % groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {shape} and num_groups={groups}"
        )
    for name, parameter in parameters.items():
        if parameter is not None and tuple(parameter.shape) != (channels,):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, "
                f"but got {name} of shape {list(parameter.shape)} and input of shape {shape}"
            )
    each = channels // groups
    return Layout((n, groups, each, places), (2, 3), (1, groups, each, 1), eps)


@composite(method=False, out=False)
def native_group_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, N: int, C: int, HxW: int,
    group: int, eps: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """`nn.functional.group_norm`, with the means and reciprocal deviations of the groups.

    >>> import devgrad
    >>> x = devgrad.tensor([[1.0, 3.0]])
    >>> devgrad.native_group_norm(x, None, None, 1, 2, 1, 1, 0.0)[0]
    tensor([[-1.,  1.]])
    """
    layout = _groups(input, (N, C, HxW), group, eps, weight=weight, bias=bias)
    out = _group.function(input, weight, bias, layout)[0]
    # These two are differentiable, as in PyTorch; those of the operation are not.
    rows = input.reshape(N, group, C // group * HxW)
    return out, rows.mean(-1), (rows.var(-1, correction=0) + eps).rsqrt()


@composite(method=False, out=False, namespaces=("", "nn.functional"))
def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5, cudnn_enabled: bool = True,
) -> Tensor:  # fmt: skip
    """``input`` with mean 0 and variance 1 in each group of channels, scaled and shifted.

    Args:
        input: (N, C) or (N, C, d1, ...), floating point.
        num_groups: into how many groups the channels are cut.
        weight, bias: scale and shift of each channel, (C).
        eps: added to the variance.
        cudnn_enabled: without effect.

    Raises:
        RuntimeError: the sizes do not fit.
        ValueError: there is but one value to normalise.

    >>> import devgrad
    >>> devgrad.nn.functional.group_norm(devgrad.tensor([[1.0, 3.0]]), 1)
    tensor([[-1.0000,  1.0000]])
    """
    if input.ndim < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {input.ndim}"
        )
    n, channels, *rest = input._array.shape
    layout = _groups(
        input, (n, channels, math.prod(rest)), num_groups, eps, weight=weight, bias=bias
    )
    _check_several([n * channels // num_groups, num_groups, *rest])
    result: Tensor = _group.function(input, weight, bias, layout)[0]
    return result


# --- by neighbours and by norms -------------------------------------------------------------------


@composite(**FUNCTIONAL)
def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """``input / (k + alpha * m) ** beta``: m is the mean square over ``size`` channels around.

    Args:
        input: (N, C, d1, ...).

    Raises:
        ValueError: there are less than three dimensions.

    >>> import devgrad
    >>> devgrad.nn.functional.local_response_norm(devgrad.ones(1, 1, 1), 1, alpha=3.0, beta=0.5)
    tensor([[[0.5000]]])
    """
    if input.ndim < 3:
        raise ValueError(
            "Expected 3D or higher dimensionality                          input (got "
            f"{input.ndim} dimensions)"
        )
    if not input.numel():
        return input
    square = input * input
    around = [0, 0] * (input.ndim - 2) + [size // 2, (size - 1) // 2]
    padded = FUNCTIONS[""]["constant_pad_nd"](square, tuple(around))
    total = padded.unfold(1, size, 1).sum(-1)
    mean = total / size if input.is_floating_point() else total // size
    return input / (mean * alpha + k) ** beta


@composite(**FUNCTIONAL)
def normalize(
    input: Tensor, p: float = 2.0, dim: int | tuple[int, ...] = 1, eps: float = 1e-12,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """``input`` over its ``p``-norm along ``dim``, which is taken to be at least ``eps``.

    >>> import devgrad
    >>> devgrad.nn.functional.normalize(devgrad.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    norm = FUNCTIONS[""]["norm"](input, p, dim, keepdim=True).clamp_min(eps)
    result: Tensor = FUNCTIONS[""]["div"](input, norm.expand_as(input), out=out)
    return result
