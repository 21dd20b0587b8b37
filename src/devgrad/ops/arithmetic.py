"""Arithmetic: sums, products, quotients, powers.

A row here reads: the operation, then for each operand the gradient that it receives from the
gradient ``g`` of the result.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from .._tensor import Tensor
from ._arguments import NUMBERS
from ._formula import conj, zeros_like
from ._inplace import write_into
from ._op import METHODS, Array, Number, composite, op
from ._promotion import OPERANDS, operand_fallback
from .comparison import not_negative, where
from .elementwise import log

__all__: list[str] = []


def _no_bool_minus(dtype: Any) -> None:
    if dtype.kind == "b":
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` "
            "or `logical_xor()` operator instead."
        )


def _refuse_bool(operands: tuple[Any, ...]) -> None:
    """Subtraction takes no bools, be they tensors or numbers; `_no_bool_minus` sees to two."""
    bools = [
        x.__class__ is bool or (isinstance(x, Tensor) and x._type.dtype.category == 0)
        for x in operands
    ]
    if any(bools) and not all(bools):
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are "
            "trying to invert a mask, use the `~` or `logical_not()` operator instead."
        )


def _scaled(xp: Any, x: Array, alpha: Any) -> Array:
    if x.dtype.kind in "iub" and isinstance(alpha, float):
        raise RuntimeError(
            "For integral input tensors, argument alpha must not be a floating point number."
        )
    return x if alpha == 1 else xp.multiply(x, xp.asarray(alpha).astype(x.dtype))


@op(elementwise=True, promotes=True, inplace=True, dunders=("__add__", "__radd__", "__iadd__"))
def add(xp: Any, input: Array, other: Array, *, alpha: Number = 1) -> Array:
    """``input + alpha * other``.

    >>> import devgrad
    >>> devgrad.add(devgrad.tensor([1.0, 2.0]), 3)
    tensor([4., 5.])
    """
    return xp.add(input, other if alpha == 1 else _scaled(xp, other, alpha))


add.vjp(input=lambda g: g, other=lambda g, alpha: g if alpha == 1 else g * conj_number(alpha))


def conj_number(x: Any) -> Any:
    """The conjugate of a Python number."""
    return x.conjugate() if isinstance(x, complex) else x


@op(
    elementwise=True,
    promotes=True,
    inplace=True,
    aliases=("subtract",),
    dunders=("__sub__", "__isub__"),
)
def sub(xp: Any, input: Array, other: Array, *, alpha: Number = 1) -> Array:
    """``input - alpha * other``."""
    try:
        return xp.subtract(input, other if alpha == 1 else _scaled(xp, other, alpha))
    except TypeError:  # the array libraries subtract no bools either
        _no_bool_minus(input.dtype)
        raise


sub.check = _refuse_bool
sub.vjp(input=lambda g: g, other=lambda g, alpha: -g if alpha == 1 else g * -conj_number(alpha))


@op(
    elementwise=True, promotes=True, numbers=("other",), node="RsubBackward1", dunders=("__rsub__",)
)
def rsub(xp: Any, input: Array, other: Array, *, alpha: Number = 1) -> Array:
    """``other - alpha * input``."""
    _no_bool_minus(input.dtype)
    return xp.subtract(other, input if alpha == 1 else _scaled(xp, input, alpha))


rsub.check = _refuse_bool
rsub.vjp(input=lambda g, alpha: -g if alpha == 1 else g * -conj_number(alpha), other=lambda g: g)


@op(promotes=True, inplace=True, aliases=("multiply",), dunders=("__mul__", "__rmul__", "__imul__"))
def mul(xp: Any, input: Array, other: Array) -> Array:
    """``input * other``.

    >>> import devgrad
    >>> devgrad.mul(devgrad.tensor([1.0, 2.0]), devgrad.tensor([3.0, 4.0]))
    tensor([3., 8.])
    """
    return xp.multiply(input, other)


mul.vjp(input=lambda g, other: g * conj(other), other=lambda g, input: g * conj(input))


@op(name="div", node="DivBackward0", floating=True, function=False, method=False)
def true_div(xp: Any, input: Array, other: Array) -> Array:
    """``input / other``, never an integer."""
    return xp.true_divide(input, other)


true_div.vjp(
    input=lambda g, other: g / conj(other),
    other=lambda g, other, out: -g * conj(out / other),
)


def _refuse_zero(xp: Any, input: Array, other: Array) -> None:
    """Integers cannot be divided by zero - where there is one to divide, and looking is cheap."""
    if input.dtype.kind in "iub" and xp.checks_bounds and input.size and (other == 0).any():
        raise RuntimeError("ZeroDivisionError: an integer was to be divided by zero")


@op(promotes=True, node="DivBackward2", function=False, method=False)
def _div_rounded(xp: Any, input: Array, other: Array, rounding_mode: str) -> Array:
    if input.dtype.kind in "iub":
        _refuse_zero(xp, input, other)
        quotient = xp.floor_divide(input, other)
        if rounding_mode == "trunc":
            remainder = input - quotient * other
            quotient = quotient + ((remainder != 0) & ((input < 0) != (other < 0))).astype(
                quotient.dtype
            )
        return quotient
    if rounding_mode == "trunc":
        return xp.trunc(xp.true_divide(input, other))
    return xp.floor_divide(input, other)


_div_rounded.vjp(input=lambda g: zeros_like(g), other=lambda g: zeros_like(g))


@composite(inplace=True, aliases=("divide",))
def div(
    input: Tensor | Number, other: Tensor | Number, *, rounding_mode: str | None = None
) -> Tensor:
    """``input / other``; with ``rounding_mode`` ``"floor"`` or ``"trunc"``, rounded.

    >>> import devgrad
    >>> devgrad.div(devgrad.tensor([7, -7]), 2, rounding_mode="floor")
    tensor([ 3, -4])
    """
    if rounding_mode is None:
        return true_div.function(input, other)
    if rounding_mode not in ("floor", "trunc"):
        raise RuntimeError(
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
            f"'{rounding_mode}'"
        )
    return _div_rounded.function(input, other, rounding_mode)


@composite(inplace=True)
def true_divide(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """``input / other``."""
    return true_div.function(input, other)


@composite(inplace=True)
def floor_divide(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """``input / other`` rounded down."""
    return _div_rounded.function(input, other, "floor")


@op(promotes=True, inplace=True, dunders=("__mod__", "__imod__"))
def remainder(xp: Any, input: Array, other: Array) -> Array:
    """What is left of ``input / other`` rounded down; it has the sign of ``other``."""
    _refuse_zero(xp, input, other)
    return xp.remainder(input, other)


remainder.vjp(
    input=lambda g: g,
    other=lambda g, input, other: -g * _div_rounded(input, other, "floor"),
)


@op(promotes=True, numbers=("other",), inplace=True)
def fmod(xp: Any, input: Array, other: Array) -> Array:
    """What is left of ``input / other`` rounded toward zero; it has the sign of ``input``."""
    _refuse_zero(xp, input, other)
    return xp.fmod(input, other)


fmod.vjp(
    input=lambda g: g,
    other=lambda g, input, other: -g * _div_rounded(input, other, "trunc"),
)


@op(elementwise=True, inplace=True, aliases=("negative",), dunders=("__neg__",))
def neg(xp: Any, input: Array) -> Array:
    """``-input``."""
    if input.dtype.kind == "b":
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead."
        )
    return xp.negative(input)


neg.vjp(input=lambda g: -g)


@op(elementwise=True, floating=True, inplace=True)
def reciprocal(xp: Any, input: Array) -> Array:
    """``1 / input``."""
    return xp.true_divide(xp.asarray(1, input.dtype), input)


reciprocal.vjp(input=lambda g, out: -g * conj(out * out))


# --- powers: three nodes, as in PyTorch, since a number has no gradient ---------------------------


# NumPy's power takes about a hundred times as long as a product.
_BY_PRODUCTS: dict[Any, int] = {n: n for n in range(3, 9)}


def _squared(base: Array, exponent: int) -> Array:
    """``base ** exponent`` for a positive integer, by squaring."""
    if exponent == 1:
        return base
    half = _squared(base, exponent // 2)
    return half * half * base if exponent % 2 else half * half


def _power(xp: Any, base: Array, exponent: Any) -> Array:
    """``base ** exponent`` for a Python number, by a few products where they do."""
    if exponent == 1:
        return +base if base.dtype.kind != "b" else base.copy()
    if exponent == 0:
        return xp.ones(base.shape, base.dtype)
    if base.dtype.kind in "fc":
        if exponent in _BY_PRODUCTS:
            return _squared(base, _BY_PRODUCTS[exponent])
        if exponent == 0.5:
            return xp.sqrt(base)
        if exponent == -1:
            return xp.true_divide(xp.asarray(1, base.dtype), base)
        return xp.power(base, xp.asarray(exponent).astype(base.dtype))
    if exponent < 0:
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    return xp.power(base, xp.asarray(exponent).astype(base.dtype))


@op(elementwise=True, node="PowBackward0", function=False, method=False)
def pow_number(xp: Any, input: Array, exponent: Any) -> Array:
    """A tensor to the power of a number that does not change its dtype."""
    return xp.multiply(input, input) if exponent == 2 else _power(xp, input, exponent)


pow_number.vjp(
    input=lambda g, input, exponent: (
        g * conj(input + input)
        if exponent == 2
        else zeros_like(input)
        if exponent == 0
        else g * conj(exponent * pow_number(input, exponent - 1))
    )
)


@op(node="PowBackward1", promotes=True, function=False, method=False)
def pow_tensor(xp: Any, input: Array, exponent: Array) -> Array:
    """A tensor to the power of a tensor."""
    if input.dtype.kind == "b":
        raise NotImplementedError(
            "\"pow\" not implemented for 'Bool'. Convert one of the two first, as in x.int()"
        )
    if input.dtype.kind == "i":
        # 1 / n is rounded toward zero, which leaves something of 1 and -1 alone.
        inverted = xp.where(input * input == 1, input, 0)
        base = xp.where(exponent < 0, inverted, input)
        return xp.power(base, xp.absolute(exponent))
    return xp.power(input, exponent)


# A real tensor to the power of a complex number.
pow_by_complex = op(
    name="pow_by_complex", node="PowBackward0", promotes=True, function=False, method=False
)(pow_tensor.forward)


@op(node="PowBackward2", promotes=True, function=False, method=False)
def pow_of_number(xp: Any, exponent: Array, base: Array) -> Array:
    """A number to the power of a tensor."""
    return pow_tensor.forward(xp, base, exponent)


def _pow_slope(base: Any, exponent: Any, out: Any) -> Any:
    """The derivative by the exponent. Of 0 to a power it is 0, not 0 * log(0)."""
    return conj(out * log(where((base == 0) & not_negative(exponent), 1, base)))


pow_tensor.vjp(
    input=lambda g, input, exponent: (
        g * conj(where(exponent == 0, 0, exponent * pow_tensor(input, exponent - 1)))
    ),
    exponent=lambda g, input, exponent, out: g * _pow_slope(input, exponent, out),
)
pow_by_complex.vjp(
    input=lambda g, input, exponent: g * conj(exponent * pow_tensor(input, exponent - 1))
)
pow_of_number.vjp(exponent=lambda g, base, exponent, out: g * _pow_slope(base, exponent, out))


_CATEGORIES = {bool: 0, int: 1, float: 2}


@composite(inplace=True, out=False, dunders=("__pow__", "__ipow__"))
def pow(input: Tensor | Number, exponent: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """``input ** exponent``; one of the two may be a number.

    >>> import devgrad
    >>> devgrad.pow(devgrad.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])

    Raises:
        RuntimeError: an integer tensor is raised to a negative integer.
    """
    if out is not None:
        return write_into("pow", pow, out, (input, exponent), {})
    if not isinstance(exponent, Tensor):
        category = input._type.dtype.category
        if category >= _CATEGORIES.get(exponent.__class__, 3):
            return pow_number.function(input, exponent)
        if not isinstance(exponent, NUMBERS):  # of the operator: the function has refused it
            return operand_fallback(_POWER, (input, exponent))
        if category == 2:
            return pow_by_complex.function(input, exponent)
        return pow_tensor.function(input, exponent)
    if not isinstance(input, Tensor):
        return pow_of_number.function(exponent, input)
    return pow_tensor.function(input, exponent)


# Operators that are no function's: what is neither tensor nor number, Python may ask elsewhere.


def _rpow(self: Tensor, base: Any) -> Any:
    if not isinstance(base, OPERANDS):
        return operand_fallback(_POWER, (base, self))
    if isinstance(base, Tensor):
        return pow_tensor.function(base, self)
    return pow_of_number.function(self, base)


def _rdiv(self: Tensor, other: Any) -> Any:
    if not isinstance(other, OPERANDS):
        return operand_fallback(true_div, (other, self))
    # As PyTorch does it: the graph of 1 / x shows a reciprocal and a product.
    return mul.function(reciprocal.function(self), other)


def _floordiv(self: Tensor, other: Any) -> Any:
    if not isinstance(other, OPERANDS):
        return operand_fallback(_FLOORED, (self, other))
    return _div_rounded.function(self, other, "floor")


def _rfloordiv(self: Tensor, other: Any) -> Any:
    if not isinstance(other, OPERANDS):
        return operand_fallback(_FLOORED, (other, self))
    return _div_rounded.function(other, self, "floor")


def _rmod(self: Tensor, other: Any) -> Any:
    if not isinstance(other, OPERANDS):
        return operand_fallback(remainder, (other, self))
    return remainder.function(other, self)


_POWER, _FLOORED = SimpleNamespace(function=pow), SimpleNamespace(function=floor_divide)


METHODS.update(
    __rpow__=_rpow, __rtruediv__=_rdiv, __rdiv__=_rdiv, __truediv__=true_div._stub("operator"),
    __itruediv__=METHODS["div_"], __floordiv__=_floordiv, __rfloordiv__=_rfloordiv,
    __ifloordiv__=METHODS["floor_divide_"], __rmod__=_rmod,
)  # fmt: skip
true_div.operator = METHODS["__truediv__"]
