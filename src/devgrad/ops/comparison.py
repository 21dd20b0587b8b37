"""Comparing and choosing: what gives booleans, and what chooses by them."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor, constant
from ..device import dtype_of_array, get_default_dtype
from ._arguments import kind_name
from ._errors import refuse_dtype
from ._op import FUNCTIONS, METHODS, Array, Number, composite, op
from ._promotion import not_a_tensor, same_device

__all__: list[str] = []


# --- comparisons: booleans, without a gradient ----------------------------------------------------


@op(promotes=True, numbers=("other",), inplace=True, dunders=("__eq__",))
def eq(xp: Any, input: Array, other: Array) -> Array:
    """``input == other``, element by element: a bool tensor of the shape both broadcast to.

    >>> import devgrad
    >>> devgrad.eq(devgrad.tensor([1, 2]), devgrad.tensor([1, 3]))
    tensor([ True, False])
    """
    return xp.equal(input, other)


@op(promotes=True, numbers=("other",), inplace=True, aliases=("not_equal",), dunders=("__ne__",))
def ne(xp: Any, input: Array, other: Array) -> Array:
    """``input != other``, element by element.

    >>> import devgrad
    >>> devgrad.tensor([1, 2]) != 1
    tensor([False,  True])
    """
    return xp.not_equal(input, other)


@op(promotes=True, numbers=("other",), inplace=True, aliases=("less",), dunders=("__lt__",))
def lt(xp: Any, input: Array, other: Array) -> Array:
    """``input < other``, element by element. Complex numbers have no order.

    >>> import devgrad
    >>> devgrad.tensor([1, 2]) < 2
    tensor([ True, False])
    """
    refuse_dtype(input, "c", "lt")
    return xp.less(input, other)


@op(promotes=True, numbers=("other",), inplace=True, aliases=("less_equal",), dunders=("__le__",))
def le(xp: Any, input: Array, other: Array) -> Array:
    """``input <= other``, element by element. Complex numbers have no order.

    >>> import devgrad
    >>> devgrad.tensor([1, 2, 3]) <= 2
    tensor([ True,  True, False])
    """
    refuse_dtype(input, "c", "le")
    return xp.less_equal(input, other)


@op(promotes=True, numbers=("other",), inplace=True, aliases=("greater",), dunders=("__gt__",))
def gt(xp: Any, input: Array, other: Array) -> Array:
    """``input > other``, element by element. Complex numbers have no order.

    >>> import devgrad
    >>> devgrad.tensor([1, 2]) > 1
    tensor([False,  True])
    """
    refuse_dtype(input, "c", "gt")
    return xp.greater(input, other)


@op(
    promotes=True, numbers=("other",), inplace=True, aliases=("greater_equal",), dunders=("__ge__",)
)
def ge(xp: Any, input: Array, other: Array) -> Array:
    """``input >= other``, element by element. Complex numbers have no order.

    >>> import devgrad
    >>> devgrad.tensor([1, 2, 3]) >= 2
    tensor([False,  True,  True])
    """
    refuse_dtype(input, "c", "ge")
    return xp.greater_equal(input, other)


@composite(out=False)
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and the same elements: one Python bool.

    >>> import devgrad
    >>> devgrad.equal(devgrad.tensor([1, 2]), devgrad.tensor([1, 2]))
    True

    Raises:
        TypeError: one is no tensor.
        RuntimeError: they are on different devices.
    """
    _only_tensors("equal", input, other)
    same_device((input, other), "equal")
    if input._array.shape != other._array.shape:
        return False
    return bool(eq.function(input, other)._array.all())


def _only_tensors(name: str, input: Any, other: Any) -> None:
    for position, (parameter, x) in enumerate((("input", input), ("other", other)), 1):
        if not isinstance(x, Tensor):
            raise not_a_tensor(name, parameter, position, x)


