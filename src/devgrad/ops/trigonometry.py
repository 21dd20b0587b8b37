"""Circular and hyperbolic functions, their inverses, and angles."""

from __future__ import annotations

import math
from typing import Any

from ._errors import refuse_dtype
from ._formula import conj
from ._op import Array, op
from .comparison import where
from .elementwise import rsqrt

__all__: list[str] = []


# --- circular -------------------------------------------------------------------------------------


@op(floating=True, inplace=True)
def sin(xp: Any, input: Array) -> Array:
    """The sine of an angle in radians.

    >>> import devgrad
    >>> devgrad.sin(devgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8415])
    """
    return xp.sin(input)


@op(floating=True, inplace=True)
def cos(xp: Any, input: Array) -> Array:
    """The cosine of an angle in radians.

    >>> import devgrad
    >>> devgrad.cos(devgrad.tensor([0.0, 1.0]))
    tensor([1.0000, 0.5403])
    """
    return xp.cos(input)


@op(floating=True, inplace=True)
def tan(xp: Any, input: Array) -> Array:
    """The tangent of an angle in radians.

    >>> import devgrad
    >>> devgrad.tan(devgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 1.5574])
    """
    return xp.tan(input)


sin.vjp(input=lambda g, input: g * conj(cos(input)))
cos.vjp(input=lambda g, input: -g * conj(sin(input)))
tan.vjp(input=lambda g, out: g * conj(out * out + 1))


@op(floating=True, inplace=True, namespaces=("", "special"))
def sinc(xp: Any, input: Array) -> Array:
    """``sin(pi * input) / (pi * input)``, and 1 at 0.

    >>> import devgrad
    >>> devgrad.sinc(devgrad.tensor([0.0, 0.5]))
    tensor([1.0000, 0.6366])
    """
    angle = input * math.pi
    zero = angle == 0
    return xp.where(zero, 1, xp.sin(angle) / xp.where(zero, 1, angle))


def _sinc_gradient(g: Any, input: Any) -> Any:
    angle = input * math.pi
    slope = (angle * cos(angle) - sin(angle)) / where(input == 0, 1, angle * input)
    return g * conj(where(input == 0, 0, slope))


sinc.vjp(input=_sinc_gradient)


@op(floating=True, inplace=True, aliases=("arcsin",))
def asin(xp: Any, input: Array) -> Array:
    """The angle in radians, from -pi/2 to pi/2, that has this sine.

    >>> import devgrad
    >>> devgrad.asin(devgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 1.5708])
    """
    return xp.arcsin(input)


@op(floating=True, inplace=True, aliases=("arccos",))
def acos(xp: Any, input: Array) -> Array:
    """The angle in radians, from 0 to pi, that has this cosine.

    >>> import devgrad
    >>> devgrad.acos(devgrad.tensor([1.0, 0.0]))
    tensor([0.0000, 1.5708])
    """
    return xp.arccos(input)


@op(floating=True, inplace=True, aliases=("arctan",))
def atan(xp: Any, input: Array) -> Array:
    """The angle in radians, from -pi/2 to pi/2, that has this tangent.

    >>> import devgrad
    >>> devgrad.atan(devgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7854])
    """
    return xp.arctan(input)


asin.vjp(input=lambda g, input: g * conj(rsqrt(1 - input * input)))
acos.vjp(input=lambda g, input: -g * conj(rsqrt(1 - input * input)))
atan.vjp(input=lambda g, input: g / conj(input * input + 1))


@op(floating=True, numbers=False, inplace=True, aliases=("arctan2",))
def atan2(xp: Any, input: Array, other: Array) -> Array:
    """The angle in radians, from -pi to pi, of the point with x ``other`` and y ``input``.

    >>> import devgrad
    >>> devgrad.atan2(devgrad.tensor([1.0, 1.0]), devgrad.tensor([1.0, -1.0]))
    tensor([0.7854, 2.3562])
    """
    refuse_dtype(input, "c", "atan2")
    return xp.arctan2(input, other)


def _inverse_square(input: Any, other: Any) -> Any:
    """``1 / (input² + other²)``; at the origin, which has no angle, 0."""
    square = input * input + other * other
    return where(square == 0, 0, 1 / where(square == 0, 1, square))


atan2.vjp(
    input=lambda g, input, other: g * (other * _inverse_square(input, other)),
    other=lambda g, input, other: g * (-input * _inverse_square(input, other)),
)


