"""Losses of each element: squares and absolute values, and likelihoods of coins.

The loss and its reduction are one operation where they are hot, so that no array of losses is
made. ``share`` is then the gradient of each element's loss.
"""

from __future__ import annotations

import math
from typing import Any

from .._tensor import Tensor
from ._errors import refuse_dtype
from ._functional import FUNCTIONAL, chosen_reduction, in_wide, reduced, warn_of_sizes
from ._op import FUNCTIONS, Array, composite, op
from .activations import logsigmoid
from .clamping import clamp_below
from .comparison import masked
from .elementwise import log, sigmoid

__all__ = ["share", "weighted"]


def share(g: Any, shape: Any, reduction: str) -> Any:
    """The gradient of each element's loss from that of the reduced loss."""
    return g / (math.prod(shape) or 1) if reduction == "mean" else g


def _whole(xp: Any, losses: Any, reduction: str) -> Any:
    if reduction == "none":
        return losses
    wide = xp.float32 if losses.dtype.itemsize == 2 else None
    total = xp.add.reduce(losses, None, dtype=wide)
    if reduction == "mean":
        total = total / losses.size if losses.size else total * math.nan
    return total.astype(losses.dtype)


def _same_shape(input: Any, target: Any) -> tuple[Any, Any]:
    if input._array.shape == target._array.shape:
        return input, target
    warn_of_sizes(input, target)
    expanded: tuple[Any, Any] = FUNCTIONS[""]["broadcast_tensors"](input, target)
    return expanded


def weighted(loss: Tensor, weight: Tensor, reduction: str) -> Tensor:
    """The weighted losses, their sum, or their mean by the weights."""
    loss = loss * weight
    if reduction == "none":
        return loss
    total = loss.sum()
    return total / weight.sum() if reduction == "mean" else total


def _check_weight(input: Tensor, weight: Tensor) -> None:
    if weight._array.shape != input._array.shape:
        raise ValueError("Weights and input must have the same size.")


# --- squares and absolute values ------------------------------------------------------------------


@op(node="MseLossBackward0", promotes=True, function=False, method=False)
def _mse_loss(xp: Any, input: Array, target: Array, reduction: str) -> Array:
    refuse_dtype(input, "biuc", "mse")
    if reduction == "none" or not input.size or input.dtype.itemsize == 2:
        difference = input - target
        return _whole(xp, difference * difference, reduction)
    x, y, total = input.reshape(-1), target.reshape(-1), 0.0
    for block in xp.row_blocks(x.shape):
        difference = x[block] - y[block]
        total = total + xp.dot(difference, difference)
    return total / input.size if reduction == "mean" else total


_mse_loss.vjp(
    input=lambda g, input, target, reduction: (
        (input - target) * (2 * share(g, input.shape, reduction))
    ),
    target=lambda g, input, target, reduction: (
        (input - target) * (-2 * share(g, input.shape, reduction))
    ),
)


@composite(**FUNCTIONAL)
def mse_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The squared differences: all of them, their mean (the default) or their sum.

    Args:
        input, target: of one shape; otherwise they are broadcast, with a warning.
        size_average, reduce: older forms of ``reduction``.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        weight: of the shape of ``input``; the mean is then by weights.

    Raises:
        ValueError: there is no such reduction.

    >>> import devgrad
    >>> devgrad.nn.functional.mse_loss(devgrad.tensor([1.0, 2.0]), devgrad.tensor([1.0, 4.0]))
    tensor(2.)
    """
    x, y = _same_shape(input, target)
    reduction = chosen_reduction(reduction, size_average, reduce)
    if weight is None:
        result: Tensor = _mse_loss.function(x, y, reduction)
        return result
    _check_weight(input, weight)
    return weighted(_mse_loss.function(x, y, "none"), weight, reduction)


@composite(**FUNCTIONAL)
def l1_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The absolute differences, by the arguments of `mse_loss`.

    >>> import devgrad
    >>> devgrad.nn.functional.l1_loss(devgrad.tensor([1.0, 2.0]), devgrad.tensor([1.0, 4.0]))
    tensor(1.)
    """
    x, y = _same_shape(input, target)
    reduction = chosen_reduction(reduction, size_average, reduce)
    loss = (x - y).abs()
    if weight is None:
        return reduced(loss, reduction)
    _check_weight(input, weight)
    return weighted(loss, weight, reduction)


