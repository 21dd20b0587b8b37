"""Activations with a curve: sigmoid-weighted, Gaussian and exponential units, and softplus.

The derivative of each is an operation of its own, with a derivative: it is evaluated in one go,
block by block, and gives every order. In a formula of such an operation ``G`` is the gradient of
its output, ``g`` the gradient of that gradient.
"""

from __future__ import annotations

import math
from typing import Any

from .._tensor import Tensor
from ._along import one_dim
from ._errors import refuse_dtype
from ._formula import conj
from ._functional import FUNCTIONAL, functional, in_wide
from ._op import FUNCTIONS, Array, composite, op
from .comparison import where
from .elementwise import exp, sigmoid
from .joining import cat
from .trigonometry import tanh

__all__: list[str] = []

functional["sigmoid"] = FUNCTIONS[""]["sigmoid"]
functional["tanh"] = FUNCTIONS[""]["tanh"]


# --- silu -----------------------------------------------------------------------------------------


@op(name="silu", inplace=True, function=False, method=False)
def _silu(xp: Any, input: Array) -> Array:
    refuse_dtype(input, "biu", "silu")
    return xp.silu(input)


@op(node="MulBackward0", function=False, method=False)
def silu_backward(xp: Any, grad_output: Array, input: Array) -> Array:
    """``G`` times the derivative ``s (1 + x (1 - s))``, where ``s`` is the sigmoid."""
    return xp.silu_backward(grad_output, input)


def _silu_second(x: Any) -> Any:
    s = sigmoid(x)
    return s * (1 - s) * (2 + x * (1 - 2 * s))


_silu.vjp(input=lambda g, input: silu_backward(g, input))
silu_backward.vjp(
    grad_output=lambda g, input: conj(silu_backward(conj(g), input)),
    input=lambda g, grad_output, input: conj(g) * grad_output * conj(_silu_second(input)),
)


@composite(**FUNCTIONAL)
def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """``input * sigmoid(input)``, of floating point or complex tensors of any shape.

    >>> import devgrad
    >>> devgrad.nn.functional.silu(devgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7311])
    """
    return _silu.inplace(input) if inplace else _silu.function(input)


# --- gelu -----------------------------------------------------------------------------------------

_NORMAL = 1 / math.sqrt(2 * math.pi)
_TANH_SCALE, _TANH_CUBE = math.sqrt(2 / math.pi), 0.044715


@op(method=False, namespaces=("nn.functional",))
def gelu(xp: Any, input: Array, *, approximate: str = "none") -> Array:
    """``input`` times the normal distribution's probability of less than ``input``.

    With ``approximate="tanh"``, by a formula with tanh that was once faster.

    Raises:
        RuntimeError: ``approximate`` is neither ``"none"`` nor ``"tanh"``.
        NotImplementedError: the dtype is not floating point.

    >>> import devgrad
    >>> devgrad.nn.functional.gelu(devgrad.tensor([-1.0, 1.0]))
    tensor([-0.1587,  0.8413])
    """
    refuse_dtype(input, "biuc", "GeluKernelImpl")
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    return xp.gelu(input, approximate == "tanh")


@op(node="GeluBackwardBackward0", function=False, method=False)
def gelu_backward(xp: Any, grad_output: Array, input: Array, *, approximate: str) -> Array:
    """``G`` times the derivative: the probability, and ``x`` times the density."""
    return xp.gelu_backward(grad_output, input, approximate == "tanh")


def _gelu_second(x: Any, approximate: str) -> Any:
    square = x * x
    if approximate == "none":
        return exp(square * -0.5) * (2 - square) * _NORMAL
    t = tanh(_TANH_SCALE * x * (1 + _TANH_CUBE * square))
    slope = _TANH_SCALE * (1 + 3 * _TANH_CUBE * square)
    return (1 - t * t) * (slope + x * (3 * _TANH_SCALE * _TANH_CUBE * x - t * slope * slope))


