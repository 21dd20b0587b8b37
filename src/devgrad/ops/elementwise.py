"""Functions of each element: exponentials, logarithms, roots, sigmoids; and weighted sums."""

from __future__ import annotations

import math
from typing import Any

from .._tensor import Tensor
from ..device import DTYPES
from ._errors import refuse_dtype
from ._formula import cast, conj
from ._op import FUNCTIONS, METHODS, Array, Number, composite, op
from ._promotion import NUMBERS, not_a_tensor
from .comparison import isinf, masked, where

__all__: list[str] = []

_LN2 = math.log(2)
_LN10 = math.log(10)


# --- exponentials and logarithms ------------------------------------------------------------------


@op(floating=True, inplace=True)
def exp(xp: Any, input: Array) -> Array:
    """``e ** input``.

    >>> import devgrad
    >>> devgrad.exp(devgrad.tensor([0.0, 1.0]))
    tensor([1.0000, 2.7183])
    """
    return xp.exp(input)


exp.vjp(input=lambda g, out: g * conj(out))


@op(floating=True, inplace=True, namespaces=("", "special"))
def exp2(xp: Any, input: Array) -> Array:
    """``2 ** input``.

    >>> import devgrad
    >>> devgrad.exp2(devgrad.tensor([0.0, 3.0]))
    tensor([1., 8.])
    """
    return xp.exp(input * _LN2) if input.dtype.kind == "c" else xp.exp2(input)


exp2.vjp(input=lambda g, out: g * conj(out) * _LN2)


@op(floating=True, inplace=True, namespaces=("", "special"))
def expm1(xp: Any, input: Array) -> Array:
    """``exp(input) - 1``, accurate for small ``input``.

    >>> import devgrad
    >>> devgrad.expm1(devgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 1.7183])
    """
    return xp.expm1(input)


expm1.vjp(input=lambda g, out: g * (conj(out) + 1))


@op(floating=True, inplace=True)
def log(xp: Any, input: Array) -> Array:
    """The natural logarithm. NaN for negative numbers, -inf for zero.

    >>> import devgrad
    >>> devgrad.log(devgrad.tensor([1.0, 10.0]))
    tensor([0.0000, 2.3026])
    """
    return xp.log(input)


log.vjp(input=lambda g, input: g / conj(input))


@op(floating=True, inplace=True)
def log2(xp: Any, input: Array) -> Array:
    """The logarithm to base 2.

    >>> import devgrad
    >>> devgrad.log2(devgrad.tensor([1.0, 8.0]))
    tensor([0., 3.])
    """
    return xp.log2(input)


log2.vjp(input=lambda g, input: g / (conj(input) * _LN2))


@op(floating=True, inplace=True)
def log10(xp: Any, input: Array) -> Array:
    """The logarithm to base 10.

    >>> import devgrad
    >>> devgrad.log10(devgrad.tensor([1.0, 50.0]))
    tensor([0.0000, 1.6990])
    """
    return xp.log10(input)


log10.vjp(input=lambda g, input: g / (conj(input) * _LN10))


@op(node="Log1PBackward0", floating=True, inplace=True, namespaces=("", "special"))
def log1p(xp: Any, input: Array) -> Array:
    """``log(1 + input)``, accurate for small ``input``.

    >>> import devgrad
    >>> devgrad.log1p(devgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.6931])
    """
    return xp.log1p(input)


log1p.vjp(input=lambda g, input: g / (conj(input) + 1))


@op(promotes=True, numbers=False)
def logaddexp(xp: Any, input: Array, other: Array) -> Array:
    """``log(exp(input) + exp(other))``, without overflow.

    >>> import devgrad
    >>> devgrad.logaddexp(devgrad.tensor([-1.0, 1000.0]), devgrad.tensor([-1.0, 1000.0]))
    tensor([-3.0685e-01,  1.0007e+03])
    """
    refuse_dtype(input, "biu", "logaddexp")
    if input.dtype.kind == "c":
        first = input.real >= other.real
        larger, smaller = xp.where(first, input, other), xp.where(first, other, input)
        return larger + xp.log1p(xp.exp(smaller - larger))
    return xp.logaddexp(input, other)


def _difference(a: Any, b: Any) -> Any:
    """``a - b``, and 0 where they are equal infinities."""
    return where((a == b) & isinf(a), 0, a - b)


