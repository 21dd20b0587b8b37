"""Activations made of straight pieces: rectifiers, clipped lines, thresholds and shrinkage.

Their slopes are constants on each piece, so that a derivative is the gradient under a mask.
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor, wrap
from ..device import draws, placed
from ._errors import refuse_dtype
from ._functional import FUNCTIONAL, functional, in_wide
from ._op import FUNCTIONS, Array, composite, op
from .arithmetic import mul
from .comparison import masked, where
from .elementwise import relu as _relu

__all__: list[str] = []


def _like(xp: Any, x: Array, number: Any) -> Any:
    """A number in the dtype of ``x``, beside which it does not promote."""
    return xp.asarray(number).astype(x.dtype)


@composite(**FUNCTIONAL)
def relu_(input: Tensor, inplace: bool = False) -> Tensor:
    """``input`` where it is positive, 0 elsewhere; see `devgrad.relu`.

    >>> import devgrad
    >>> devgrad.nn.functional.relu(devgrad.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return _relu.inplace(input) if inplace else _relu.function(input)


# --- leaky rectifiers -----------------------------------------------------------------------------


@op(name="leaky_relu", inplace=True, function=False, method=False)
def _leaky_relu(xp: Any, input: Array, negative_slope: float = 0.01) -> Array:
    refuse_dtype(input, "biuc", "leaky_relu")
    if 0 < negative_slope <= 1:
        return in_wide(xp, lambda x: xp.maximum(x, x * negative_slope), input)
    return in_wide(xp, lambda x: xp.where(x > 0, x, x * negative_slope), input)


@op(node="LeakyReluBackwardBackward0", function=False, method=False)
def leaky_relu_backward(xp: Any, grad_output: Array, input: Array, negative_slope: float) -> Array:
    """``G`` where ``input`` is positive, ``G * negative_slope`` elsewhere."""

    def formula(g: Any, x: Any) -> Any:
        slope = (x > 0).astype(x.dtype)
        slope *= 1 - negative_slope
        slope += negative_slope
        slope *= g
        return slope

    return in_wide(xp, formula, grad_output, input)


_leaky_relu.vjp(
    input=lambda g, input, negative_slope: leaky_relu_backward(g, input, negative_slope)
)
leaky_relu_backward.vjp(
    grad_output=lambda g, input, negative_slope: leaky_relu_backward(g, input, negative_slope)
)


@composite(**FUNCTIONAL)
def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """``input`` where it is positive, ``negative_slope * input`` elsewhere.

    >>> import devgrad
    >>> devgrad.nn.functional.leaky_relu(devgrad.tensor([-1.0, 2.0]), 0.1)
    tensor([-0.1000,  2.0000])
    """
    chosen = _leaky_relu.inplace if inplace else _leaky_relu.function
    result: Tensor = chosen(input, negative_slope)
    return result


@op(name="prelu_kernel", node="PreluKernelBackward0", function=False, method=False)
def _prelu(xp: Any, input: Array, weight: Array) -> Array:
    """``weight`` broadcasts to ``input``."""
    refuse_dtype(input, "biuc", "prelu")
    return xp.where(input > 0, input, input * weight)


_prelu.vjp(
    input=lambda g, input, weight: where(input > 0, g, g * weight),
    weight=lambda g, input: where(input > 0, 0, g * input),
)


@composite(out=False, namespaces=("", "nn.functional"))
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """``input`` where it is positive, ``weight * input`` elsewhere.

    Args:
        input: of any shape; of two or more dimensions, the second is that of the channels.
        weight: one number, or one for each channel; of the same dtype.

    Raises:
        RuntimeError: dtypes or sizes do not fit.

    >>> import devgrad
    >>> devgrad.prelu(devgrad.tensor([-1.0, 2.0]), devgrad.tensor([0.25]))
    tensor([-0.2500,  2.0000])
    """
    if input._type.dtype is not weight._type.dtype:
        raise RuntimeError(
            f"prelu: Type promoting not supported. Got {input._type.dtype.title} and "
            f"{weight._type.dtype.title}"
        )
    if weight.ndim > 1:
        raise RuntimeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}"
        )
    if weight.numel() != 1:
        if not input.ndim:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = input.shape[1] if input.ndim > 1 else 1
        if channels != weight.numel():
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{weight.numel()} and channel size = {channels}."
            )
    if weight.ndim and (input.ndim != 1 or weight.numel() != 1):
        weight = weight.reshape([-1 if i == 1 else 1 for i in range(input.ndim)] or ())
    result: Tensor = _prelu.function(input, weight)
    return result