gelu.vjp(input=lambda g, input, approximate: gelu_backward(g, input, approximate=approximate))
gelu_backward.vjp(
    grad_output=lambda g, input, approximate: gelu_backward(g, input, approximate=approximate),
    input=lambda g, grad_output, input, approximate: (
        g * grad_output * _gelu_second(input, approximate)
    ),
)


# --- softplus and its mirror image ----------------------------------------------------------------


@op(method=False, namespaces=("nn.functional",))
def softplus(xp: Any, input: Array, beta: float = 1, threshold: float = 20) -> Array:
    """``log(1 + exp(beta * input)) / beta``, and ``input`` where ``beta * input > threshold``.

    Raises:
        NotImplementedError: the dtype is not floating point.

    >>> import devgrad
    >>> devgrad.nn.functional.softplus(devgrad.tensor([0.0, 100.0]))
    tensor([  0.6931, 100.0000])
    """
    refuse_dtype(input, "biuc", "softplus")

    def formula(x: Any) -> Any:
        scaled = x if beta == 1 else x * beta
        t = xp.log1p(xp.exp(scaled))
        if beta != 1:
            t /= beta
        return xp.where(scaled > threshold, x, t)

    return in_wide(xp, formula, input)


@op(node="SoftplusBackwardBackward0", function=False, method=False)
def softplus_backward(
    xp: Any, grad_output: Array, input: Array, beta: float, threshold: float
) -> Array:
    """``G`` times the sigmoid of ``beta * input``; ``G`` beyond the threshold."""

    def formula(g: Any, x: Any) -> Any:
        scaled = x if beta == 1 else x * beta
        t = xp.exp(xp.negative(scaled))
        t += 1
        return xp.where(scaled > threshold, g, xp.true_divide(g, t))

    return in_wide(xp, formula, grad_output, input)


def _softplus_second(x: Any, beta: float, threshold: float) -> Any:
    s = sigmoid(x * beta)
    return where(x * beta > threshold, 0, s * (1 - s) * beta)


softplus.vjp(
    input=lambda g, input, beta, threshold: softplus_backward(g, input, beta, threshold),
)
softplus_backward.vjp(
    grad_output=lambda g, input, beta, threshold: softplus_backward(g, input, beta, threshold),
    input=lambda g, grad_output, input, beta, threshold: (
        g * grad_output * _softplus_second(input, beta, threshold)
    ),
)


@op(name="logsigmoid", node="LogSigmoidBackward0", method=False, namespaces=("nn.functional",))
def logsigmoid(xp: Any, input: Array) -> Array:
    """``log(sigmoid(input))``, with all digits where that is close to 0 or far below.

    Raises:
        NotImplementedError: the dtype is not floating point.

    >>> import devgrad
    >>> devgrad.nn.functional.logsigmoid(devgrad.tensor([0.0, -100.0]))
    tensor([  -0.6931, -100.0000])
    """
    refuse_dtype(input, "biuc", "log_sigmoid")

    def formula(x: Any) -> Any:
        return xp.minimum(x, 0) - xp.log1p(xp.exp(xp.negative(xp.absolute(x))))

    return in_wide(xp, formula, input)


@op(node="LogSigmoidBackwardBackward0", function=False, method=False)
def logsigmoid_backward(xp: Any, grad_output: Array, input: Array) -> Array:
    """``G * sigmoid(-input)``."""

    def formula(g: Any, x: Any) -> Any:
        t = xp.exp(x)
        t += 1
        return xp.true_divide(g, t)

    return in_wide(xp, formula, grad_output, input)


def _minus_sigmoid_slope(x: Any) -> Any:
    s = sigmoid(x)
    return s * (s - 1)


logsigmoid.vjp(input=lambda g, input: logsigmoid_backward(g, input))
logsigmoid_backward.vjp(
    grad_output=lambda g, input: logsigmoid_backward(g, input),
    input=lambda g, grad_output, input: g * grad_output * _minus_sigmoid_slope(input),
)


# --- mish -----------------------------------------------------------------------------------------