@op(promotes=True, numbers=False)
def logaddexp2(xp: Any, input: Array, other: Array) -> Array:
    """``log2(2 ** input + 2 ** other)``, without overflow.

    >>> import devgrad
    >>> devgrad.logaddexp2(devgrad.tensor([1.0, 200.0]), devgrad.tensor([1.0, 200.0]))
    tensor([  2., 201.])
    """
    refuse_dtype(input, "biuc", "logaddexp2")
    return xp.logaddexp2(input, other)


@op(node="XlogyBackward0", floating=True, function=False, method=False)
def xlogy_tensors(xp: Any, input: Array, other: Array) -> Array:
    """``input * log(other)``; see `xlogy`."""
    refuse_dtype(input, "c", "xlogy")
    product = xp.where(xp.equal(input, 0), 0, input * xp.log(other))
    return xp.where(xp.isnan(other), xp.asarray(math.nan).astype(product.dtype), product)


xlogy_number_first = op(
    name="xlogy_number_first", node="XlogyBackward1", floating=True, function=False, method=False
)(xlogy_tensors.forward)
xlogy_number_last = op(
    name="xlogy_number_last", node="XlogyBackward2", floating=True, function=False, method=False
)(xlogy_tensors.forward)


def _log_unless_zero_times_zero(input: Any, other: Any) -> Any:
    return where((input == 0) & (other <= 0), 0, log(other))


xlogy_tensors.vjp(
    input=lambda g, input, other: g * _log_unless_zero_times_zero(input, other),
    other=lambda g, input, other: g * input / other,
)
xlogy_number_first.vjp(other=lambda g, input, other: g * input / other)
xlogy_number_last.vjp(input=lambda g, input, other: g * _log_unless_zero_times_zero(input, other))


@composite(inplace=True, namespaces=("", "special"))
def xlogy(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """``input * log(other)``, and 0 where ``input`` is 0; one of the two may be a number.

    >>> import devgrad
    >>> devgrad.xlogy(devgrad.tensor([0.0, 2.0]), devgrad.tensor([0.0, 1.0]))
    tensor([0., 0.])
    """
    chosen = xlogy_tensors
    if isinstance(input, NUMBERS):
        chosen = xlogy_number_first
    elif isinstance(other, NUMBERS):
        chosen = xlogy_number_last
    result: Tensor = chosen.function(input, other)
    return result


# --- roots and powers -----------------------------------------------------------------------------


@op(floating=True, inplace=True)
def sqrt(xp: Any, input: Array) -> Array:
    """The square root; NaN for negative numbers.

    >>> import devgrad
    >>> devgrad.sqrt(devgrad.tensor([4.0, 9.0]))
    tensor([2., 3.])
    """
    return xp.sqrt(input)


sqrt.vjp(input=lambda g, out: g / (2 * conj(out)))


@op(elementwise=True, floating=True, inplace=True)
def rsqrt(xp: Any, input: Array) -> Array:
    """``1 / sqrt(input)``.

    >>> import devgrad
    >>> devgrad.rsqrt(devgrad.tensor([4.0, 0.25]))
    tensor([0.5000, 2.0000])
    """
    return xp.reciprocal(xp.sqrt(input))


rsqrt.vjp(input=lambda g, out: g * (conj(out * out * out) * -0.5))


@composite(inplace=True)
def square(input: Tensor) -> Tensor:
    """``input ** 2``.

    >>> import devgrad
    >>> devgrad.square(devgrad.tensor([-3.0, 2.0]))
    tensor([9., 4.])
    """
    if not isinstance(input, Tensor):
        raise not_a_tensor("square", "input", 1, input)
    result: Tensor = FUNCTIONS[""]["pow"](input, 2)
    return result


@composite
def float_power(input: Tensor | Number, exponent: Tensor | Number) -> Tensor:
    """``input ** exponent`` in double precision, whatever the dtypes; one may be a number.

    >>> import devgrad
    >>> devgrad.float_power(devgrad.tensor([2, 3]), -1)
    tensor([0.5000, 0.3333], dtype=torch.float64)
    """
    given = (input, exponent)
    is_complex = any(
        x.dtype.is_complex if isinstance(x, Tensor) else isinstance(x, complex) for x in given
    )
    dtype = DTYPES["complex128" if is_complex else "float64"]
    base, power = (
        x
        if isinstance(x, Tensor) and x.dtype is dtype
        else cast.function(x, dtype.array_dtype)
        if isinstance(x, Tensor)
        else complex(x)
        if is_complex
        else float(x)
        for x in given
    )
    result: Tensor = FUNCTIONS[""]["pow"](base, power)
    return result


def _float_power_(self: Tensor, exponent: Any) -> Tensor:
    """The in-place form of `float_power`, for double precision alone."""
    of_exponent = exponent.dtype.is_complex if isinstance(exponent, Tensor) else (
        isinstance(exponent, complex)
    )  # fmt: skip
    dtype = DTYPES["complex128" if self.dtype.is_complex or of_exponent else "float64"]
    if self.dtype is not dtype:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {self.dtype.title} but the operation's "
            f"result requires dtype {dtype.title}. Use float_power(), or convert the base first"
        )
    changed: Tensor = METHODS["pow_"](self, exponent)
    return changed