def _slopes(input: Tensor, lower: float, upper: float, generator: Any) -> Tensor:
    """One where ``input`` is positive, a random slope for each other element."""
    kind, array = input._type, input._array
    leaky = array <= 0
    source = draws(None if generator is None else generator._stream, kind)
    drawn = source.uniform((int(leaky.sum()),), kind.xp.float64, lower, upper)
    slopes = kind.xp.ones(array.shape, array.dtype)
    slopes[leaky] = placed(drawn, kind.device.types[kind.xp.dtype("float64")])
    return wrap(slopes, kind)


@composite(method=False, out=False, inplace=True)
def rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False,
    generator: Any = None,
) -> Tensor:  # fmt: skip
    """A leaky rectifier with random slopes between ``lower`` and ``upper`` in training.

    Otherwise the slope is the mean of both.

    Raises:
        RuntimeError: ``lower`` is greater than ``upper``.

    >>> import devgrad
    >>> devgrad.rrelu(devgrad.tensor([-1.0, 2.0]), 0.1, 0.3)
    tensor([-0.2000,  2.0000])
    """
    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")
    refuse_dtype(input._array, "biuc", "leaky_relu")
    result: Tensor
    if training:
        result = mul.function(input, _slopes(input, lower, upper, generator))
    else:
        result = _rrelu.function(input, (lower + upper) / 2)
    return result


_rrelu = op(
    name="rrelu", node="RreluWithNoiseBackward0", function=False, method=False
)(_leaky_relu.forward)  # fmt: skip
_rrelu.vjp(input=_leaky_relu.rules["input"][0])


@composite(**FUNCTIONAL)
def rrelu_(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False,
    inplace: bool = False,
) -> Tensor:  # fmt: skip
    """`devgrad.rrelu`, also in place.

    >>> import devgrad
    >>> devgrad.nn.functional.rrelu(devgrad.tensor([-1.0, 2.0]), 0.1, 0.3)
    tensor([-0.2000,  2.0000])
    """
    result: Tensor = FUNCTIONS[""]["rrelu_" if inplace else "rrelu"](input, lower, upper, training)
    return result


# --- clipped lines --------------------------------------------------------------------------------