def _mish_parts(xp: Any, x: Any) -> tuple[Any, Any]:
    """``e = exp(x)`` and ``n = e (e + 2)``: tanh(softplus(x)) is ``n / (n + 2)``.

    Beyond 20 that is 1 to the last digit, and ``e * e`` would overflow further on.
    """
    e = xp.exp(xp.minimum(x, 20))
    n = e + 2
    n *= e
    return e, n


@op(name="mish", inplace=True, function=False, method=False)
def _mish(xp: Any, input: Array) -> Array:
    refuse_dtype(input, "biuc", "mish")

    def formula(x: Any) -> Any:
        n = _mish_parts(xp, x)[1]
        t = x * n
        n += 2
        return xp.true_divide(t, n)

    return in_wide(xp, formula, input)


@op(node="MulBackward0", function=False, method=False)
def mish_backward(xp: Any, grad_output: Array, input: Array) -> Array:
    """``G (n (n + 2) + 4 x e (1 + e)) / (n + 2)**2``, with the parts of `mish`."""

    def formula(g: Any, x: Any) -> Any:
        e, n = _mish_parts(xp, x)
        below = n + 2
        rest = e + 1
        rest *= e
        rest *= x
        rest *= 4
        rest /= below
        n += rest
        n /= below
        n *= g
        return n

    return in_wide(xp, formula, grad_output, input)


def _mish_second(x: Any) -> Any:
    s, t = sigmoid(x), tanh(softplus(x))
    return s * (1 - t * t) * (2 + x * (1 - s - 2 * t * s))


_mish.vjp(input=lambda g, input: mish_backward(g, input))
mish_backward.vjp(
    grad_output=lambda g, input: mish_backward(g, input),
    input=lambda g, grad_output, input: g * grad_output * _mish_second(input),
)


@composite(**FUNCTIONAL)
def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """``input * tanh(softplus(input))``.

    >>> import devgrad
    >>> devgrad.nn.functional.mish(devgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8651])
    """
    return _mish.inplace(input) if inplace else _mish.function(input)


# --- exponential linear units ---------------------------------------------------------------------


@op(name="elu", inplace=True, function=False, method=False)
def _elu(
    xp: Any, input: Array, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0
) -> Array:
    refuse_dtype(input, "biuc", "elu")

    def formula(x: Any) -> Any:
        below = xp.minimum(x, 0)
        if input_scale != 1:
            below *= input_scale
        below = xp.expm1(below)
        below *= alpha * scale
        above = xp.maximum(x, 0)
        if scale != 1:
            above *= scale
        above += below
        return above

    return in_wide(xp, formula, input)


@op(node="EluBackwardBackward0", function=False, method=False)
def elu_backward(
    xp: Any, grad_output: Array, input: Array, alpha: float, scale: float, input_scale: float
) -> Array:
    """``G`` times ``scale`` above zero, times the slope of the exponential at zero and below."""

    def formula(g: Any, x: Any) -> Any:
        below = xp.fmin(x, 0)
        below *= input_scale
        slope = xp.exp(below)
        slope *= alpha * scale * input_scale
        flat = x <= 0
        slope *= flat
        slope += scale * (~flat).astype(x.dtype)
        slope *= g
        return slope

    return in_wide(xp, formula, grad_output, input)


def _elu_second(x: Any, alpha: float, scale: float, input_scale: float) -> Any:
    curved = exp(where(x <= 0, x, 0) * input_scale) * (alpha * scale * input_scale * input_scale)
    return where(x <= 0, curved, 0)


_elu.vjp(
    input=lambda g, input, alpha, scale, input_scale: elu_backward(
        g, input, alpha, scale, input_scale
    )
)
elu_backward.vjp(
    grad_output=lambda g, input, alpha, scale, input_scale: elu_backward(
        g, input, alpha, scale, input_scale
    ),
    input=lambda g, grad_output, input, alpha, scale, input_scale: (
        g * grad_output * _elu_second(input, alpha, scale, input_scale)
    ),
)

# PyTorch's nodes of the two relatives have names of their own.
_celu = op(name="celu", inplace=True, function=False, method=False)(_elu.forward)
_celu.vjp(input=_elu.rules["input"][0])
_SELU = {"alpha": 1.6732632423543772, "scale": 1.0507009873554805}


