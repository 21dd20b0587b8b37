"""Special functions: Bessel functions and Airy's.

As in PyTorch only the modified ones of the first kind that have their own names (`i0`, `i0e`,
`i1`, `i1e`) have derivatives.
"""

from __future__ import annotations

from typing import Any

from ._errors import refuse_dtype
from ._op import Array, Op, op
from .comparison import where
from .rounding import sign

__all__: list[str] = []

_SPECIAL: dict[str, Any] = {"namespaces": ("special",), "method": False}


@op(elementwise=True, floating=True, inplace=True, namespaces=("", "special"))
def i0(xp: Any, input: Array) -> Array:
    """The modified Bessel function of the first kind of order 0.

    >>> import devgrad
    >>> devgrad.i0(devgrad.tensor([0.0, 1.0]))
    tensor([1.0000, 1.2661])
    """
    refuse_dtype(input, "c", "i0")
    return xp.special("i0", input)


@op(node="SpecialI0EBackward0", elementwise=True, floating=True, **_SPECIAL)
def i0e(xp: Any, input: Array) -> Array:
    """``exp(-abs(input)) * i0(input)``.

    >>> import devgrad
    >>> devgrad.special.i0e(devgrad.tensor([0.0, 1.0]))
    tensor([1.0000, 0.4658])
    """
    refuse_dtype(input, "c", "i0e")
    return xp.special("i0e", input)


@op(node="SpecialI1Backward0", elementwise=True, floating=True, **_SPECIAL)
def i1(xp: Any, input: Array) -> Array:
    """The modified Bessel function of the first kind of order 1.

    >>> import devgrad
    >>> devgrad.special.i1(devgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.5652])
    """
    refuse_dtype(input, "c", "i1")
    return xp.special("i1", input)


@op(node="SpecialI1EBackward0", elementwise=True, floating=True, **_SPECIAL)
def i1e(xp: Any, input: Array) -> Array:
    """``exp(-abs(input)) * i1(input)``.

    >>> import devgrad
    >>> devgrad.special.i1e(devgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.2079])
    """
    refuse_dtype(input, "c", "i1e")
    return xp.special("i1e", input)


def _over(value: Any, x: Any) -> Any:
    """``value / x``, and its limit 1/2 at 0."""
    zero = x == 0
    return where(zero, 0.5, value / where(zero, 1, x))


i0.vjp(input=lambda g, input: g * i1(input))
i0e.vjp(input=lambda g, input, out: g * (i1e(input) - sign(input) * out))
i1.vjp(input=lambda g, input, out: g * (i0(input) - _over(out, input)))
i1e.vjp(input=lambda g, input, out: g * (i0e(input) - sign(input) * out - _over(out, input)))


def _without_derivative(name: str, theirs: str, doc: str, parameter: str = "input") -> Op:
    def of_input(xp: Any, input: Array) -> Array:
        refuse_dtype(input, "c", name)
        return xp.special(theirs, input)

    def of_x(xp: Any, x: Array) -> Array:
        refuse_dtype(x, "c", name)
        return xp.special(theirs, x)

    forward = of_x if parameter == "x" else of_input
    forward.__name__ = forward.__qualname__ = name
    forward.__doc__ = f"{doc} It has no derivative here, as in PyTorch."
    declared: Op = op(elementwise=True, floating=True, **_SPECIAL)(forward)
    return declared


for _name, _theirs, _doc in (
    ("bessel_j0", "j0", "The Bessel function of the first kind of order 0."),
    ("bessel_j1", "j1", "The Bessel function of the first kind of order 1."),
    ("bessel_y0", "y0", "The Bessel function of the second kind of order 0."),
    ("bessel_y1", "y1", "The Bessel function of the second kind of order 1."),
    ("modified_bessel_i0", "i0", "The modified Bessel function of the first kind of order 0."),
    ("modified_bessel_i1", "i1", "The modified Bessel function of the first kind of order 1."),
    ("modified_bessel_k0", "k0", "The modified Bessel function of the second kind of order 0."),
    ("modified_bessel_k1", "k1", "The modified Bessel function of the second kind of order 1."),
):
    _without_derivative(_name, _theirs, _doc)
for _name, _theirs, _doc in (
    ("scaled_modified_bessel_k0", "k0e", "``exp(x)`` times `modified_bessel_k0`."),
    ("scaled_modified_bessel_k1", "k1e", "``exp(x)`` times `modified_bessel_k1`."),
    ("airy_ai", "airy", "Airy's function Ai."),
):
    _without_derivative(_name, _theirs, _doc, "x")


@op(elementwise=True, floating=True, **_SPECIAL)
def spherical_bessel_j0(xp: Any, x: Array) -> Array:
    """``sin(x) / x``. It has no derivative here, as in PyTorch: `sinc` has.

    >>> import devgrad
    >>> devgrad.special.spherical_bessel_j0(devgrad.tensor([0.0, 1.0]))
    tensor([1.0000, 0.8415])
    """
    refuse_dtype(x, "c", "spherical_bessel_j0")
    zero, far = x == 0, xp.isinf(x)
    regular = xp.where(zero | far, x.dtype.type(1), x)
    found = xp.where(zero, x.dtype.type(1), xp.sin(regular) / regular)
    return xp.where(far, x.dtype.type(0), found)
