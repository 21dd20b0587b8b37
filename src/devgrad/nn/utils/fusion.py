"""Batch normalisation taken into the layer before it: in evaluation it only scales and shifts."""

from __future__ import annotations

import copy
from typing import Any

from ..._tensor import Tensor
from ..parameter import Parameter

__all__ = [
    "fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights",
]  # fmt: skip


def _scale_and_shift(
    bias: Tensor | None, mean: Tensor, var: Tensor, eps: float, scale: Tensor | None,
    shift: Tensor | None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """What the weights are multiplied by, and the new bias."""
    factor = (var + eps).rsqrt()
    if scale is not None:
        factor = factor * scale
    moved = (-mean if bias is None else bias - mean) * factor
    return factor, moved if shift is None else moved + shift


def _parameters(
    weight: Tensor, bias: Tensor | None, new_weight: Tensor, new_bias: Tensor
) -> tuple[Parameter, Parameter]:
    dtype = weight.dtype if bias is None else bias.dtype
    return (
        Parameter(new_weight.detach().to(weight.dtype), weight.requires_grad),
        Parameter(new_bias.detach().to(dtype), bias is not None and bias.requires_grad),
    )


def fuse_conv_bn_weights(
    conv_w: Tensor, conv_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor, bn_eps: float,
    bn_w: Tensor | None, bn_b: Tensor | None, transpose: bool = False,
) -> tuple[Parameter, Parameter]:  # fmt: skip
    """Weight and bias of a convolution that does what it and a batch normalisation did.

    Args:
        conv_w, conv_b: the convolution's.
        bn_rm, bn_rv, bn_eps, bn_w, bn_b: running mean and variance, what is added to it, scale and
            shift of the normalisation.
        transpose: it is a transposed convolution, whose second dimension is that of the outputs.
    """
    factor, bias = _scale_and_shift(conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
    shape = [1] * conv_w.ndim
    shape[1 if transpose else 0] = -1
    return _parameters(conv_w, conv_b, conv_w * factor.reshape(shape), bias)


def fuse_linear_bn_weights(
    linear_w: Tensor, linear_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor, bn_eps: float,
    bn_w: Tensor | None, bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:  # fmt: skip
    """Weight and bias of a linear layer that does what it and a batch normalisation did; see
    `fuse_conv_bn_weights`."""
    factor, bias = _scale_and_shift(linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
    return _parameters(linear_w, linear_b, linear_w * factor.unsqueeze(-1), bias)


def _statistics(layer: Any, bn: Any) -> tuple[Any, Any, Any, Any, Any]:
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")
    return bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """A convolution that does what ``conv`` and then ``bn`` do, both in evaluation.

    Raises:
        AssertionError: one is in training, or ``bn`` has no running statistics.

    >>> import devgrad
    >>> conv, bn = devgrad.nn.Conv2d(1, 2, 3).eval(), devgrad.nn.BatchNorm2d(2).eval()
    >>> x = devgrad.randn(1, 1, 5, 5)
    >>> one = devgrad.nn.utils.fuse_conv_bn_eval(conv, bn)
    >>> devgrad.allclose(one(x), bn(conv(x)), atol=1e-5)
    True
    """
    statistics = _statistics(conv, bn)
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, *statistics, transpose=transpose
    )
    return fused


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """A linear layer that does what ``linear`` and then ``bn`` do, both in evaluation.

    Raises:
        AssertionError: one is in training, ``bn`` has no running statistics, or the sizes do not
            fit.
    """
    if bn.num_features not in (linear.out_features, 1):
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got "
            f"linear.out_features={linear.out_features} and bn.num_features={bn.num_features}"
        )
    statistics = _statistics(linear, bn)
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(linear.weight, linear.bias, *statistics)
    return fused
