"""Reading and writing whole slices at the indices of a vector: index_select, index_add and kin.

They come in pairs, each the other's derivative: what reads at indices has as its gradient what
adds at them.
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ..autograd._modes import mode
from ..device import DTYPES
from ._along import lifted, reshaped
from ._arguments import as_int
from ._formula import sum_to
from ._inplace import any_requires_grad, bump, check_inplace, inplace_form
from ._layout import as_dim
from ._op import FUNCTIONS, METHODS, Array, Number, composite, op
from .indexing import fill_number

__all__ = ["apart", "check_bounds", "recorded", "title_of", "written_over"]


def check_bounds(
    xp: Any, index: Any, n: int, dim: int, *, prefix: str = "", negative: bool = False,
    error: type[Exception] = RuntimeError,
) -> None:  # fmt: skip
    """Refuse indices outside of a dimension, where looking is cheap.

    Raises:
        error: there is one.
    """
    if not xp.checks_bounds or not index.size:
        return
    low, high = int(index.min()), int(index.max())
    if high >= n or low < (-n if negative else 0):
        bad = high if high >= n else low
        raise error(f"{prefix}index {bad} is out of bounds for dimension {dim} with size {n}")


def title_of(array: Any) -> str:
    """The dtype of an array in PyTorch's error messages."""
    return DTYPES[array.dtype.name].title


def _at(dim: int, index: Any) -> tuple[Any, ...]:
    return (*[slice(None)] * dim, index)


# --- whole slices at the indices of a vector ------------------------------------------------------


@op(node="IndexSelectBackward0", function=False, method=False)
def _rows(xp: Any, input: Array, index: Array, dim: int) -> Array:
    """``input`` at ``index`` along ``dim``."""
    if not input.ndim:
        return input.copy()
    dim, index = as_dim(dim, input.ndim), index.reshape(-1)
    return input.take(index, dim) if input.flags.c_contiguous else input[_at(dim, index)]


@op(node="IndexAddBackward0", function=False, method=False)
def _rows_added(xp: Any, input: Array, index: Array, shape: Any, dim: int) -> Array:
    """Zeros of ``shape``, with ``input`` added at ``index`` along ``dim``."""
    result = xp.zeros(shape or (1,), input.dtype)
    dim = as_dim(dim, result.ndim)
    xp.scatter_add(result, _at(dim, index.reshape(-1)), lifted(input))
    return result.reshape(shape)


_rows.vjp(input=lambda g, index, input_shape, dim: _rows_added(g, index, input_shape, dim))
_rows_added.vjp(input=lambda g, index, dim: _rows(g, index, dim))


@op
def index_select(xp: Any, input: Array, dim: int, index: Array) -> Array:
    """The slices of ``input`` at the indices of a vector, along ``dim``; a copy.

    Raises:
        IndexError: an index is out of range; ``index`` is no vector.
        RuntimeError: ``index`` is neither int32 nor int64.

    >>> import devgrad
    >>> devgrad.index_select(devgrad.tensor([1.0, 2.0, 3.0]), 0, devgrad.tensor([2, 0]))
    tensor([3., 1.])
    """
    if index.dtype.name not in ("int32", "int64"):
        raise RuntimeError(
            f"index_select(): Expected dtype int32 or int64 for index: it has {index.dtype.name}"
        )
    if index.ndim > 1:
        raise IndexError(
            f"index_select(): Index is supposed to be a vector: its shape is {list(index.shape)}"
        )
    n = lifted(input).shape[as_dim(dim, input.ndim)]
    if xp.checks_bounds and index.size and not 0 <= index.min() <= index.max() < n:
        raise IndexError(
            f"index out of range in self: indices from {index.min()} to {index.max()} for "
            f"dimension {dim} with size {n}"
        )
    return _rows.forward(xp, input, index, dim)


index_select.vjp(input=lambda g, index, input_shape, dim: _rows_added(g, index, input_shape, dim))