METHODS["float_power_"] = _float_power_


# --- sigmoids -------------------------------------------------------------------------------------


@op(elementwise=True, floating=True, inplace=True)
def sigmoid(xp: Any, input: Array) -> Array:
    """``1 / (1 + exp(-input))``.

    >>> import devgrad
    >>> devgrad.sigmoid(devgrad.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])
    """
    half = input.dtype.itemsize == 2  # exp(-x) would overflow where the result is still a number
    t = xp.exp(xp.negative(input.astype("float32") if half else input))
    t += 1
    t = xp.reciprocal(t, out=t) if t.ndim else xp.reciprocal(t)
    return t.astype(input.dtype) if half else t


FUNCTIONS.setdefault("special", {})["expit"] = sigmoid.function
sigmoid.vjp(input=lambda g, out: g * conj(out * (1 - out)))
# Shares of a sum of exponentials, of two.
logaddexp.vjp(
    input=lambda g, input, other: g * conj(sigmoid(_difference(input, other))),
    other=lambda g, input, other: g * conj(sigmoid(_difference(other, input))),
)
logaddexp2.vjp(
    input=lambda g, input, other: g * sigmoid(_difference(input, other) * _LN2),
    other=lambda g, input, other: g * sigmoid(_difference(other, input) * _LN2),
)


@op(floating=True, inplace=True, namespaces=("", "special"))
def logit(xp: Any, input: Array, eps: float | None = None) -> Array:
    """``log(input / (1 - input))``, with ``input`` first kept within ``eps`` and ``1 - eps``.

    >>> import devgrad
    >>> devgrad.logit(devgrad.tensor([0.5, 0.9]))
    tensor([0.0000, 2.1972])
    """
    refuse_dtype(input, "c", "logit")
    if eps is not None:
        input = xp.clip(input, eps, 1 - eps)
    return xp.log(input / (1 - input))


def _logit_gradient(g: Any, input: Any, eps: Any) -> Any:
    low, high = (0, 1) if eps is None else (eps, 1 - eps)
    outside = (input < low) | (input > high)
    return where(outside, math.nan if eps is None else 0, g / (input * (1 - input)))


logit.vjp(input=_logit_gradient)


