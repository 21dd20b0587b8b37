"""Sorting, selecting by rank, and what is found by it: distinct values, places, counts.

NaN counts as greater than every number, and equal elements keep their order.
"""

from __future__ import annotations

import math
from typing import Any

from .._tensor import Tensor, constant
from ..device import dtype_of_number
from ._along import check_tensor, lifted, one_dim, put_along, take_along
from ._op import Array, Number, composite, op
from ._promotion import NUMBERS, not_a_tensor

__all__ = ["argsorted", "sort_dim"]


def argsorted(xp: Any, x: Any, dim: int, descending: bool = False) -> Any:
    """The indices that sort ``x``, of at least one dimension, along ``dim``."""
    if not descending:
        return xp.argsort(x, axis=dim, kind="stable")
    # Backward twice, so that equal elements keep their order.
    back = (slice(None),) * dim + (slice(None, None, -1),)
    return x.shape[dim] - 1 - xp.argsort(x[back], axis=dim, kind="stable")[back]


def _first(x: Any, dim: int, k: int) -> Any:
    return x[(slice(None),) * dim + (slice(k),)]


def _taken(xp: Any, x: Any, indices: Any, dim: int) -> Any:
    return take_along.forward(xp, x, indices, dim, True, False)


@op(name="sort", outputs=("values", "indices"), function=False, method=False)
def sort_dim(xp: Any, input: Array, dim: int, descending: bool) -> Any:
    """``input`` sorted along ``dim``, and where each value was."""
    if not input.ndim:
        return input.copy(), xp.zeros((), xp.int64)
    indices = argsorted(xp, input, dim, descending)
    return _taken(xp, input, indices, dim), indices


@op(name="topk", outputs=("values", "indices"), function=False, method=False)
def _topk(xp: Any, input: Array, k: int, dim: int, largest: bool) -> Any:
    if not input.ndim:
        return input.copy(), xp.zeros((), xp.int64)
    indices = _first(argsorted(xp, input, dim, largest), dim, k).copy()
    return _taken(xp, input, indices, dim), indices


for _op in (sort_dim, _topk):
    _op.vjp(
        input=lambda g, indices, input_shape, dim: put_along(
            g, indices, input_shape, dim, True, False
        )
    )


def _orderable(name: str, input: Tensor) -> None:
    if input._type.dtype.is_complex:
        raise RuntimeError(f" {name} does not support complex dtypes on CPU, nor elsewhere")


@composite
def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool | None = None) -> Any:
    """``input`` sorted along ``dim``, as a named tuple ``(values, indices)``.

    The sort is always stable, whatever ``stable`` says.

    Raises:
        IndexError: there is no such dimension.
        RuntimeError: ``input`` is complex.

    >>> import devgrad
    >>> devgrad.sort(devgrad.tensor([3.0, 1.0, 2.0])).values
    tensor([1., 2., 3.])
    """
    dim = one_dim("sort", input, dim)
    _orderable("Sort", input)
    return sort_dim.function(input, dim, bool(descending))


@composite
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The indices (int64) that sort ``input`` along ``dim``.

    >>> import devgrad
    >>> devgrad.argsort(devgrad.tensor([3.0, 1.0, 2.0]))
    tensor([1, 2, 0])
    """
    return sort(input, dim, descending)[1]


@composite
def msort(input: Tensor) -> Tensor:
    """``input`` sorted along its first dimension.

    >>> import devgrad
    >>> devgrad.msort(devgrad.tensor([3.0, 1.0, 2.0]))
    tensor([1., 2., 3.])
    """
    return sort(input, 0)[0]


@composite
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The ``k`` greatest (or least) elements along ``dim``, as ``(values, indices)``.

    They come sorted, whatever ``sorted`` says.

    Raises:
        RuntimeError: there are fewer than ``k``.

    >>> import devgrad
    >>> devgrad.topk(devgrad.tensor([3.0, 1.0, 2.0]), 2).indices
    tensor([0, 2])
    """
    dim = one_dim("topk", input, dim)
    _orderable("topk", input)
    if not 0 <= k <= (input._array.shape[dim] if input._array.ndim else 1):
        raise RuntimeError(
            f"selected index k out of range: k is {k}, and input of shape {list(input.shape)} is "
            f"to be searched along dimension {dim}"
        )
    return _topk.function(input, int(k), dim, bool(largest))


