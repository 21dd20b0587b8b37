"""Masks: filling, selecting and replacing where a bool tensor is true, and where it is not zero."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ..autograd._modes import mode
from ._along import lifted
from ._errors import broadcast_mismatch
from ._formula import sum_to
from ._inplace import any_requires_grad, bump, check_inplace, inplace_form
from ._op import FUNCTIONS, METHODS, Array, Number, composite, op
from .indexing import fill_number

__all__: list[str] = []


def _check_mask(name: str, input: Any, mask: Any, wrong: str) -> None:
    if not isinstance(mask, Tensor):
        raise TypeError(
            f"{name}(): argument 'mask' (position 1) must be Tensor, not {type(mask).__name__}"
        )
    if mask._type.dtype.name != "bool":
        raise RuntimeError(wrong)
    phrase = broadcast_mismatch(mask._array.shape, input._array.shape)
    if phrase:
        raise RuntimeError(f"{phrase}. It is the mask's shape {list(mask.shape)} against the "
                           f"tensor's {list(input.shape)}")  # fmt: skip


# --- filling --------------------------------------------------------------------------------------


@op(name="_masked_fill", node="MaskedFillBackward0", function=False, method=False)
def _fill(xp: Any, input: Array, mask: Array, value: Any) -> Array:
    if value == 0 and not (isinstance(value, float) and str(value) == "-0.0"):
        return xp.masked(input, ~mask)
    return xp.where(mask, xp.asarray(value).astype(input.dtype), input)


_fill.vjp(input=lambda g, mask: _fill(g, mask, 0))


@op(node="MaskedFillBackward1", function=False, method=False)
def _fill_tensor(xp: Any, input: Array, mask: Array, value: Array) -> Array:
    if value.dtype.kind == "c" and input.dtype.kind != "c":
        value = value.real
    return xp.where(mask, value.astype(input.dtype), input)


@op(function=False, method=False)
def _inverse(xp: Any, input: Array) -> Array:
    return ~input


_fill_tensor.vjp(
    input=lambda g, mask: _fill(g, mask, 0),
    value=lambda g, mask: sum_to(_fill(g, _inverse(mask), 0), ()),
)

_MASKED_FILL = "masked_fill_ only supports boolean masks, but got mask with dtype "


@composite
def masked_fill(input: Tensor, mask: Tensor, value: Tensor | Number) -> Tensor:
    """A copy of ``input`` with ``value``, a number or a 0-dim tensor, where ``mask`` is true.

    Raises:
        RuntimeError: ``mask`` is no bool tensor, or does not broadcast; ``value`` has dimensions.

    >>> import devgrad
    >>> x = devgrad.tensor([1.0, -2.0])
    >>> devgrad.masked_fill(x, x < 0, 0)
    tensor([1., 0.])
    """
    _check_mask("masked_fill", input, mask, _MASKED_FILL + str(getattr(mask, "dtype", "")))
    if not isinstance(value, Tensor):
        return _fill.function(input, mask, fill_number(value, input._type))
    if value._array.ndim:
        raise RuntimeError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value._array.ndim} dimension(s)."
        )
    return _fill_tensor.function(input, mask, value)


_masked_fill_copying = inplace_form(masked_fill, "masked_fill")


def masked_fill_(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """The in-place form of `masked_fill`: changes ``input``, and returns it."""
    if (
        isinstance(value, Tensor)
        or mask.__class__ is not Tensor
        or mask._type.device is not input._type.device
        or (mode.grad
        and any_requires_grad((input,)))
        or broadcast_mismatch(mask._array.shape, input._array.shape)
        or mask._array.ndim > input._array.ndim
        or any(1 == n != m for n, m in zip(
            reversed(input._array.shape), reversed(mask._array.shape), strict=False))
    ):  # fmt: skip
        return _masked_fill_copying(input, mask, value)
    check_inplace("masked_fill_", input, False)
    _check_mask("masked_fill", input, mask, _MASKED_FILL + str(mask.dtype))
    xp, array = input._type.xp, input._array
    value = xp.asarray(fill_number(value, input._type)).astype(array.dtype)
    xp.copyto(array, value, where=mask._array)
    bump(input)
    return input


METHODS["masked_fill_"] = FUNCTIONS[""]["masked_fill_"] = masked_fill_


# --- selecting ------------------------------------------------------------------------------------


def _common_shape(a: Any, b: Any) -> tuple[int, ...]:
    n = max(len(a), len(b))
    a, b = (1,) * (n - len(a)) + tuple(a), (1,) * (n - len(b)) + tuple(b)
    return tuple(y if x == 1 else x for x, y in zip(a, b, strict=True))


@op(name="_masked_select", node="MaskedSelectBackward0", function=False, method=False)
def _selected(xp: Any, input: Array, mask: Array) -> Array:
    shape = _common_shape(input.shape, mask.shape)
    result = xp.expanded(input, shape)[xp.expanded(mask, shape)]
    return result.reshape(-1)


@op(node="MaskedScatterBackward0", function=False, method=False)
def _unselected(xp: Any, input: Array, mask: Array, shape: Any) -> Array:
    """Zeros of ``shape`` broadcast with the mask's, with ``input`` in order where it is true."""
    shape = _common_shape(shape, mask.shape)
    result = xp.zeros(shape, input.dtype)
    result[xp.expanded(mask, shape)] = input
    return result


