"""Scans: running sums, products and extremes along a dimension.

Two helpers carry the derivatives. `shifted` moves values one place along; `recurrence` solves
``h[i] = a[i] h[i-1] + b[i]``, in which the gradients of running products and of running
log-sum-exps are written without dividing by anything, so that zeros are no trouble. Each of the
two has its transpose in itself, run backward; so derivatives of any order follow.
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ..device import DType
from ._along import array_dtype, check_tensor, one_dim, put_along
from ._formula import cast, conj
from ._op import FUNCTIONS, Array, composite, op
from .elementwise import logaddexp

__all__ = ["exp_of_difference", "products_of_others", "recurrence", "shifted"]


def _cut(x: Any, dim: int, start: int | None, stop: int | None, step: int | None = None) -> Any:
    return x[(slice(None),) * dim + (slice(start, stop, step),)]


def _flipped(x: Any, dim: int, reverse: bool) -> Any:
    return _cut(x, dim, None, None, -1) if reverse else x


@op(function=False, method=False)
def shifted(xp: Any, input: Array, dim: int, reverse: bool, fill: Any) -> Array:
    """Each value one place further along ``dim`` (back if ``reverse``), with ``fill`` let in."""
    result = xp.full(input.shape, fill, input.dtype)
    if input.ndim:
        _cut(_flipped(result, dim, reverse), dim, 1, None)[...] = _cut(
            _flipped(input, dim, reverse), dim, None, -1
        )
    return result


shifted.vjp(input=lambda g, dim, reverse: shifted(g, dim, not reverse, 0))


@op(function=False, method=False)
def recurrence(xp: Any, factor: Array, term: Array, dim: int, reverse: bool) -> Array:
    """``h[i] = factor[i] h[i-1] + term[i]`` along ``dim``, from its end if ``reverse``."""
    if not term.ndim:
        return term.copy()
    # Each pass doubles how far back every element looks: log n passes over whole arrays.
    result, factor = xp.array(term), xp.array(factor)
    h, a = _flipped(result, dim, reverse), _flipped(factor, dim, reverse)
    step, n = 1, term.shape[dim]
    while step < n:
        late = _cut(a, dim, step, None)
        _cut(h, dim, step, None)[...] += late * _cut(h, dim, None, -step)
        late[...] = late * _cut(a, dim, None, -step)
        step *= 2
    return result


def _recurrence_term(g: Any, factor: Any, dim: int, reverse: bool) -> Any:
    return recurrence(shifted(conj(factor), dim, not reverse, 0), g, dim, not reverse)


recurrence.vjp(
    term=lambda g, factor, dim, reverse: _recurrence_term(g, factor, dim, reverse),
    factor=lambda g, factor, out, dim, reverse: (
        _recurrence_term(g, factor, dim, reverse) * conj(shifted(out, dim, reverse, 0))
    ),
)


# --- sums and products ----------------------------------------------------------------------------


def _scan(name: str, x: Any, dim: int, reverse: bool) -> Any:
    if not x.ndim:
        return x.copy()
    return _flipped(getattr(_flipped(x, dim, reverse), name)(axis=dim, dtype=x.dtype), dim, reverse)


@op(name="cumsum", function=False, method=False)
def _cumsum(xp: Any, input: Array, dim: int, reverse: bool) -> Array:
    return _scan("cumsum", input, dim, reverse)


_cumsum.vjp(input=lambda g, dim, reverse: _cumsum(g, dim, not reverse))


@op(name="cumprod", function=False, method=False)
def _cumprod(xp: Any, input: Array, dim: int, reverse: bool) -> Array:
    return _scan("cumprod", input, dim, reverse)


def _cumprod_rule(g: Any, input: Any, dim: int, reverse: bool) -> Any:
    x = conj(input)
    before = _cumprod(shifted(x, dim, reverse, 1), dim, reverse)
    return before * recurrence(shifted(x, dim, not reverse, 0), g, dim, not reverse)


_cumprod.vjp(input=_cumprod_rule)


def products_of_others(x: Any, dim: int) -> Any:
    """For each element the product of the others along ``dim``: what ``prod`` has for gradient."""
    before = _cumprod(shifted(x, dim, False, 1), dim, False)
    return before * _cumprod(shifted(x, dim, True, 1), dim, True)


def _summable(input: Tensor, dtype: DType | None) -> Tensor:
    """``input`` in the dtype in which sums and products of it are taken."""
    if dtype is None:
        if input._type.dtype.category >= 2:
            return input
        kind = input._type.xp.dtype("int64")
    else:
        kind = array_dtype(dtype)
    return input if input._type.array_dtype is kind else cast.function(input, kind)


@composite(inplace=True)
def cumsum(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """The sum of all elements up to each one along ``dim``. Of bools and integers it is int64.

    >>> import devgrad
    >>> devgrad.cumsum(devgrad.tensor([1.0, 2.0, 3.0]), dim=0)
    tensor([1., 3., 6.])

    Raises:
        IndexError: there is no such dimension.
    """
    dim = one_dim("cumsum", input, dim)
    return _cumsum.function(_summable(input, dtype), dim, False)


@composite(inplace=True)
def cumprod(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """The product of all elements up to each one along ``dim``. The gradient is right at zeros.

    >>> import devgrad
    >>> devgrad.cumprod(devgrad.tensor([1.0, 2.0, 3.0]), dim=0)
    tensor([1., 2., 6.])
    """
    dim = one_dim("cumprod", input, dim)
    return _cumprod.function(_summable(input, dtype), dim, False)


# --- extremes -------------------------------------------------------------------------------------


def _running_extreme(xp: Any, name: str, x: Any, dim: int) -> Any:
    if not x.ndim:
        return x.copy(), xp.zeros((), xp.int64)
    values = xp.accumulate(name, x, dim)
    places = xp.arange(x.shape[dim]).reshape([-1 if i == dim else 1 for i in range(x.ndim)])
    # A new extreme, or the old one met again: the last of equals counts, as in PyTorch.
    here = (x == values) | (x != x)
    return values, xp.accumulate("maximum", places * here, dim)


@op(name="cummax", outputs=("values", "indices"), function=False, method=False)
def _cummax(xp: Any, input: Array, dim: int) -> Any:
    return _running_extreme(xp, "maximum", input, dim)


@op(name="cummin", outputs=("values", "indices"), function=False, method=False)
def _cummin(xp: Any, input: Array, dim: int) -> Any:
    return _running_extreme(xp, "minimum", input, dim)


_cummax.vjp(
    input=lambda g, indices, input_shape, dim: put_along(g, indices, input_shape, dim, True, True)
)
_cummin.vjp(
    input=lambda g, indices, input_shape, dim: put_along(g, indices, input_shape, dim, True, True)
)


def _no_complex(input: Tensor, kernel: str) -> None:
    if input._type.dtype.is_complex:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{input._type.dtype.title}'")


@composite
def cummax(input: Tensor, dim: int) -> Any:
    """The greatest element up to each one along ``dim``, and its index, as a named tuple.

    Of equal elements the last counts; NaN is greater than all.

    >>> import devgrad
    >>> devgrad.cummax(devgrad.tensor([1.0, 3.0, 2.0]), dim=0).values
    tensor([1., 3., 3.])
    """
    dim = one_dim("cummax", input, dim)
    _no_complex(input, "cummax_cpu")
    return _cummax.function(input, dim)


@composite
def cummin(input: Tensor, dim: int) -> Any:
    """The least element up to each one along ``dim``, and its index, as a named tuple.

    >>> import devgrad
    >>> devgrad.cummin(devgrad.tensor([3.0, 1.0, 2.0]), dim=0).indices
    tensor([0, 1, 1])
    """
    dim = one_dim("cummin", input, dim)
    _no_complex(input, "cummin_cpu")
    return _cummin.function(input, dim)


# --- log-sum-exp ----------------------------------------------------------------------------------


@op(function=False, method=False)
def exp_of_difference(xp: Any, input: Array, other: Array) -> Array:
    """``exp(input - other)``, and 0 where both are minus infinity: a share of nothing."""
    difference = xp.subtract(input, other)
    # One look at the least, where looking is cheap, spares three passes.
    finite = xp.checks_bounds and other.size and other.min() > -xp.inf
    if input.dtype.kind != "c" and not finite:
        nothing = (input == -xp.inf) & (other == -xp.inf)
        difference = xp.where(nothing, xp.asarray(-xp.inf, difference.dtype), difference)
    return xp.exp(difference)


exp_of_difference.vjp(
    input=lambda g, out: g * conj(out),
    other=lambda g, out: -g * conj(out),
)


@op(name="logcumsumexp", function=False, method=False)
def _logcumsumexp(xp: Any, input: Array, dim: int) -> Array:
    if not input.ndim:
        return input.copy()
    if input.dtype.kind != "c":
        return xp.accumulate("logaddexp", input, dim)
    result = input.copy()
    along = xp.moveaxis(result, dim, 0)
    total = xp.full(along.shape[1:], -xp.inf, input.dtype)
    for place in range(len(along)):
        total = logaddexp.forward(xp, total, along[place])
        along[place] = total
    return result


def _logcumsumexp_rule(g: Any, input: Any, out: Any, dim: int) -> Any:
    # All exponents are negative or zero, since the running sum only grows.
    step = exp_of_difference(out, shifted(out, dim, True, 0) + _only_last(out, dim))
    share = exp_of_difference(input, out)
    return conj(share) * recurrence(conj(_but_last(step, dim)), g, dim, True)


@op(function=False, method=False)
def _but_last(xp: Any, input: Array, dim: int) -> Array:
    """``input`` with zeros at the end of ``dim``, where nothing follows."""
    result = xp.array(input)
    if input.ndim:
        _cut(result, dim, -1, None)[...] = 0
    return result


@op(function=False, method=False)
def _only_last(xp: Any, input: Array, dim: int) -> Array:
    """``input`` with zeros everywhere but at the end of ``dim``."""
    result = xp.zeros(input.shape, input.dtype)
    if input.ndim:
        _cut(result, dim, -1, None)[...] = _cut(input, dim, -1, None)
    return result


_only_last.vjp(input=lambda g, dim: _only_last(g, dim))
_but_last.vjp(input=lambda g, dim: _but_last(g, dim))
_logcumsumexp.vjp(input=_logcumsumexp_rule)


@composite
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """The logarithm of the running sum of exponentials along ``dim``, without overflow.

    Raises:
        NotImplementedError: the dtype is not floating point.

    >>> import devgrad
    >>> devgrad.logcumsumexp(devgrad.tensor([0.0, 0.0]), dim=0)
    tensor([0.0000, 0.6931])
    """
    dim = one_dim("logcumsumexp", input, dim)
    if input._type.dtype.category < 2:
        raise NotImplementedError(
            f"\"logcumsumexp_out_cpu\" not implemented for '{input._type.dtype.title}'"
        )
    return _logcumsumexp.function(input, dim)


@composite
def diff(
    input: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """The ``n``-th differences of neighbours along ``dim``; of bools, whether they differ.

    Args:
        input: at least 1-dimensional.
        n: how often to take differences.
        dim: along which dimension.
        prepend, append: put before and after ``input`` first.

    Raises:
        RuntimeError: ``input`` is 0-dimensional, ``n`` negative, or the dimensions do not fit.

    >>> import devgrad
    >>> devgrad.diff(devgrad.tensor([1.0, 4.0, 9.0]))
    tensor([3., 5.])
    """
    check_tensor("diff", input)
    if not input._array.ndim:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    dim = one_dim("diff", input, dim)
    if n == 0:  # PyTorch leaves out what is put before and after, too
        return input.clone()
    parts = [x for x in (prepend, input, append) if x is not None]
    if any(x.ndim != input.ndim for x in parts):
        raise RuntimeError("diff expects prepend or append to be the same dimension as input")
    if len(parts) > 1:
        input = FUNCTIONS[""]["cat"](parts, dim)
    for _ in range(n):
        length = input.shape[dim]
        if length == 0:
            break
        late, early = input.narrow(dim, 1, length - 1), input.narrow(dim, 0, length - 1)
        input = late ^ early if input._type.dtype.category == 0 else late - early
    return input