@op(promotes=True, function=False, method=False)
def close_to(
    xp: Any, input: Array, other: Array, rtol: float, atol: float, equal_nan: bool
) -> Array:
    """Whether elements differ by at most ``atol + rtol * abs(other)``."""
    if input.dtype.kind in "biu":  # differences of unsigned integers would wrap around
        input, other = input.astype("int64"), other.astype("int64")
    close = xp.equal(input, other)
    if equal_nan:
        close = close | (xp.isnan(input) & xp.isnan(other))
    if rtol == 0 and atol == 0:
        return close
    difference = xp.absolute(input - other)
    return close | (xp.isfinite(difference) & (difference <= atol + xp.absolute(rtol * other)))


@composite(out=False)
def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Tensor:
    """Where ``abs(input - other) <= atol + rtol * abs(other)``: a bool tensor.

    Equal infinities are close; NaN is close to NaN if ``equal_nan``.

    >>> import devgrad
    >>> devgrad.isclose(devgrad.tensor([1.0, 2.0]), devgrad.tensor([1.0 + 1e-7, 2.1]))
    tensor([ True, False])

    Raises:
        RuntimeError: dtypes differ, or a tolerance is negative.
    """
    _only_tensors("isclose", input, other)
    if input.dtype is not other.dtype:
        raise RuntimeError(
            f"{input.dtype.title} did not match {other.dtype.title}. isclose() and allclose() "
            "compare tensors of one dtype: convert one, as in other.to(input.dtype)"
        )
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if tolerance < 0:
            raise RuntimeError(f"{name} must be greater than or equal to zero, but got {tolerance}")
    found: Tensor = close_to.function(input, other, rtol, atol, equal_nan)
    return found


@composite(out=False)
def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Whether all elements are close, by the rule of `isclose`: one Python bool.

    >>> import devgrad
    >>> devgrad.allclose(devgrad.tensor([1.0]), devgrad.tensor([1.0 + 1e-7]))
    True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan)._array.all())


# --- kinds of numbers -----------------------------------------------------------------------------


@op
def isnan(xp: Any, input: Array) -> Array:
    """Where an element is NaN.

    >>> import devgrad
    >>> devgrad.isnan(devgrad.tensor([1.0, float("nan")]))
    tensor([False,  True])
    """
    return xp.not_equal(input, input)


@op
def isinf(xp: Any, input: Array) -> Array:
    """Where an element is infinite, of either sign.

    >>> import devgrad
    >>> devgrad.isinf(devgrad.tensor([1.0, float("-inf")]))
    tensor([False,  True])
    """
    return xp.isinf(input)


@op
def isfinite(xp: Any, input: Array) -> Array:
    """Where an element is neither infinite nor NaN.

    >>> import devgrad
    >>> devgrad.isfinite(devgrad.tensor([1.0, float("inf"), float("nan")]))
    tensor([ True, False, False])
    """
    return xp.isfinite(input)


@op
def isposinf(xp: Any, input: Array) -> Array:
    """Where an element is positive infinity.

    >>> import devgrad
    >>> devgrad.isposinf(devgrad.tensor([float("inf"), float("-inf")]))
    tensor([ True, False])
    """
    return _is_infinity(xp, input, "isposinf", float("inf"))


@op
def isneginf(xp: Any, input: Array) -> Array:
    """Where an element is negative infinity.

    >>> import devgrad
    >>> devgrad.isneginf(devgrad.tensor([float("inf"), float("-inf")]))
    tensor([False,  True])
    """
    return _is_infinity(xp, input, "isneginf", float("-inf"))


def _is_infinity(xp: Any, input: Array, name: str, infinity: float) -> Array:
    if input.dtype.kind == "c":
        raise RuntimeError(f"{name} does not support complex inputs.")
    if input.dtype.kind != "f":
        return xp.zeros(input.shape, bool)
    return xp.equal(input, infinity)


@op
def isreal(xp: Any, input: Array) -> Array:
    """Where an element has no imaginary part.

    >>> import devgrad
    >>> devgrad.isreal(devgrad.tensor([1 + 1j, 2 + 0j]))
    tensor([False,  True])
    """
    if input.dtype.kind != "c":
        return xp.ones(input.shape, bool)
    return xp.equal(input.imag, 0)