_selected.vjp(input=lambda g, mask, input_shape: _unselected(g, mask, input_shape))
_unselected.vjp(input=lambda g, mask: _selected(g, mask))


@composite
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements of ``input`` where ``mask`` is true, in a row; the two are broadcast.

    Raises:
        RuntimeError: ``mask`` is no bool tensor, or does not broadcast.

    >>> import devgrad
    >>> x = devgrad.tensor([1.0, -2.0, 3.0])
    >>> devgrad.masked_select(x, x > 0)
    tensor([1., 3.])
    """
    _check_mask("masked_select", input, mask, "masked_select: expected BoolTensor for mask")
    return _selected.function(input, mask)


@op(name="_masked_scatter", node="MaskedScatterBackward0", function=False, method=False)
def _scattered(xp: Any, input: Array, mask: Array, source: Array) -> Array:
    shape = _common_shape(input.shape, mask.shape)
    mask = xp.expanded(mask, shape)
    result = xp.array(xp.expanded(input, shape))
    count = int(mask.sum())
    if count > source.size:
        raise RuntimeError(
            f"Number of elements of source < number of ones in mask: {source.size} < {count}"
        )
    result[mask] = source.reshape(-1)[:count]
    return result


@op(node="MaskedSelectBackward0", function=False, method=False)
def _first_of(xp: Any, input: Array, mask: Array, shape: Any) -> Array:
    """What `_scattered` took from ``source``, in its place there."""
    chosen = input[xp.expanded(mask, input.shape)].reshape(-1)
    result = xp.zeros(shape, input.dtype)
    result.reshape(-1)[: chosen.size] = chosen
    return result


@op(node="MaskedScatterBackward0", function=False, method=False)
def _back_from_first(xp: Any, input: Array, mask: Array, shape: Any) -> Array:
    mask = xp.expanded(mask, shape)
    result = xp.zeros(shape, input.dtype)
    result[mask] = input.reshape(-1)[: int(mask.sum())]
    return result


_scattered.vjp(
    input=lambda g, mask: _fill(g, mask, 0),
    source=lambda g, mask, source_shape: _first_of(g, mask, source_shape),
)
_first_of.vjp(input=lambda g, mask, input_shape: _back_from_first(g, mask, input_shape))
_back_from_first.vjp(input=lambda g, mask, input_shape: _first_of(g, mask, input_shape))


@composite(inplace=True, out=False)
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy of ``input`` with the elements of ``source``, in order, where ``mask`` is true.

    Raises:
        RuntimeError: ``mask`` is no bool tensor; ``source`` has too few elements or another dtype.

    >>> import devgrad
    >>> mask = devgrad.tensor([True, False, True])
    >>> devgrad.masked_scatter(devgrad.zeros(3), mask, devgrad.tensor([1.0, 2.0]))
    tensor([1., 0., 2.])
    """
    _check_mask(
        "masked_scatter", input, mask,
        "masked_scatter_ only supports boolean masks, but got mask with dtype "
        f"{getattr(getattr(mask, '_type', None), 'dtype', None)}",
    )  # fmt: skip
    if source._type.dtype is not input._type.dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got "
            f"{input._type.dtype.title} and {source._type.dtype.title}"
        )
    return _scattered.function(input, mask, source)


# --- where it is not zero -------------------------------------------------------------------------


@op(name="_nonzero", function=False, method=False)
def _nonzero(xp: Any, input: Array) -> Array:
    if not input.ndim:
        return xp.zeros((int(bool(input)), 0), xp.int64)
    return xp.stack(xp.nonzero(input), axis=1)


@composite
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of the elements that are not zero: a row for each, or a tuple of columns.

    >>> import devgrad
    >>> devgrad.nonzero(devgrad.tensor([0, 3, 4]))
    tensor([[1],
            [2]])
    """
    if not as_tuple:
        return _nonzero.function(input)
    if not isinstance(input, Tensor):
        raise TypeError(f"nonzero(): argument 'input' must be Tensor, not {type(input).__name__}")
    return _columns.function(input)


@op(name="_nonzero_columns", several=True, function=False, method=False)
def _columns(xp: Any, input: Array) -> Any:
    return list(xp.nonzero(lifted(input)))


@composite(out=False)
def argwhere(input: Tensor) -> Tensor:
    """The indices of the elements that are not zero, a row for each.

    >>> import devgrad
    >>> devgrad.argwhere(devgrad.tensor([[0, 1], [1, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    return _nonzero.function(input)
