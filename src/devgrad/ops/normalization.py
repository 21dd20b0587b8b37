"""Normalisation: of layers, batches, instances, groups, neighbouring channels, and by norms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .._tensor import Tensor
from ._formula import cast
from ._functional import FUNCTIONAL
from ._inplace import bump
from ._op import FUNCTIONS, composite
from ._standardize import (
    Layout,
    normalize_by,
    standardize_batch,
    standardize_group,
    standardize_layer,
    standardize_rms,
)
from .reductions import count_of

__all__: list[str] = []


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
    out, mean, r, _ = standardize_layer.function(input, weight, bias, layout)
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
    result: Tensor = standardize_layer.function(input, weight, bias, layout)[0]
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
    result: Tensor = standardize_rms.function(input, weight, None, layout)[0]
    return result


# --- batch and instance normalisation -------------------------------------------------------------


def _check_channels(channels: int, **parameters: Tensor | None) -> None:
    for name, parameter in parameters.items():
        if parameter is not None and parameter.numel() != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {parameter.numel()}")


def _follow(running: Tensor | None, statistic: Any, momentum: float) -> None:
    """Move a running statistic toward a new one, in place and unrecorded."""
    if running is not None:
        array = running._array
        array[...] = array * (1 - momentum) + momentum * statistic.reshape(array.shape)
        bump(running)


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
        out: Tensor = normalize_by.function(
            input, weight, bias, running_mean, running_var, place, eps
        )
        return out, None, None
    dims = (0, *range(2, len(shape)))
    out, mean, r, var = standardize_batch.function(
        input, weight, bias, Layout(shape, dims, place, eps)
    )
    count = count_of(shape, dims)
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
    out, mean, _, var = standardize_batch.function(
        input, weight, bias, Layout(shape, dims, place, eps)
    )
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
            f"Expected more than 1 spatial element when training, got input size {input.shape}"
        )
    return instance_norm(
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
    out = standardize_group.function(input, weight, bias, layout)[0]
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
    result: Tensor = standardize_group.function(input, weight, bias, layout)[0]
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