@op(name="hardtanh", inplace=True, function=False, method=False)
def _hardtanh(xp: Any, input: Array, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    if input.dtype.kind == "b":
        raise RuntimeError("Bool inputs not supported for hardtanh")
    if input.dtype.kind == "c":
        raise NotImplementedError("clamp is not supported for complex types")
    if input.dtype.kind == "u" and min_val < 0:
        raise RuntimeError("cannot do hardtanh on an unsigned type with negative limits")
    low, high = _like(xp, input, min_val), _like(xp, input, max_val)
    return xp.minimum(xp.maximum(input, low), high)


_hardtanh.vjp(
    input=lambda g, input, min_val, max_val: masked(g, ~((input <= min_val) | (input >= max_val)))
)


@composite(**FUNCTIONAL)
def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """``input`` kept within ``min_val`` and ``max_val``.

    Raises:
        ValueError: ``min_val`` is greater than ``max_val``.

    >>> import devgrad
    >>> devgrad.nn.functional.hardtanh(devgrad.tensor([-2.0, 0.5]))
    tensor([-1.0000,  0.5000])
    """
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    chosen = _hardtanh.inplace if inplace else _hardtanh.function
    result: Tensor = chosen(input, min_val, max_val)
    return result


@composite(**FUNCTIONAL)
def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """``input`` kept within 0 and 6.

    >>> import devgrad
    >>> devgrad.nn.functional.relu6(devgrad.tensor([-1.0, 3.0, 7.0]))
    tensor([0., 3., 6.])
    """
    result: Tensor = (_hardtanh.inplace if inplace else _hardtanh.function)(input, 0.0, 6.0)
    return result


@op(name="hardsigmoid", inplace=True, function=False, method=False)
def _hardsigmoid(xp: Any, input: Array) -> Array:
    refuse_dtype(input, "biuc", "hardsigmoid")
    return in_wide(xp, lambda x: xp.minimum(xp.maximum(x + 3, 0), 6) / 6, input)


_hardsigmoid.vjp(input=lambda g, input: masked(g / 6, (input > -3) & (input < 3)))


@composite(**FUNCTIONAL)
def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """``(input + 3) / 6`` kept within 0 and 1.

    >>> import devgrad
    >>> devgrad.nn.functional.hardsigmoid(devgrad.tensor([-4.0, 0.0, 4.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    result: Tensor = _hardsigmoid.inplace(input) if inplace else _hardsigmoid.function(input)
    return result


@op(name="hardswish", inplace=True, function=False, method=False)
def _hardswish(xp: Any, input: Array) -> Array:
    refuse_dtype(input, "biuc", "hardswish")
    return in_wide(xp, lambda x: xp.minimum(xp.maximum(x + 3, 0), 6) * x / 6, input)


def _hardswish_gradient(g: Any, input: Any) -> Any:
    bent = masked(g * (input / 3 + 0.5), input > -3)
    return where(input >= 3, g, bent)


_hardswish.vjp(input=_hardswish_gradient)


@composite(**FUNCTIONAL)
def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """``input`` times its `hardsigmoid`.

    >>> import devgrad
    >>> devgrad.nn.functional.hardswish(devgrad.tensor([-4.0, 1.0, 4.0]))
    tensor([-0.0000, 0.6667, 4.0000])
    """
    result: Tensor = _hardswish.inplace(input) if inplace else _hardswish.function(input)
    return result


# --- thresholds and shrinkage ---------------------------------------------------------------------


@op(name="threshold", inplace=True, method=False)
def _threshold(xp: Any, input: Array, threshold: float, value: float) -> Array:
    """``input`` where it is above ``threshold``, ``value`` elsewhere.

    >>> import devgrad
    >>> devgrad.threshold(devgrad.tensor([0.5, 2.0]), 1.0, -1.0)
    tensor([-1.,  2.])
    """
    refuse_dtype(input, "bc", "threshold")
    return xp.where(input <= threshold, _like(xp, input, value), input)


_threshold.vjp(input=lambda g, input, threshold: masked(g, ~(input <= threshold)))


@composite(**FUNCTIONAL)
def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """``input`` where it is above ``threshold``, ``value`` elsewhere.

    >>> import devgrad
    >>> devgrad.nn.functional.threshold(devgrad.tensor([0.5, 2.0]), 1.0, -1.0)
    tensor([-1.,  2.])
    """
    chosen = _threshold.inplace if inplace else _threshold.function
    result: Tensor = chosen(input, threshold, value)
    return result


@op(namespaces=("", "nn.functional"))
def hardshrink(xp: Any, input: Array, lambd: float = 0.5) -> Array:
    """0 where ``input`` is within ``-lambd`` and ``lambd``, ``input`` elsewhere.

    >>> import devgrad
    >>> devgrad.hardshrink(devgrad.tensor([-0.4, 2.0]))
    tensor([0., 2.])
    """
    refuse_dtype(input, "biuc", "hardshrink")
    return xp.masked(input, ~((input >= -lambd) & (input <= lambd)))


hardshrink.vjp(input=lambda g, input, lambd: masked(g, ~((input >= -lambd) & (input <= lambd))))


@op(method=False, namespaces=("nn.functional",))
def softshrink(xp: Any, input: Array, lambd: float = 0.5) -> Array:
    """``input`` moved toward 0 by ``lambd``, and no further than 0.

    Raises:
        RuntimeError: ``lambd`` is negative.

    >>> import devgrad
    >>> devgrad.nn.functional.softshrink(devgrad.tensor([-0.4, 2.0]))
    tensor([0.0000, 1.5000])
    """
    refuse_dtype(input, "biuc", "softshrink")
    if not lambd >= 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    return input - xp.minimum(xp.maximum(input, -lambd), lambd)


softshrink.vjp(input=lambda g, input, lambd: masked(g, ~((input >= -lambd) & (input <= lambd))))

functional.update(
    relu_=_relu.inplace, leaky_relu_=_leaky_relu.inplace, hardtanh_=_hardtanh.inplace,
    threshold_=_threshold.inplace, rrelu_=FUNCTIONS[""]["rrelu_"],
)  # fmt: skip
