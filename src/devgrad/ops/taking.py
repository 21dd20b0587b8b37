"""Reading and writing by index over all elements, and writing to views of a copy."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ._along import reshaped
from ._errors import broadcast_mismatch
from ._formula import expand_to
from ._layout import as_dim
from ._op import Array, composite, op
from .indexing import FILLED_VIEWS
from .pieces import diagonal
from .rows import title_of
from .scatter import gather

__all__: list[str] = []

# --- over all elements ----------------------------------------------------------------------------


def _check_flat(name: str, xp: Any, index: Any, size: int) -> None:
    if index.dtype.name != "int64":
        raise RuntimeError(f"{name}(): Expected a long tensor for index, but got {title_of(index)}")
    if xp.checks_bounds and index.size:
        low, high = int(index.min()), int(index.max())
        if low < -size or high >= size:
            raise IndexError(
                f"out of range: tried to access index {high if high >= size else low} on a tensor "
                f"of {size} elements."
            )


@op
def take(xp: Any, input: Array, index: Array) -> Array:
    """The elements of ``input``, seen as one row, at ``index``; of ``index``'s shape.

    Raises:
        IndexError: an index is out of range.
        RuntimeError: ``index`` is not int64.

    >>> import devgrad
    >>> devgrad.take(devgrad.tensor([[1.0, 2.0], [3.0, 4.0]]), devgrad.tensor([3, -4]))
    tensor([4., 1.])
    """
    _check_flat("take", xp, index, input.size)
    return input.reshape(-1)[index]


@op(node="PutBackward0", function=False, method=False)
def _untaken(xp: Any, input: Array, index: Array, shape: Any) -> Array:
    result = xp.zeros(shape, input.dtype)
    xp.scatter_add(result.reshape(-1), index.reshape(-1), input.reshape(-1))
    return result


take.vjp(input=lambda g, index, input_shape: _untaken(g, index, input_shape))
_untaken.vjp(input=lambda g, index: take(g, index))


@op(inplace=True)
def put(xp: Any, input: Array, index: Array, source: Array, accumulate: bool = False) -> Array:
    """A copy of ``input`` with ``source`` at ``index``, counted through all elements.

    Raises:
        IndexError: an index is out of range; ``source`` has another number of elements.
        RuntimeError: dtypes do not fit.

    >>> import devgrad
    >>> devgrad.put(devgrad.zeros(2, 2), devgrad.tensor([3]), devgrad.tensor([7.0]))
    tensor([[0., 0.],
            [0., 7.]])
    """
    _check_flat("put_", xp, index, input.size)
    if source.dtype != input.dtype:
        raise RuntimeError(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{title_of(input)} and source.dtype = {title_of(source)}"
        )
    if source.size != index.size:
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {source.size}, index.numel() = {index.size}"
        )
    result = xp.array(input, order="C")
    flat = result.reshape(-1)
    if accumulate:
        xp.scatter_add(flat, index.reshape(-1), source.reshape(-1))
    else:
        flat[index.reshape(-1)] = source.reshape(-1)
    return result


@op(node="PutBackward0", function=False, method=False)
def _unput(xp: Any, input: Array, index: Array) -> Array:
    result = xp.array(input, order="C")
    result.reshape(-1)[index.reshape(-1)] = 0
    return result


_unput.vjp(input=lambda g, index: _unput(g, index))
put.vjp(
    input=lambda g, index, accumulate: g if accumulate else _unput(g, index),
    source=lambda g, index, source_shape: reshaped(take(g, index), source_shape),
)


@op(function=False, method=False)
def _from_front(xp: Any, input: Array, n: int) -> Array:
    """Indices into ``n`` elements, those from the end counted from the front."""
    return xp.where(input < 0, input + n, input)


@composite
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """As `gather`, with the other dimensions broadcast; without ``dim``, over all elements.

    Raises:
        RuntimeError: an index is out of bounds or not int64; shapes do not fit.

    >>> import devgrad
    >>> x = devgrad.tensor([[3.0, 1.0], [2.0, 4.0]])
    >>> devgrad.take_along_dim(x, x.argsort(dim=1), dim=1)
    tensor([[1., 3.],
            [2., 4.]])
    """
    if indices._type.dtype.name != "int64":
        raise RuntimeError(
            "torch.take_along_dim(): dtype of indices should be Long but got "
            f"{indices._type.dtype.title}"
        )
    if dim is None:
        flat = _from_front.function(indices.reshape(-1), input.numel())
        return gather.function(input.reshape(-1), 0, flat)
    mine, theirs = input._array.shape, indices._array.shape
    if len(mine) != len(theirs):
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {len(mine)} dimensions for input, and {len(theirs)} dimensions for indices"
        )
    dim = as_dim(dim, len(mine))
    one = (1,)
    phrase = broadcast_mismatch(
        mine[:dim] + one + mine[dim + 1 :], theirs[:dim] + one + theirs[dim + 1 :]
    )
    if phrase:
        raise RuntimeError(phrase)
    common = [b if a == 1 else a for a, b in zip(mine, theirs, strict=True)]
    wide = (*common[:dim], mine[dim], *common[dim + 1 :]) if mine else ()
    places = (*common[:dim], theirs[dim], *common[dim + 1 :]) if mine else ()
    if wide != mine:
        input = expand_to.function(input, wide)
    if places != theirs:
        indices = expand_to.function(indices, places)
    return gather.function(input, dim, _from_front.function(indices, wide[dim] if wide else 1))


# --- views written to, without changing what they are views of ------------------------------------


def _selected(xp: Any, input: Any, dim: int, index: int) -> Any:
    return input[(*[slice(None)] * dim, index, ...)]


def _sliced(xp: Any, input: Any, dim: int, bounds: Any) -> Any:
    return input[(*[slice(None)] * dim, slice(*bounds))]


def _scattered(title: str, input: Tensor, src: Tensor, view: Any, args: Any) -> Tensor:
    part = view(input._type.xp, input._array, *args).shape
    if src._array.shape != part:
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. src size = "
            f"{list(src._array.shape)}, slice size = {list(part)}"
        )
    return FILLED_VIEWS[title].function(input, src, view, args)


@composite
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of ``input`` with ``src`` in place of ``input.select(dim, index)``.

    >>> import devgrad
    >>> devgrad.select_scatter(devgrad.zeros(2, 2), devgrad.ones(2), 0, 1)
    tensor([[0., 0.],
            [1., 1.]])
    """
    dim = input._dim(dim)
    n = input._array.shape[dim]
    if not -n <= index < n:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input._array.shape)} "
            f"at dimension {dim}"
        )
    return _scattered("Select", input, src, _selected, (dim, index))


@composite
def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None,
    step: int = 1,
) -> Tensor:  # fmt: skip
    """A copy of ``input`` with ``src`` in place of the slice ``start:end:step`` along ``dim``.

    >>> import devgrad
    >>> devgrad.slice_scatter(devgrad.zeros(3), devgrad.ones(2), start=1)
    tensor([0., 1., 1.])
    """
    if step <= 0:
        raise RuntimeError(f"slice step must be positive: got {step}")
    return _scattered("Slice", input, src, _sliced, (input._dim(dim), (start, end, step)))


@composite
def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """A copy of ``input`` with ``src`` on a diagonal.

    >>> import devgrad
    >>> devgrad.diagonal_scatter(devgrad.zeros(2, 2), devgrad.ones(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    return _scattered(
        "Diagonal", input, src, diagonal.forward, (offset, input._dim(dim1), input._dim(dim2))
    )