@op(node="SmoothL1LossBackward0", promotes=True, function=False, method=False)
def _smooth_l1_loss(xp: Any, input: Array, target: Array, reduction: str, beta: float) -> Array:
    refuse_dtype(input, "biuc", "smooth_l1")

    def formula(x: Any, y: Any) -> Any:
        distance = xp.absolute(x - y)
        near = xp.minimum(distance, beta)  # near**2 / 2 beta + (distance - near)
        return distance - near + near * near * (0.5 / beta)

    return _whole(xp, in_wide(xp, formula, input, target), reduction)


@op(function=False, method=False)
def _clipped(xp: Any, input: Array, bound: float) -> Array:
    """``input`` kept within ``-bound`` and ``bound``, where its slope is 0 already."""
    return in_wide(xp, lambda x: xp.minimum(xp.maximum(x, -bound), bound), input)


_clipped.vjp(input=lambda g, input, bound: masked(g, abs(input) < bound))


def _smooth_l1_slope(input: Any, target: Any, beta: float) -> Any:
    return _clipped(input - target, beta) / beta


_smooth_l1_loss.vjp(
    input=lambda g, input, target, reduction, beta: (
        _smooth_l1_slope(input, target, beta) * share(g, input.shape, reduction)
    ),
    target=lambda g, input, target, reduction, beta: (
        _smooth_l1_slope(input, target, beta) * -share(g, input.shape, reduction)
    ),
)


@composite(**FUNCTIONAL)
def smooth_l1_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", beta: float = 1.0,
) -> Tensor:  # fmt: skip
    """Squares of the differences (over ``2 beta``) up to ``beta``, absolute values beyond.

    Raises:
        RuntimeError: ``beta`` is negative.
        ValueError: there is no such reduction.

    >>> import devgrad
    >>> devgrad.nn.functional.smooth_l1_loss(devgrad.tensor([1.0, 2.0]), devgrad.tensor([1.5, 4.0]))
    tensor(0.8125)
    """
    x, y = _same_shape(input, target)
    reduction = chosen_reduction(reduction, size_average, reduce)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return reduced((x - y).abs(), reduction)
    result: Tensor = _smooth_l1_loss.function(x, y, reduction, beta)
    return result


@op(node="HuberLossBackward0", promotes=True, function=False, method=False)
def _huber_loss(xp: Any, input: Array, target: Array, reduction: str, delta: float) -> Array:
    refuse_dtype(input, "biuc", "huber")

    def formula(x: Any, y: Any) -> Any:
        distance = xp.absolute(x - y)
        near = xp.minimum(distance, delta)
        return near * (distance - 0.5 * near)

    return _whole(xp, in_wide(xp, formula, input, target), reduction)


_huber_loss.vjp(
    input=lambda g, input, target, reduction, delta: (
        _clipped(input - target, delta) * share(g, input.shape, reduction)
    ),
    target=lambda g, input, target, reduction, delta: (
        _clipped(input - target, delta) * -share(g, input.shape, reduction)
    ),
)