def _check_added(xp: Any, input: Any, dim: int, index: Any, source: Any) -> None:
    if index.dtype.name not in ("int32", "int64"):
        raise RuntimeError(
            f"index_add_(): Expected dtype int32/int64 for index but got: {title_of(index)}"
        )
    if index.ndim > 1:
        raise IndexError(
            f"index_add_(): Index is supposed to be a vector, but got dim: {index.ndim} with size: "
            f"{list(index.shape)}"
        )
    if source.dtype != input.dtype:
        raise RuntimeError(
            f"index_add_(): self ({title_of(input)}) and source ({title_of(source)}) must have "
            "the same scalar type"
        )
    mine, theirs = lifted(input).shape, lifted(source).shape
    if len(mine) == len(theirs) and theirs[dim] != index.size:
        raise RuntimeError(
            f"index_add_(): Number of indices ({index.size}) should be equal to source.size(dim): "
            f"({theirs[dim]}), for dim: {dim}"
        )
    if (*mine[:dim], *mine[dim + 1 :]) != (*theirs[:dim], *theirs[dim + 1 :]):
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. "
            f"Got self.shape = {list(input.shape)} source.shape = {list(source.shape)}"
        )
    check_bounds(xp, index, mine[dim], dim)


def _add_rows(xp: Any, target: Any, dim: int, index: Any, source: Any, alpha: Any) -> None:
    dim = as_dim(dim, target.ndim)
    _check_added(xp, target, dim, index, source)
    if alpha != 1:
        source = source * xp.asarray(alpha).astype(source.dtype)
    xp.scatter_add(lifted(target), _at(dim, index.reshape(-1)), lifted(source))


@op
def index_add(
    xp: Any, input: Array, dim: int, index: Array, source: Array, *, alpha: Number = 1
) -> Array:
    """A copy of ``input`` with ``alpha * source`` added at ``index`` along ``dim``.

    Raises:
        RuntimeError: an index is out of bounds; shapes or dtypes do not fit.

    >>> import devgrad
    >>> i = devgrad.tensor([0, 0])
    >>> devgrad.index_add(devgrad.zeros(3), 0, i, devgrad.tensor([1.0, 2.0]))
    tensor([3., 0., 0.])
    """
    result = input.copy()
    _add_rows(xp, result, dim, index, source, alpha)
    return result


index_add.vjp(
    input=lambda g: g,
    source=lambda g, index, dim, alpha, source_shape: reshaped(
        _rows(g, index, dim) if alpha == 1 else _rows(g, index, dim) * alpha, source_shape
    ),
)


@op(inplace=True)
def index_copy(xp: Any, input: Array, dim: int, index: Array, source: Array) -> Array:
    """A copy of ``input`` with ``source`` in the slices at ``index`` along ``dim``.

    Raises:
        IndexError: an index is out of bounds; their number is not ``source``'s.
        RuntimeError: shapes or dtypes do not fit.

    >>> import devgrad
    >>> devgrad.index_copy(devgrad.zeros(3), 0, devgrad.tensor([2]), devgrad.tensor([7.0]))
    tensor([0., 0., 7.])
    """
    dim = as_dim(dim, input.ndim)
    if index.dtype.name != "int64":
        raise RuntimeError("index_copy_(): Expected a long tensor for index, but got "
                           f"{title_of(index)}")  # fmt: skip
    if source.dtype != input.dtype:
        raise RuntimeError(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{title_of(input)} and (source) {title_of(source)}"
        )
    result = input.copy()
    into, source = lifted(result), lifted(source)
    if source.ndim == into.ndim and source.shape[dim] != index.size:
        raise IndexError(
            f"index_copy_(): Number of indices ({index.size}) should be equal to source.size(dim) "
            f"({source.shape[dim]})"
        )
    mine = (*into.shape[:dim], *into.shape[dim + 1 :])
    theirs = (*source.shape[:dim], *source.shape[dim + 1 :])
    if mine != theirs:
        raise RuntimeError(
            "index_copy_(): Source/destination tensor must have same slice shapes. Destination "
            f"slice shape: {list(mine)} at dimension {dim} and source slice shape: {list(theirs)} "
            f"at dimension {dim}."
        )
    check_bounds(xp, index, into.shape[dim], dim, prefix="index_copy_(): ", error=IndexError)
    into[_at(dim, index.reshape(-1))] = source
    return result