@op(promotes=True, numbers=False, inplace=True)
def hypot(xp: Any, input: Array, other: Array) -> Array:
    """``sqrt(input² + other²)``, without overflow.

    >>> import devgrad
    >>> devgrad.hypot(devgrad.tensor([3.0]), devgrad.tensor([4.0]))
    tensor([5.])
    """
    refuse_dtype(input, "biuc", "hypot")
    return xp.hypot(input, other)


hypot.vjp(
    input=lambda g, input, out: g * (input / out),
    other=lambda g, other, out: g * (other / out),
)


@op(node="Deg2RadBackward0", floating=True, inplace=True)
def deg2rad(xp: Any, input: Array) -> Array:
    """Degrees as radians.

    >>> import devgrad
    >>> devgrad.deg2rad(devgrad.tensor([180.0, 90.0]))
    tensor([3.1416, 1.5708])
    """
    if input.dtype.kind == "c":
        raise RuntimeError("deg2rad is not supported for complex tensors.")
    return input * (math.pi / 180)


@op(node="Rad2DegBackward0", floating=True, inplace=True)
def rad2deg(xp: Any, input: Array) -> Array:
    """Radians as degrees.

    >>> import devgrad
    >>> devgrad.rad2deg(devgrad.tensor([0.0, 3.0]))
    tensor([  0.0000, 171.8873])
    """
    if input.dtype.kind == "c":
        raise RuntimeError("rad2deg is not supported for complex tensors.")
    return input * (180 / math.pi)


deg2rad.vjp(input=lambda g: g * (math.pi / 180))
rad2deg.vjp(input=lambda g: g * (180 / math.pi))


# --- hyperbolic -----------------------------------------------------------------------------------


@op(floating=True, inplace=True)
def sinh(xp: Any, input: Array) -> Array:
    """The hyperbolic sine.

    >>> import devgrad
    >>> devgrad.sinh(devgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 1.1752])
    """
    return xp.sinh(input)


@op(floating=True, inplace=True)
def cosh(xp: Any, input: Array) -> Array:
    """The hyperbolic cosine.

    >>> import devgrad
    >>> devgrad.cosh(devgrad.tensor([0.0, 1.0]))
    tensor([1.0000, 1.5431])
    """
    return xp.cosh(input)


@op(floating=True, inplace=True)
def tanh(xp: Any, input: Array) -> Array:
    """The hyperbolic tangent.

    >>> import devgrad
    >>> devgrad.tanh(devgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])
    """
    return xp.tanh(input)


sinh.vjp(input=lambda g, input: g * conj(cosh(input)))
cosh.vjp(input=lambda g, input: g * conj(sinh(input)))
tanh.vjp(input=lambda g, out: g * conj(1 - out * out))


@op(floating=True, inplace=True, aliases=("arcsinh",))
def asinh(xp: Any, input: Array) -> Array:
    """The inverse of the hyperbolic sine.

    >>> import devgrad
    >>> devgrad.asinh(devgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8814])
    """
    return xp.arcsinh(input)


@op(floating=True, inplace=True, aliases=("arccosh",))
def acosh(xp: Any, input: Array) -> Array:
    """The inverse of the hyperbolic cosine; NaN for real numbers below 1.

    >>> import devgrad
    >>> devgrad.acosh(devgrad.tensor([1.0, 2.0]))
    tensor([0.0000, 1.3170])
    """
    return xp.arccosh(input)


@op(floating=True, inplace=True, aliases=("arctanh",))
def atanh(xp: Any, input: Array) -> Array:
    """The inverse of the hyperbolic tangent; NaN for real numbers beyond -1 and 1.

    >>> import devgrad
    >>> devgrad.atanh(devgrad.tensor([0.0, 0.5]))
    tensor([0.0000, 0.5493])
    """
    return xp.arctanh(input)


asinh.vjp(input=lambda g, input: g * conj(rsqrt(input * input + 1)))
# Two roots, not one of the product: the product's would be on the wrong branch for Re(input) < 0.
acosh.vjp(
    input=lambda g, input: (
        g * conj(rsqrt(input + 1) * rsqrt(input - 1))
        if input.dtype.kind == "c"
        else g * rsqrt(input * input - 1)
    )
)
atanh.vjp(input=lambda g, input: g / conj(1 - input * input))