@composite(**FUNCTIONAL)
def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Half the squares of the differences up to ``delta``, lines of that slope beyond.

    Raises:
        RuntimeError: ``delta`` is not positive.
        ValueError: there is no such reduction, or ``weight`` is of another shape.

    >>> import devgrad
    >>> devgrad.nn.functional.huber_loss(devgrad.tensor([1.0, 2.0]), devgrad.tensor([1.5, 4.0]))
    tensor(0.8125)
    """
    x, y = _same_shape(input, target)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    reduction = chosen_reduction(reduction)
    if weight is None:
        result: Tensor = _huber_loss.function(x, y, reduction, delta)
        return result
    _check_weight(input, weight)
    return reduced(_huber_loss.function(x, y, "none", delta) * weight, reduction)


# --- coins: binary cross entropy ------------------------------------------------------------------


def _check_probabilities(xp: Any, name: str, x: Array) -> None:
    if xp.checks_bounds and not ((x >= 0) & (x <= 1)).all():
        raise RuntimeError(f"all elements of {name} should be between 0 and 1")


def _clamped_log(xp: Any, x: Any) -> Any:
    return xp.maximum(xp.log(x), -100)


@op(node="BinaryCrossEntropyBackward0", function=False, method=False)
def _binary_cross_entropy(xp: Any, input: Array, target: Array, reduction: str) -> Array:
    refuse_dtype(input, "biuc", "binary_cross_entropy")
    _check_probabilities(xp, "input", input)
    _check_probabilities(xp, "target", target)

    def formula(x: Any, y: Any) -> Any:
        rest = xp.maximum(xp.log1p(-x), -100)
        return (y - 1) * rest - y * _clamped_log(xp, x)

    return _whole(xp, in_wide(xp, formula, input, target), reduction)


def _bce_slope(input: Any, target: Any) -> Any:
    return (input - target) / clamp_below((1 - input) * input, 1e-12)


_binary_cross_entropy.vjp(
    input=lambda g, input, target, reduction: (
        _bce_slope(input, target) * share(g, input.shape, reduction)
    ),
    target=lambda g, input, reduction: (
        (clamp_below(log(1 - input), -100.0) - clamp_below(log(input), -100.0))
        * share(g, input.shape, reduction)
    ),
)


@composite(**FUNCTIONAL)
def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """``-(target * log(input) + (1 - target) * log(1 - input))``; logarithms are at least -100.

    Args:
        input, target: of one shape, between 0 and 1.
        weight: multiplies the losses; broadcast.
        size_average, reduce: older forms of ``reduction``.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        RuntimeError: an element is not between 0 and 1, or dtypes differ.
        ValueError: shapes differ, or there is no such reduction.

    >>> import devgrad
    >>> devgrad.nn.functional.binary_cross_entropy(devgrad.tensor([0.5]), devgrad.tensor([1.0]))
    tensor(0.6931)
    """
    reduction = chosen_reduction(reduction, size_average, reduce)
    if target._array.shape != input._array.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}) is deprecated. Please ensure they have the same size."
        )
    if target._type.dtype is not input._type.dtype:
        raise RuntimeError(
            f"Found dtype {target._type.dtype.title} but expected {input._type.dtype.title}. "
            "Convert the target: target.to(input.dtype)"
        )
    if weight is None:
        result: Tensor = _binary_cross_entropy.function(input, target, reduction)
        return result
    return reduced(_binary_cross_entropy.function(input, target, "none") * weight, reduction)


@op(node="BinaryCrossEntropyWithLogitsBackward0", promotes=True, function=False, method=False)
def _bce_with_logits(xp: Any, input: Array, target: Array, reduction: str) -> Array:
    refuse_dtype(input, "biuc", "binary_cross_entropy_with_logits")

    def formula(x: Any, y: Any) -> Any:
        t = xp.log1p(xp.exp(xp.negative(xp.absolute(x))))
        t += xp.maximum(x, 0)
        t -= x * y
        return t

    return _whole(xp, in_wide(xp, formula, input, target), reduction)


_bce_with_logits.vjp(
    input=lambda g, input, target, reduction: (
        (sigmoid(input) - target) * share(g, input.shape, reduction)
    ),
    target=lambda g, input, reduction: input * -share(g, input.shape, reduction),
)


@op(node="BinaryCrossEntropyWithLogitsBackward0", promotes=True, function=False, method=False)
def _bce_with_pos_weight(
    xp: Any, input: Array, target: Array, pos_weight: Array, reduction: str
) -> Array:
    refuse_dtype(input, "biuc", "binary_cross_entropy_with_logits")
    t = xp.log1p(xp.exp(xp.negative(xp.absolute(input))))
    t = t - xp.minimum(input, 0)  # softplus(-input)
    return _whole(xp, (1 - target) * input + (1 + (pos_weight - 1) * target) * t, reduction)


def _pos_weight_slope(x: Any, y: Any, pos_weight: Any) -> Any:
    positive = pos_weight * y
    return (positive + 1 - y) * sigmoid(x) - positive


_bce_with_pos_weight.vjp(
    input=lambda g, input, target, pos_weight, reduction: (
        _pos_weight_slope(input, target, pos_weight) * share(g, input.shape, reduction)
    ),
    target=lambda g, input, pos_weight, reduction: (
        ((1 - pos_weight) * logsigmoid(input) - input) * share(g, input.shape, reduction)
    ),
    pos_weight=lambda g, input, target, reduction: (
        target * logsigmoid(input) * -share(g, input.shape, reduction)
    ),
)


@composite(**FUNCTIONAL)
def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean", pos_weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """`binary_cross_entropy` of ``sigmoid(input)``, without overflow.

    ``pos_weight``, broadcast, multiplies the part of ``target``.

    Raises:
        ValueError: shapes differ, or there is no such reduction.

    >>> import devgrad
    >>> from devgrad.nn import functional
    >>> functional.binary_cross_entropy_with_logits(devgrad.tensor([0.0]), devgrad.tensor([1.0]))
    tensor(0.6931)
    """
    reduction = chosen_reduction(reduction, size_average, reduce)
    if target._array.shape != input._array.shape:
        raise ValueError(
            f"Target size ({target.shape}) must be the same as input size ({input.shape})"
        )
    kept = reduction if weight is None else "none"
    loss: Tensor
    if pos_weight is None:
        loss = _bce_with_logits.function(input, target, kept)
    else:
        loss = _bce_with_pos_weight.function(input, target, pos_weight, kept)
    return loss if weight is None else reduced(loss * weight, reduction)


@op(node="SoftMarginLossBackward0", promotes=True, function=False, method=False)
def _soft_margin_loss(xp: Any, input: Array, target: Array, reduction: str) -> Array:
    refuse_dtype(input, "biuc", "soft_margin_loss")

    # As PyTorch: infinite where the exponential is. binary_cross_entropy_with_logits is not.
    return _whole(xp, xp.log1p(xp.exp(xp.negative(input * target))), reduction)


_soft_margin_loss.vjp(
    input=lambda g, input, target, reduction: (
        target * (sigmoid(input * target) - 1) * share(g, input.shape, reduction)
    ),
    target=lambda g, input, target, reduction: (
        input * (sigmoid(input * target) - 1) * share(g, input.shape, reduction)
    ),
)


@composite(**FUNCTIONAL)
def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """``log(1 + exp(-target * input))``, for targets of 1 and -1.

    >>> import devgrad
    >>> devgrad.nn.functional.soft_margin_loss(devgrad.tensor([0.0]), devgrad.tensor([1.0]))
    tensor(0.6931)
    """
    reduction = chosen_reduction(reduction, size_average, reduce)
    result: Tensor = _soft_margin_loss.function(input, target, reduction)
    return result


@composite(**FUNCTIONAL)
def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The mean over the last dimension, of classes, of `binary_cross_entropy_with_logits`.

    >>> import devgrad
    >>> x, y = devgrad.tensor([[0.0, 0.0]]), devgrad.tensor([[1.0, 0.0]])
    >>> devgrad.nn.functional.multilabel_soft_margin_loss(x, y)
    tensor(0.6931)
    """
    reduction = chosen_reduction(reduction, size_average, reduce)
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        loss = loss * weight
    return reduced(loss.sum(dim=-1) / (input.shape[-1] if input.ndim else 1), reduction)


# --- as devgrad itself has it --------------------------------------------------------------------


@composite(method=False, out=False)
def binary_cross_entropy_with_logits_(
    input: Tensor, target: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None,
    reduction: int | str = 0,
) -> Tensor:  # fmt: skip
    """`nn.functional.binary_cross_entropy_with_logits`; ``reduction`` 0 for none, 1, 2.

    >>> import devgrad
    >>> devgrad.binary_cross_entropy_with_logits(devgrad.tensor([0.0]), devgrad.tensor([1.0]))
    tensor([0.6931])
    """
    return binary_cross_entropy_with_logits(
        input, target, weight, reduction=chosen_reduction(reduction), pos_weight=pos_weight
    )