@op(name="kthvalue", outputs=("values", "indices"), function=False, method=False)
def _kthvalue(xp: Any, input: Array, k: int, dim: int, keepdim: bool) -> Any:
    if not input.ndim:
        return input.copy(), xp.zeros((), xp.int64)
    place = (slice(None),) * dim
    indices = argsorted(xp, input, dim)[(*place, slice(k - 1, k))].copy()
    values = _taken(xp, input, indices, dim)
    return (values, indices) if keepdim else (values[(*place, 0)], indices[(*place, 0)])


_kthvalue.vjp(
    input=lambda g, indices, input_shape, dim, keepdim: put_along(
        g, indices, input_shape, dim, keepdim, False
    )
)


@composite
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The ``k``-th least element along ``dim``, counted from 1, as ``(values, indices)``.

    >>> import devgrad
    >>> devgrad.kthvalue(devgrad.tensor([3.0, 1.0, 2.0]), 2).values
    tensor(2.)
    """
    dim = one_dim("kthvalue", input, dim, keepdim)
    _orderable("kthvalue", input)
    if not 1 <= k <= (input._array.shape[dim] if input._array.ndim else 1):
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim}")
    return _kthvalue.function(input, int(k), dim, keepdim)


# --- distinct values ------------------------------------------------------------------------------


def _runs(xp: Any, rows: Any, order: Any) -> tuple[Any, Any, Any]:
    """Runs of equal rows, taken in ``order``: the mask of first ones, group of each row, sizes."""
    taken = rows if order is None else rows[order]
    first = xp.ones(len(rows), bool)
    differ = taken[1:] != taken[:-1]
    first[1:] = differ if differ.ndim == 1 else differ.any(axis=1)
    group = xp.cumsum(first, dtype=xp.int64) - 1
    inverse = group
    if order is not None:
        inverse = xp.empty_like(group)
        inverse[order] = group
    return first, inverse, xp.bincount(group)


def _flat_unique(xp: Any, x: Any, in_order: bool) -> Any:
    flat = x.reshape(-1)
    order = argsorted(xp, flat, 0) if in_order else None
    first, inverse, counts = _runs(xp, flat, order)
    values = (flat if order is None else flat[order])[first]
    return values, inverse.reshape(x.shape), counts


def _unique_along(xp: Any, x: Any, dim: int, in_order: bool) -> Any:
    moved = xp.moveaxis(lifted(x), dim, 0)
    rows = moved.reshape(len(moved), math.prod(moved.shape[1:]))
    order = xp.lexsort(xp.ascontiguousarray(rows.T[::-1])) if in_order and len(rows) else None
    first, inverse, counts = _runs(xp, rows, order)
    values = (moved if order is None else moved[order])[first]
    return xp.moveaxis(values, 0, dim), inverse, counts


_OUTPUTS = ("output", "inverse_indices", "counts")


@op(name="_unique2", outputs=_OUTPUTS, function=False, method=False)
def _unique2(xp: Any, input: Array) -> Any:
    return _flat_unique(xp, input, True)


@op(name="unique_dim", outputs=_OUTPUTS, function=False, method=False)
def _unique_dim(xp: Any, input: Array, dim: int) -> Any:
    return _unique_along(xp, input, dim, True)


@op(name="unique_consecutive", outputs=_OUTPUTS, function=False, method=False)
def _unique_consecutive(xp: Any, input: Array, dim: int | None) -> Any:
    if dim is None:
        return _flat_unique(xp, input, False)
    return _unique_along(xp, input, dim, False)


def _underivable(name: str) -> Any:
    def rule(g: Any) -> Any:
        raise NotImplementedError(
            f"the derivative for '{name}' is not implemented. Which values are distinct changes "
            "abruptly; detach() the result if no gradient is meant to pass"
        )

    return rule


for _op in (_unique2, _unique_dim, _unique_consecutive):
    _op.vjp(input=_underivable(_op.name))


def _wanted(found: Any, return_inverse: bool, return_counts: bool) -> Any:
    values, inverse, counts = found
    if not return_inverse and not return_counts:
        return values
    return (values, *([inverse] if return_inverse else []), *([counts] if return_counts else []))


def _unique_dim_checked(name: str, input: Tensor, dim: Any) -> int:
    dim = one_dim(name, input, dim)
    shape = input._array.shape
    if 0 in shape[:dim] + shape[dim + 1 :]:
        raise RuntimeError(
            "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied"
        )
    return dim


@composite(out=False)
def unique(
    input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
    dim: int | None = None,
) -> Any:  # fmt: skip
    """The distinct elements, ascending; or the distinct slices along ``dim``.

    Args:
        input: of any shape; any dtype but complex.
        sorted: they always are.
        return_inverse: also return which of them each element is.
        return_counts: also return how often each occurs.
        dim: compare slices along this dimension instead of elements.

    >>> import devgrad
    >>> devgrad.unique(devgrad.tensor([3, 1, 1]), return_counts=True)
    (tensor([1, 3]), tensor([2, 1]))
    """
    check_tensor("unique", input)
    _orderable("unique", input)
    if dim is None:
        found = _unique2.function(input)
    else:
        found = _unique_dim.function(input, _unique_dim_checked("unique", input, dim))
    return _wanted(found, return_inverse, return_counts)


@composite(out=False)
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False,
    dim: int | None = None,
) -> Any:  # fmt: skip
    """One of each run of equal elements (or slices along ``dim``), in the order that they come in.

    >>> import devgrad
    >>> devgrad.unique_consecutive(devgrad.tensor([3, 1, 1, 3]))
    tensor([3, 1, 3])
    """
    check_tensor("unique_consecutive", input)
    if dim is not None:
        dim = _unique_dim_checked("unique_consecutive", input, dim)
    return _wanted(_unique_consecutive.function(input, dim), return_inverse, return_counts)


# --- places and counts ----------------------------------------------------------------------------


@op(name="searchsorted", function=False, method=False)
def _searchsorted(
    xp: Any, sorted_sequence: Array, input: Array, sorter: Array | None, right: bool, int32: bool
) -> Array:
    side = "right" if right else "left"
    if sorter is not None:
        sorted_sequence = _taken(xp, sorted_sequence, sorter, sorted_sequence.ndim - 1)
    if sorted_sequence.ndim == 1:
        found = xp.searchsorted(sorted_sequence, input, side)
    else:
        found = xp.empty(input.shape, xp.int64)
        rows = found.reshape(-1, input.shape[-1])
        lines = sorted_sequence.reshape(len(rows), sorted_sequence.shape[-1])
        values = input.reshape(rows.shape)
        for i in range(len(rows)):
            rows[i] = xp.searchsorted(lines[i], values[i], side)
    return found.astype(xp.int32 if int32 else xp.int64)


def _as_tensor(value: Any, like: Tensor) -> Tensor:
    return constant(value, like._type.with_dtype(dtype_of_number(value)))


@composite(method=False)
def searchsorted(
    sorted_sequence: Tensor, input: Tensor | Number, *, out_int32: bool = False,
    right: bool = False,
    side: str | None = None, sorter: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Where in a sorted sequence values would have to be inserted.

    Args:
        sorted_sequence: one ascending sequence, or one for each line of ``input``.
        input: the values, or a number.
        out_int32: give int32 rather than int64.
        right, side: after equal elements (``True``, ``"right"``) rather than before them.
        sorter: the indices that sort ``sorted_sequence``, if it is not sorted itself.

    Raises:
        RuntimeError: shapes or ``side`` do not fit.

    >>> import devgrad
    >>> devgrad.searchsorted(devgrad.tensor([1, 3, 5]), devgrad.tensor([3, 6]))
    tensor([1, 3])
    """
    check_tensor("searchsorted", sorted_sequence)
    if isinstance(input, NUMBERS):
        if sorted_sequence.ndim != 1:
            raise RuntimeError(
                "torch.searchsorted(): input value can be a scalar only when boundaries tensor "
                f"dimension is 1, but we got boundaries tensor dim({sorted_sequence.ndim}) and "
                "input value's dim(0) numel(1)"
            )
        input = _as_tensor(input, sorted_sequence)
    if not isinstance(input, Tensor):
        raise not_a_tensor("searchsorted", "input", 2, input)
    if side not in (None, "left", "right"):
        raise RuntimeError(
            f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}"
        )
    if side == "left" and right:
        raise RuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left "
            "while right was True"
        )
    if sorted_sequence.ndim == 0:
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should have positive dimension, but got 0 "
            "dimension"
        )
    if sorter is not None and sorter.shape != sorted_sequence.shape:
        raise RuntimeError(
            "torch.searchsorted(): boundary and sorter must have the same size, but got boundary "
            f"tensor {list(sorted_sequence.shape)} and got sorter tensor {list(sorter.shape)}"
        )
    if sorted_sequence.ndim > 1 and sorted_sequence.shape[:-1] != input.shape[:-1]:
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 "
            "dimensions of boundaries tensor and input value tensor must match, but we got "
            f"boundaries tensor {list(sorted_sequence.shape)} and input value tensor "
            f"{list(input.shape)}"
        )
    return _searchsorted.function(
        sorted_sequence, input, sorter, right or side == "right", out_int32
    )


