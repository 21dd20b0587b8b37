"""Signs, conjugates, rounding: what takes a number apart."""

from __future__ import annotations

import math
from typing import Any

from .._tensor import Tensor
from ._errors import refuse_dtype
from ._formula import conj, zeros_like
from ._op import Array, Number, composite, op
from ._promotion import NUMBERS
from .comparison import isfinite, masked, where

__all__: list[str] = []


# --- signs ----------------------------------------------------------------------------------------


@op(name="abs", inplace=True, aliases=("absolute",), dunders=("__abs__",))
def absolute(xp: Any, input: Array) -> Array:
    """The absolute value; of complex numbers, a real one.

    >>> import devgrad
    >>> devgrad.abs(devgrad.tensor([-1.0, 2.0]))
    tensor([1., 2.])
    """
    refuse_dtype(input, "b", "abs")
    return xp.absolute(input)


@op(inplace=True)
def sign(xp: Any, input: Array) -> Array:
    """-1, 0 or 1, as the element is negative, zero or positive.

    >>> import devgrad
    >>> devgrad.sign(devgrad.tensor([-3.0, 0.0, 2.0]))
    tensor([-1.,  0.,  1.])
    """
    if input.dtype.kind == "c":
        raise NotImplementedError(
            "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use "
            "torch.sgn instead."
        )
    return _sign(xp, input)


def _sign(xp: Any, x: Array) -> Array:
    if x.dtype.kind == "b":
        return x.copy()
    if x.dtype.kind == "f":  # NaN has the sign 0 in PyTorch
        return xp.sign(xp.where(xp.isnan(x), 0, x))
    return xp.sign(x)


@op(node="NormalBackward0", function=False, method=False)
def drawn(xp: Any, sample: Array, first: Array, second: Array | None = None) -> Array:
    """Random numbers, by the parameters of their distribution: which they depend on, but not in a
    way that has a derivative. PyTorch records that as a derivative of zero."""
    return sample


drawn.vjp(first=None, second=None)
sign.vjp(input=lambda g: zeros_like(g))


@op(inplace=True)
def sgn(xp: Any, input: Array) -> Array:
    """``input / abs(input)``, and 0 where that is 0: the sign, also of complex numbers.

    >>> import devgrad
    >>> devgrad.sgn(devgrad.tensor([3 + 4j, 0j]))
    tensor([0.6000+0.8000j, 0.0000+0.0000j])
    """
    if input.dtype.kind != "c":
        return _sign(xp, input)
    size = xp.absolute(input)
    return xp.where(size == 0, 0, input / xp.where(size == 0, 1, size))


def _sgn_gradient(g: Any, input: Any, out: Any) -> Any:
    if input.dtype.kind != "c":
        return zeros_like(g)
    size = absolute(input)
    along = g * conj(out)  # its real part would change the length, which is fixed
    across = g - out * ((along + conj(along)) / 2)
    return where(size == 0, 0, across / where(size == 0, 1, size))


sgn.vjp(input=_sgn_gradient)
absolute.vjp(input=lambda g, input: g * sgn(input))


@op(name="copysign_tensor", node="CopysignBackward0", floating=True, function=False, method=False)
def copysign_tensor(xp: Any, input: Array, other: Array) -> Array:
    """The magnitude of ``input`` with the sign of ``other``."""
    refuse_dtype(input, "c", "copysign")
    return xp.copysign(input, other)


copysign_number = op(
    name="copysign_number", node="CopysignBackward1", floating=True, function=False, method=False
)(copysign_tensor.forward)


def _copysign_gradient(g: Any, input: Any, out: Any) -> Any:
    return g * where(input == 0, 0, out / where(input == 0, 1, input))


copysign_tensor.vjp(input=_copysign_gradient, other=lambda g: zeros_like(g))
copysign_number.vjp(input=_copysign_gradient)


@composite(inplace=True)
def copysign(input: Tensor, other: Tensor | Number) -> Tensor:
    """The magnitude of ``input`` with the sign of ``other``, a tensor or a number.

    >>> import devgrad
    >>> devgrad.copysign(devgrad.tensor([1.0, -2.0]), -0.0)
    tensor([-1., -2.])
    """
    chosen = copysign_number if isinstance(other, NUMBERS) else copysign_tensor
    result: Tensor = chosen.function(input, other)
    return result


@composite(out=False, dunders=("__pos__",))
def positive(input: Tensor) -> Tensor:
    """``input`` itself. Booleans are refused.

    >>> import devgrad
    >>> +devgrad.tensor([1.0, -2.0])
    tensor([ 1., -2.])
    """
    if input.dtype.kind == "b":
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


@op(name="conj_physical", function=False, method=False)
def conj_physical_complex(xp: Any, input: Array) -> Array:
    """The complex conjugate."""
    return xp.conj(input)


conj_lazy = op(name="conj", function=False, method=False)(conj_physical_complex.forward)
conj_physical_complex.vjp(input=lambda g: conj(g))
conj_lazy.vjp(input=lambda g: conj(g))


@composite(inplace=True)
def conj_physical(input: Tensor) -> Tensor:
    """The complex conjugate; of a real tensor, the tensor itself.

    >>> import devgrad
    >>> devgrad.conj_physical(devgrad.tensor([1 + 2j]))
    tensor([1.-2.j])
    """
    if not input.dtype.is_complex:
        return input
    result: Tensor = conj_physical_complex.function(input)
    return result