@op(function=False, method=False)
def not_negative(xp: Any, input: Array) -> Array:
    """Where the real part is zero or positive."""
    return xp.greater_equal(input.real, 0)


@op
def signbit(xp: Any, input: Array) -> Array:
    """Where the sign is negative; that of -0.0 is.

    >>> import devgrad
    >>> devgrad.signbit(devgrad.tensor([1.0, -0.0]))
    tensor([False,  True])
    """
    if input.dtype.kind == "c":
        raise NotImplementedError("signbit is not implemented for complex tensors.")
    return xp.signbit(input) if input.dtype.kind == "f" else xp.less(input, 0)


# --- choosing -------------------------------------------------------------------------------------


@op(node="WhereBackward0", function=False, method=False)
def masked(xp: Any, input: Array, mask: Array) -> Array:
    """``input`` where ``mask`` is true, zero elsewhere. Their shapes are the same."""
    return xp.masked(input, mask)


masked.vjp(input=lambda g, mask: masked(g, mask))


@op(promotes=("input", "other"), function=False, method=False)
def where(xp: Any, condition: Array, input: Array, other: Array) -> Array:
    """``input`` where ``condition`` is true, ``other`` elsewhere."""
    if condition.dtype.kind != "b":
        if condition.dtype.name != "uint8":
            title = dtype_of_array(condition)
            raise RuntimeError(
                "where expected condition to be a boolean tensor, but got a tensor with dtype "
                f"{title.title if title else condition.dtype}. Compare it first: condition != 0"
            )
        condition = condition != 0
    return xp.where(condition, input, other)


where.vjp(
    input=lambda g, condition: where(condition, g, 0),
    other=lambda g, condition: where(condition, 0, g),
)


@composite(method=False)
def where_(
    condition: Tensor, input: Tensor | Number | None = None, other: Tensor | Number | None = None
) -> Any:
    """``input`` where ``condition`` is true, ``other`` elsewhere; each a tensor or a number.

    The three are broadcast. With ``condition`` alone: the indices where it is true, as
    ``nonzero(as_tuple=True)``.

    >>> import devgrad
    >>> x = devgrad.tensor([-1.0, 2.0])
    >>> devgrad.where(x > 0, x, 0.0)
    tensor([0., 2.])

    Raises:
        RuntimeError: ``condition`` is not bool, or shapes do not broadcast.
        TypeError: an argument is missing, or neither tensor nor number.
    """
    if input is None and other is None:
        return FUNCTIONS[""]["nonzero"](condition, as_tuple=True)
    if input is None or other is None:
        given = ", ".join(kind_name(x) for x in (condition, input, other) if x is not None)
        raise TypeError(
            f"where() received an invalid combination of arguments - got ({given}), but expected "
            "a bool Tensor, and two that are Tensors or numbers"
        )
    if not isinstance(input, Tensor) and not isinstance(other, Tensor):
        input = _number_beside(condition, input)
    return where.function(condition, input, other)


def _number_beside(x: Tensor, number: Any) -> Tensor:
    """A Python number as a 0-dim tensor of its own dtype on the device of ``x``."""
    name = {bool: "bool", int: "int64"}.get(number.__class__)
    dtype = get_default_dtype()
    if isinstance(number, complex):
        dtype = dtype.to_complex()
    types = x._type.device.types
    return constant(number, types[dtype.array_dtype if name is None else x._type.xp.dtype(name)])


def _where_method(self: Tensor, condition: Tensor, other: Any) -> Any:
    """``self`` where ``condition`` is true, ``other`` elsewhere."""
    return where_(condition, self, other)


_where_method.__name__ = _where_method.__qualname__ = "where"
METHODS["where"] = _where_method


def _ordered(name: str, x: Array) -> None:
    if x.dtype.kind == "c":
        raise RuntimeError(f"{name} not implemented for complex tensors.")