@composite(method=False)
def bucketize(
    input: Tensor | Number, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """The index of the bucket, between ascending ``boundaries``, that each value falls into.

    >>> import devgrad
    >>> devgrad.bucketize(devgrad.tensor([0.5, 2.0]), devgrad.tensor([1.0, 3.0]))
    tensor([0, 1])
    """
    check_tensor("bucketize", boundaries)
    if boundaries.ndim != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({boundaries.ndim})")
    if isinstance(input, NUMBERS):
        input = _as_tensor(input, boundaries)
    check_tensor("bucketize", input)
    return _searchsorted.function(boundaries, input, None, right, out_int32)


@op(name="bincount", function=False, method=False)
def _bincount(xp: Any, input: Array, weights: Array | None, minlength: int) -> Array:
    if weights is None:
        return xp.bincount(input, minlength=minlength).astype(xp.int64)
    kind = xp.float32 if weights.dtype == xp.float32 else xp.float64
    return xp.bincount(input, weights=weights, minlength=minlength).astype(kind)


@composite(out=False)
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each integer from 0 on occurs, or the sum of the ``weights`` where it does.

    Raises:
        RuntimeError: ``input`` is not 1-dimensional or has negative elements; the ``weights`` do
            not fit.

    >>> import devgrad
    >>> devgrad.bincount(devgrad.tensor([0, 3, 3]))
    tensor([1, 0, 0, 2])
    """
    check_tensor("bincount", input)
    array = input._array
    if input._type.dtype.category != 1:
        raise NotImplementedError(
            f"\"bincount_cpu\" not implemented for '{input._type.dtype.title}'"
        )
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    if array.ndim != 1 or (array.size and array.min() < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is not None and weights.shape != input.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    return _bincount.function(input, weights, minlength)


@op(name="histc", function=False, method=False)
def _histc(xp: Any, input: Array, bins: int, low: float, high: float) -> Array:
    flat = input.reshape(-1)
    flat = flat[(flat >= low) & (flat <= high)]
    places = ((flat - low) * (bins / (high - low))).astype(xp.int64)
    return xp.bincount(xp.minimum(places, bins - 1), minlength=bins).astype(input.dtype)


@composite
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements fall into each of ``bins`` equal parts of the range from min to max.

    Where ``min`` equals ``max``, the range is that of the elements. What lies outside it is not
    counted.

    Raises:
        RuntimeError: there is no such range, or not a bin.

    >>> import devgrad
    >>> devgrad.histc(devgrad.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
    """
    check_tensor("histc", input)
    array = input._array
    if not input._type.dtype.is_floating_point:
        raise NotImplementedError(
            f"\"histogram_cpu\" not implemented for '{input._type.dtype.title}'"
        )
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
    low, high = float(min), float(max)
    if low == high and array.size:
        low, high = float(array.min()), float(array.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"torch.histc: range of [{low}, {high}] is not finite")
    if low > high:
        raise RuntimeError("torch.histc: max must be larger than min")
    if low == high:
        low, high = low - 1, high + 1
    return _histc.function(input, bins, low, high)