@op(inplace=True)
def relu(xp: Any, input: Array) -> Array:
    """``input`` where it is positive, 0 elsewhere.

    >>> import devgrad
    >>> devgrad.relu(devgrad.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    kind = input.dtype.kind
    if kind == "b":
        raise RuntimeError("Boolean inputs not supported for relu")
    if kind == "c":
        raise NotImplementedError("clamp is not supported for complex types")
    return xp.maximum(input, 0)


# No element of the output is negative; PyTorch lets the gradient pass where it is NaN.
relu.vjp(input=lambda g, out: masked(g, out != 0))


@op(floating=True, inplace=True, namespaces=("", "special"))
def erf(xp: Any, input: Array) -> Array:
    """The error function.

    >>> import devgrad
    >>> devgrad.erf(devgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8427])
    """
    refuse_dtype(input, "c", "erf")
    return xp.erf(input)


erf.vjp(input=lambda g, input: g * (exp(-(input * input)) * (2 / math.sqrt(math.pi))))


@op(floating=True, inplace=True, namespaces=("", "special"))
def erfc(xp: Any, input: Array) -> Array:
    """``1 - erf(input)``, accurate for large ``input``.

    >>> import devgrad
    >>> devgrad.erfc(devgrad.tensor([0.0, 1.0]))
    tensor([1.0000, 0.1573])
    """
    refuse_dtype(input, "c", "erfc")
    return xp.erfc(input)


erfc.vjp(input=lambda g, input: g * (exp(-(input * input)) * (-2 / math.sqrt(math.pi))))


# --- weighted sums --------------------------------------------------------------------------------


def _lerp(xp: Any, input: Array, end: Array, weight: Any) -> Array:
    refuse_dtype(input, "biu", "lerp_kernel_scalar")
    # From the nearer end, so that weight 1 gives the end exactly.
    near = abs(weight) < 0.5
    if near is True:
        return input + weight * (end - input)
    if near is False:
        return end - (end - input) * (1 - weight)
    return xp.where(near, input + weight * (end - input), end - (end - input) * (1 - weight))


@op(name="lerp_number", node="LerpBackward0", promotes=True, function=False, method=False)
def lerp_number(xp: Any, input: Array, end: Array, weight: Any) -> Array:
    """`lerp` by a number."""
    return _lerp(xp, input, end, weight)


lerp_number.vjp(
    input=lambda g, weight: g * (1 - weight.conjugate()),
    end=lambda g, weight: g * weight.conjugate(),
)


@op(name="lerp_tensor", node="LerpBackward1", promotes=True, function=False, method=False)
def lerp_tensor(xp: Any, input: Array, end: Array, weight: Array) -> Array:
    """`lerp` by a tensor."""
    return _lerp(xp, input, end, weight)


lerp_tensor.vjp(
    input=lambda g, weight: g * conj(1 - weight),
    end=lambda g, weight: g * conj(weight),
    weight=lambda g, input, end: g * conj(end - input),
)


@composite(inplace=True)
def lerp(input: Tensor, end: Tensor, weight: Tensor | Number) -> Tensor:
    """``input + weight * (end - input)``: from ``input`` at weight 0 to ``end`` at weight 1.

    >>> import devgrad
    >>> devgrad.lerp(devgrad.tensor([0.0, 10.0]), devgrad.tensor([1.0, 20.0]), 0.5)
    tensor([ 0.5000, 15.0000])

    Raises:
        RuntimeError: dtypes differ.
    """
    for name, x in (("end", end), ("weight", weight)):
        if isinstance(x, Tensor) and x.dtype is not input.dtype:
            raise RuntimeError(
                f"expected dtype {input.dtype.title.lower()} for `{name}` but got dtype "
                f"{x.dtype.title.lower()}. lerp() takes tensors of one dtype"
            )
    chosen = lerp_tensor if isinstance(weight, Tensor) else lerp_number
    result: Tensor = chosen.function(input, end, weight)
    return result


def _times(xp: Any, value: Any, product: Array) -> Array:
    return product if value == 1 else product * xp.asarray(value).astype(product.dtype)


@op(promotes=True, numbers=False, inplace=True)
def addcmul(xp: Any, input: Array, tensor1: Array, tensor2: Array, *, value: Number = 1) -> Array:
    """``input + value * tensor1 * tensor2``.

    >>> import devgrad
    >>> x = devgrad.tensor([1.0, 2.0])
    >>> devgrad.addcmul(x, x, x, value=10)
    tensor([11., 42.])
    """
    return input + _times(xp, value, tensor1 * tensor2)


addcmul.vjp(
    input=lambda g: g,
    tensor1=lambda g, tensor2, value: g * (conj(tensor2) * value.conjugate()),
    tensor2=lambda g, tensor1, value: g * (conj(tensor1) * value.conjugate()),
)


@op(name="addcdiv_tensors", node="AddcdivBackward0", promotes=True, function=False, method=False)
def addcdiv_tensors(
    xp: Any, input: Array, tensor1: Array, tensor2: Array, *, value: Any = 1
) -> Array:
    """``input + value * tensor1 / tensor2``."""
    return input + _times(xp, value, tensor1 / tensor2)


addcdiv_tensors.vjp(
    input=lambda g: g,
    tensor1=lambda g, tensor2, value: g * (value.conjugate() / conj(tensor2)),
    tensor2=lambda g, tensor1, tensor2, value: (
        -g * (conj(tensor1) * value.conjugate() / conj(tensor2 * tensor2))
    ),
)


@composite(inplace=True)
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """``input + value * tensor1 / tensor2``.

    >>> import devgrad
    >>> x = devgrad.tensor([1.0, 2.0])
    >>> devgrad.addcdiv(x, x, devgrad.tensor([2.0, 4.0]), value=10)
    tensor([6., 7.])

    Raises:
        RuntimeError: both ``tensor1`` and ``tensor2`` are integers.
    """
    if all(x.dtype.kind in "biu" for x in (tensor1, tensor2)):
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future  release "
            "addcdiv will perform a true division of tensor1 and tensor2. Convert one to a "
            "floating point dtype first, as in tensor1.float()"
        )
    result: Tensor = addcdiv_tensors.function(input, tensor1, tensor2, value=value)
    return result