@composite(out=False)
def conj_(input: Tensor) -> Tensor:
    """The complex conjugate; of a real tensor, the tensor itself.

    Where PyTorch returns a view with a flag, this computes the conjugate at once.

    >>> import devgrad
    >>> devgrad.tensor([1 + 2j]).conj()
    tensor([1.-2.j])
    """
    if not input.dtype.is_complex:
        return input
    result: Tensor = conj_lazy.function(input)
    return result


@op(floating=True)
def angle(xp: Any, input: Array) -> Array:
    """The angle of complex numbers in radians; of real ones, 0 or pi.

    >>> import devgrad
    >>> devgrad.angle(devgrad.tensor([1j, -1 + 0j]))
    tensor([1.5708, 3.1416])
    """
    if input.dtype.kind == "c":
        return xp.arctan2(input.imag, input.real)
    turned = xp.where(input < 0, math.pi, 0.0)
    return xp.where(xp.isnan(input), math.nan, turned).astype(input.dtype)


def _angle_gradient(g: Any, input: Any) -> Any:
    if input.dtype.kind != "c":
        return zeros_like(g)
    return where(input == 0, 0, g * 1j / conj(where(input == 0, 1, input)))


angle.vjp(input=_angle_gradient)


# --- rounding -------------------------------------------------------------------------------------


def _rounded(xp: Any, input: Array, name: str, kernel: Any) -> Array:
    kind = input.dtype.kind
    if kind == "f":
        return kernel(input)
    if kind == "c" and name != "round":
        raise NotImplementedError(f"{name} is not supported for complex inputs")
    refuse_dtype(input, "bc", f"{name}_vml")
    return input.copy()


@op(inplace=True)
def ceil(xp: Any, input: Array) -> Array:
    """The smallest integer that is not below the element.

    >>> import devgrad
    >>> devgrad.ceil(devgrad.tensor([1.2, -1.2]))
    tensor([ 2., -1.])
    """
    return _rounded(xp, input, "ceil", xp.ceil)


@op(inplace=True)
def floor(xp: Any, input: Array) -> Array:
    """The largest integer that is not above the element.

    >>> import devgrad
    >>> devgrad.floor(devgrad.tensor([1.2, -1.2]))
    tensor([ 1., -2.])
    """
    return _rounded(xp, input, "floor", xp.floor)


@op(inplace=True, aliases=("fix",))
def trunc(xp: Any, input: Array) -> Array:
    """The element without what is behind the decimal point.

    >>> import devgrad
    >>> devgrad.trunc(devgrad.tensor([1.7, -1.7]))
    tensor([ 1., -1.])
    """
    return _rounded(xp, input, "trunc", xp.trunc)


@op(name="round_whole", node="RoundBackward0", function=False, method=False)
def round_whole(xp: Any, input: Array) -> Array:
    """The nearest integer; of two, the even one."""
    return _rounded(xp, input, "round", xp.rint)


@op(name="round_decimals", node="RoundBackward1", function=False, method=False)
def round_decimals(xp: Any, input: Array, decimals: int) -> Array:
    """The nearest multiple of a power of ten."""
    refuse_dtype(input, "biuc", "round")
    ten = xp.asarray(10.0 ** abs(decimals)).astype(input.dtype)
    return xp.rint(input * ten) / ten if decimals > 0 else xp.rint(input / ten) * ten


for _declared in (ceil, floor, trunc, round_whole, round_decimals):
    _declared.vjp(input=lambda g: zeros_like(g))


@composite(inplace=True, namespaces=("", "special"))
def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest number with so many decimals; of two, the even one.

    >>> import devgrad
    >>> devgrad.round(devgrad.tensor([0.5, 1.5, -2.7]))
    tensor([ 0.,  2., -3.])
    >>> devgrad.round(devgrad.tensor([1.234]), decimals=2)
    tensor([1.2300])
    """
    result: Tensor
    if decimals == 0:
        result = round_whole.function(input)
    else:
        result = round_decimals.function(input, decimals)
    return result


@op(inplace=True)
def frac(xp: Any, input: Array) -> Array:
    """What is behind the decimal point, with the sign of the element.

    >>> import devgrad
    >>> devgrad.frac(devgrad.tensor([1.25, -1.25]))
    tensor([ 0.2500, -0.2500])
    """
    refuse_dtype(input, "biuc", "frac")
    return input - xp.trunc(input)


frac.vjp(input=lambda g: g)


@op(inplace=True)
def nan_to_num(
    xp: Any, input: Array, nan: float | None = None, posinf: float | None = None,
    neginf: float | None = None,
) -> Array:  # fmt: skip
    """NaN and infinities replaced: by 0 and the largest and smallest finite numbers, or as given.

    >>> import devgrad
    >>> devgrad.nan_to_num(devgrad.tensor([float("nan"), float("inf"), 1.0]), posinf=9.0)
    tensor([0., 9., 1.])
    """
    if input.dtype.kind not in "fc":
        return input.copy()
    nan = 0.0 if nan is None else nan
    return xp.nan_to_num(input, nan=nan, posinf=posinf, neginf=neginf)


nan_to_num.vjp(input=lambda g, input: masked(g, isfinite(input)))