@composite(**FUNCTIONAL)
def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """``input`` where it is positive, ``alpha * (exp(input) - 1)`` elsewhere.

    >>> import devgrad
    >>> devgrad.nn.functional.elu(devgrad.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    return (_elu.inplace if inplace else _elu.function)(input, alpha)


@composite(method=False, out=False, inplace=True)
def selu(input: Tensor) -> Tensor:
    """`nn.functional.elu`, scaled so that layers keep mean 0 and variance 1.

    >>> import devgrad
    >>> devgrad.selu(devgrad.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """
    result: Tensor = _elu.function(input, **_SELU)
    return result


def _celu_scale(alpha: float) -> float:
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return 1 / alpha


@composite(method=False, out=False, inplace=True)
def celu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """``input`` where it is positive, ``alpha * (exp(input / alpha) - 1)`` elsewhere.

    Raises:
        RuntimeError: ``alpha`` is 0.

    >>> import devgrad
    >>> devgrad.celu(devgrad.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    result: Tensor = _celu.function(input, alpha, 1.0, _celu_scale(alpha))
    return result


@composite(**FUNCTIONAL)
def selu_(input: Tensor, inplace: bool = False) -> Tensor:
    """`devgrad.selu`, also in place.

    >>> import devgrad
    >>> devgrad.nn.functional.selu(devgrad.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """
    result: Tensor = FUNCTIONS[""]["selu_" if inplace else "selu"](input)
    return result


@composite(**FUNCTIONAL)
def celu_(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """`devgrad.celu`, also in place.

    >>> import devgrad
    >>> devgrad.nn.functional.celu(devgrad.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    result: Tensor = FUNCTIONS[""]["celu_" if inplace else "celu"](input, alpha)
    return result


functional.update(
    elu_=_elu.inplace, selu_=FUNCTIONS[""]["selu_"], celu_=FUNCTIONS[""]["celu_"],
)  # fmt: skip


# --- smooth steps without exponentials, and gates -------------------------------------------------


@composite(**FUNCTIONAL)
def softsign(input: Tensor) -> Tensor:
    """``input / (1 + |input|)``.

    >>> import devgrad
    >>> devgrad.nn.functional.softsign(devgrad.tensor([-1.0, 3.0]))
    tensor([-0.5000,  0.7500])
    """
    return input / (input.abs() + 1)


@composite(**FUNCTIONAL)
def tanhshrink(input: Tensor) -> Tensor:
    """``input - tanh(input)``.

    >>> import devgrad
    >>> devgrad.nn.functional.tanhshrink(devgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.2384])
    """
    return input - input.tanh()


def _halves(x: Any, dim: int) -> tuple[Any, Any]:
    front, n = (slice(None),) * dim, x.shape[dim] // 2
    return x[(*front, slice(0, n))], x[(*front, slice(n, None))]


def _glu_gradient(g: Any, input: Any, dim: int) -> Any:
    value, gate = _halves(input, dim)
    s = sigmoid(gate)
    return cat([g * s, g * value * (s * (1 - s))], dim)


@op(name="glu", function=False, method=False)
def _glu(xp: Any, input: Array, dim: int) -> Array:
    refuse_dtype(input, "biuc", "glu")

    def formula(value: Any, gate: Any) -> Any:
        t = xp.exp(xp.negative(gate))
        t += 1
        return xp.true_divide(value, t)

    return in_wide(xp, formula, *_halves(input, dim))


_glu.vjp(input=_glu_gradient)


@composite(**FUNCTIONAL)
def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half along ``dim`` times the sigmoid of the second half.

    Raises:
        RuntimeError: the size of ``dim`` is odd, or ``input`` is 0-dimensional.

    >>> import devgrad
    >>> devgrad.nn.functional.glu(devgrad.tensor([2.0, 0.0]))
    tensor([1.])
    """
    if not input._array.ndim:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    place = one_dim("glu", input, dim)
    size = input._array.shape[place]
    if size % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {place} is size {size}")
    result: Tensor = _glu.function(input, place)
    return result