@op(promotes=True, numbers=False)
def maximum(xp: Any, input: Array, other: Array) -> Array:
    """The larger of both elements; NaN if one is.

    Where they are equal, each gets half the gradient.

    >>> import devgrad
    >>> devgrad.maximum(devgrad.tensor([1.0, 5.0]), devgrad.tensor([3.0, 2.0]))
    tensor([3., 5.])
    """
    _ordered("maximum", input)
    return xp.maximum(input, other)


maximum.vjp(
    input=lambda g, input, other: masked(where(input == other, g / 2, g), ~(input < other)),
    other=lambda g, input, other: masked(where(input == other, g / 2, g), ~(input > other)),
)


@op(promotes=True, numbers=False)
def minimum(xp: Any, input: Array, other: Array) -> Array:
    """The smaller of both elements; NaN if one is.

    Where they are equal, each gets half the gradient.

    >>> import devgrad
    >>> devgrad.minimum(devgrad.tensor([1.0, 5.0]), devgrad.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    _ordered("minimum", input)
    return xp.minimum(input, other)


minimum.vjp(
    input=lambda g, input, other: masked(where(input == other, g / 2, g), ~(input > other)),
    other=lambda g, input, other: masked(where(input == other, g / 2, g), ~(input < other)),
)


@op(promotes=True, numbers=False)
def fmax(xp: Any, input: Array, other: Array) -> Array:
    """The larger of both elements; the number, where the other is NaN.

    >>> import devgrad
    >>> devgrad.fmax(devgrad.tensor([1.0, float("nan")]), devgrad.tensor([3.0, 2.0]))
    tensor([3., 2.])
    """
    _ordered("fmax", input)
    return xp.fmax(input, other)


fmax.vjp(
    input=lambda g, input, other: masked(g, (input >= other) | isnan(other)),
    other=lambda g, input, other: masked(g, ~((input >= other) | isnan(other))),
)


@op(promotes=True, numbers=False)
def fmin(xp: Any, input: Array, other: Array) -> Array:
    """The smaller of both elements; the number, where the other is NaN.

    >>> import devgrad
    >>> devgrad.fmin(devgrad.tensor([1.0, float("nan")]), devgrad.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    _ordered("fmin", input)
    return xp.fmin(input, other)


fmin.vjp(
    input=lambda g, input, other: masked(g, (input <= other) | isnan(other)),
    other=lambda g, input, other: masked(g, ~((input <= other) | isnan(other))),
)


def _no_derivative(name: str) -> Any:
    raise RuntimeError(
        f"derivative for aten::{name} is not implemented: it is a step, whose slope is zero or none"
    )


@op(node="NotImplemented", promotes=True, function=False, method=False)
def step_to(xp: Any, input: Array, values: Array) -> Array:
    """0 below zero, 1 above, ``values`` at zero."""
    if input.dtype.kind == "c":
        raise RuntimeError("heaviside is not yet implemented for complex tensors.")
    return xp.where(xp.equal(input, 0), values, xp.greater(input, 0).astype(input.dtype))


step_to.vjp(
    input=lambda g: _no_derivative("heaviside"), values=lambda g: _no_derivative("heaviside")
)


@composite(inplace=True)
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """The unit step: 0 where ``input < 0``, 1 where ``input > 0``, ``values`` where it is 0.

    >>> import devgrad
    >>> devgrad.heaviside(devgrad.tensor([-1.0, 0.0, 2.0]), devgrad.tensor(0.5))
    tensor([0.0000, 0.5000, 1.0000])

    Raises:
        RuntimeError: dtypes differ, or are complex; or its gradient is asked for.
    """
    for position, (name, x) in enumerate((("input", input), ("values", values)), 1):
        if not isinstance(x, Tensor):
            raise not_a_tensor("heaviside", name, position, x)
    if input.dtype is not values.dtype:
        raise RuntimeError(
            "heaviside is not yet implemented for tensors with different dtypes. They are "
            f"{input.dtype} and {values.dtype}"
        )
    stepped: Tensor = step_to.function(input, values)
    return stepped