@op(name="_index_fill", node="IndexFillBackward0", function=False, method=False)
def _fill_rows(xp: Any, input: Array, index: Array, dim: int, value: Any) -> Array:
    dim = as_dim(dim, input.ndim)
    if index.dtype.name != "int64":
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    if index.ndim > 1:
        raise RuntimeError("Index has to be a vector/scalar")
    result = input.copy()
    into = lifted(result)
    check_bounds(xp, index, into.shape[dim], dim, negative=True, error=IndexError)
    into[_at(dim, index.reshape(-1))] = value
    return result


_fill_rows.vjp(input=lambda g, index, dim: _fill_rows(g, index, dim, 0))
index_copy.vjp(
    input=lambda g, index, dim: _fill_rows(g, index, dim, 0),
    source=lambda g, index, dim, source_shape: reshaped(_rows(g, index, dim), source_shape),
)


@op(node="IndexFillBackward1", function=False, method=False)
def _fill_rows_tensor(xp: Any, input: Array, index: Array, value: Array, dim: int) -> Array:
    return _fill_rows.forward(xp, input, index, dim, value)


_fill_rows_tensor.vjp(
    input=lambda g, index, dim: _fill_rows(g, index, dim, 0),
    value=lambda g, index, dim: sum_to(g - _fill_rows(g, index, dim, 0), ()),
)


@composite(inplace=True, out=False)
def index_fill(input: Tensor, dim: int, index: Tensor, value: Tensor | Number) -> Tensor:
    """A copy of ``input`` with ``value``, a number or a 0-dim tensor, at ``index`` along ``dim``.

    Raises:
        IndexError: an index is out of bounds or no int64.

    >>> import devgrad
    >>> devgrad.index_fill(devgrad.zeros(3), 0, devgrad.tensor([0, -1]), 5)
    tensor([5., 0., 5.])
    """
    if not isinstance(value, Tensor):
        return _fill_rows.function(input, index, dim, fill_number(value, input._type))
    _check_zero_dim("index_fill_", value)
    return _fill_rows_tensor.function(input, index, value, dim)


def _check_zero_dim(name: str, value: Tensor) -> None:
    if value._array.ndim:
        raise RuntimeError(
            f"{name} only supports a 0-dimensional value tensor, but got tensor with "
            f"{value._array.ndim} dimension(s)."
        )


# --- in place, straight into the memory where nothing is recorded: tables may be large -----------


def recorded(*tensors: Any) -> bool:
    """Whether an operation on these is recorded."""
    return mode.grad and any_requires_grad(tensors)


def apart(input: Any, index: Any, source: Any) -> bool:
    """Three tensors on one device, and the memory that is read is not the one written to."""
    tensors = (input, index, source)
    return (
        all(isinstance(t, Tensor) for t in tensors)
        and len({t._type.device for t in tensors}) == 1
        and source._changes is not input._changes
        and index._changes is not input._changes
        and input._array.flags.c_contiguous
    )


def written_over(method: Any, name: str) -> None:
    """Make ``method`` the in-place form of that name."""
    METHODS[name] = FUNCTIONS[""][name] = method


def index_add_(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """The in-place form of `index_add`: changes ``input``, and returns it."""
    dim = as_int("dim", dim)
    if recorded(input, source) or not apart(input, index, source):
        return _index_add_copying(input, dim, index, source, alpha=alpha)
    check_inplace("index_add_", input, False)
    _add_rows(input._type.xp, input._array, dim, index._array, source._array, alpha)
    bump(input)
    return input


_index_add_copying = inplace_form(FUNCTIONS[""]["index_add"], "index_add")
written_over(index_add_, "index_add_")
