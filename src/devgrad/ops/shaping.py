"""New arrangements of elements, by copying: flips, repeats, triangles, diagonals, grids."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

from .._tensor import Tensor, wrap
from ..device import DType, resolve, user_stacklevel
from ._formula import sum_to
from ._layout import as_dim, as_dims, ints
from ._op import AnyDevice, Array, Arrays, Ints, composite, op
from ._promotion import checked_tensors
from .joining import stack
from .pieces import diagonal, slice_
from .views import expand, reshape, unsqueeze, view

__all__ = ["diag_embed", "flip", "repeat", "roll", "tril", "triu"]


# --- in another order -----------------------------------------------------------------------------


@op(varargs=True)
def flip(xp: Any, input: Array, dims: Ints) -> Array:
    """A copy with the order along some dimensions reversed.

    Raises:
        RuntimeError: a dimension is named twice. IndexError: there is no such dimension.

    >>> import devgrad
    >>> devgrad.flip(devgrad.tensor([1, 2, 3]), (0,))
    tensor([3, 2, 1])
    """
    chosen = as_dims(ints((dims,), "dims"), input.ndim)
    if not input.ndim:
        return input.copy()
    index = [slice(None, None, -1) if d in chosen else slice(None) for d in range(input.ndim)]
    return input[tuple(index)].copy()


flip.vjp(input=lambda g, dims: flip(g, dims))


@composite(out=False)
def fliplr(input: Tensor) -> Tensor:
    """A copy with the order along dimension 1 reversed."""
    if input._array.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip.function(input, (1,))


@composite(out=False)
def flipud(input: Tensor) -> Tensor:
    """A copy with the order along dimension 0 reversed."""
    if input._array.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return flip.function(input, (0,))


def _negated(shifts: Any) -> Any:
    return tuple([-s for s in shifts]) if isinstance(shifts, (tuple, list)) else -shifts


@op
def roll(xp: Any, input: Array, shifts: int | Ints, dims: int | Ints | None = None) -> Array:
    """A copy with elements moved along dimensions; what leaves at one end comes in at the other.

    Args:
        shifts: how far, an int or one for each of ``dims``.
        dims: along which dimensions. None: in the flattened tensor.

    Raises:
        RuntimeError: there are not as many shifts as dimensions.

    >>> import devgrad
    >>> devgrad.roll(devgrad.tensor([1, 2, 3]), 1)
    tensor([3, 1, 2])
    """
    along = () if dims is None else ints((dims,) if isinstance(dims, (tuple, list)) else ((dims,),))
    by = ints((shifts,))
    if len(by) != len(along) and not (not along and len(by) == 1):
        if not by:
            raise RuntimeError("`shifts` required")
        raise RuntimeError(
            f"shifts and dimensions must align. shifts: {len(by)}, dims:{len(along)}"
        )
    if not along:
        return xp.roll(input, by[0])
    return xp.roll(input, by, tuple([as_dim(d, input.ndim) for d in along]))


roll.vjp(input=lambda g, shifts, dims: roll(g, _negated(shifts), dims))


@op
def rot90(xp: Any, input: Array, k: int = 1, dims: Ints = (0, 1)) -> Array:
    """A copy turned by ``k`` right angles in the plane of two dimensions, from the first to the
    second of ``dims``.

    Raises:
        RuntimeError: ``dims`` are not two different dimensions.
    """
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if input.ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {input.ndim}")
    first, second = as_dim(dims[0], input.ndim), as_dim(dims[1], input.ndim)
    if first == second:
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}"
        )
    return xp.rot90(input, k, (first, second)).copy()


rot90.vjp(input=lambda g, k, dims: rot90(g, -k, dims))


# --- several times --------------------------------------------------------------------------------


def _without_repeats(g: Any, repeats: Any, shape: Any) -> Any:
    shape_in_front = (1,) * (len(repeats) - len(shape)) + tuple(shape)
    apart = [n for pair in zip(repeats, shape_in_front, strict=True) for n in pair]
    summed = [n for size in shape_in_front for n in (1, size)]
    return sum_to(g.reshape(tuple(apart)), tuple(summed)).reshape(tuple(shape))


@op(name="repeat", function=False, method=False)
def _repeat(xp: Any, input: Array, repeats: Any) -> Array:
    return xp.tile(input, repeats)


_repeat.vjp(input=lambda g, repeats, input_shape: _without_repeats(g, repeats, input_shape))


@composite(function=False, out=False, varargs=True)
def repeat(input: Tensor, repeats: Any) -> Tensor:
    """The tensor several times along each dimension, copied.

    Args:
        repeats: how often for each dimension; more dimensions may be put in front.

    Raises:
        RuntimeError: there are fewer numbers than dimensions, or a negative one.

    >>> import devgrad
    >>> devgrad.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    repeats = ints((repeats,), "repeats")
    if len(repeats) < input._array.ndim:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            f"tensor: {list(repeats)} for shape {list(input.shape)}"
        )
    if any(n < 0 for n in repeats):
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {min(repeats)}: {list(repeats)}"
        )
    return _repeat.function(input, repeats)


@composite(out=False, varargs=True)
def tile(input: Tensor, dims: Ints) -> Tensor:
    """`Tensor.repeat`, where too few numbers stand for the last dimensions."""
    dims = ints((dims,), "dims")
    return repeat(input, (1,) * (input._array.ndim - len(dims)) + dims)


@op(function=False, method=False, node="IndexSelectBackward0")
def taken(xp: Any, input: Array, dim: int, index: Any) -> Array:
    """The places ``index`` (a bare array of integers) along ``dim``."""
    return xp.take(input, index, dim)


@op(function=False, method=False, node="IndexAddBackward0")
def _given_back(xp: Any, input: Array, shape: Any, dim: int, index: Any) -> Array:
    whole = xp.zeros(shape, input.dtype)
    xp.scatter_add(whole, (slice(None),) * dim + (index,), input)
    return whole


taken.vjp(input=lambda g, dim, index, input_shape: _given_back(g, input_shape, dim, index))
_given_back.vjp(input=lambda g, dim, index: taken(g, dim, index))


@composite(out=False)
def repeat_interleave(
    input: Tensor,
    repeats: int | Ints | Tensor | None = None,
    dim: int | None = None,
    *,
    output_size: int | None = None,
) -> Tensor:
    """Each element, or each place along ``dim``, several times in a row.

    Args:
        repeats: how often: an int, or a 1-dim integer tensor with a number for each place. Called
            with such a tensor alone, it gives the places: ``[0, 0, 1]`` for ``[2, 1]``.
        dim: along which dimension. None: of the flattened tensor.
        output_size: the size of the result along ``dim``, if it is known.

    Raises:
        RuntimeError: there are not as many numbers as places, or negative ones.

    >>> import devgrad
    >>> devgrad.repeat_interleave(devgrad.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    """
    if repeats is None:
        places = wrap(input._type.xp.arange(input._array.size), input._type)
        return repeat_interleave(places, input, 0)
    if dim is None:
        input, dim = reshape(input, (-1,)), 0
    dim = as_dim(dim, input._array.ndim)
    if isinstance(repeats, (tuple, list)):
        repeats = wrap(input._type.xp.asarray(repeats), input._type.device.types[int64])
    if not isinstance(repeats, Tensor):
        if repeats < 0:
            raise RuntimeError(f"Repeats must be non-negative: {repeats}")
        shape = input._array.shape
        several = unsqueeze.function(input, dim + 1)
        wide = expand.function(several, (*shape[: dim + 1], repeats, *shape[dim + 1 :]))
        size = (shape[dim] if shape else 1) * repeats
        return view(wide.contiguous(), (*shape[:dim], size, *shape[dim + 1 :]))
    counts = repeats._array
    if counts.size == 1:
        counts = counts.reshape((1,)).repeat(input._array.shape[dim])
    if counts.ndim != 1:
        raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
    if counts.dtype.name not in ("int32", "int64"):
        raise RuntimeError("repeats has to be Long or Int tensor")
    if counts.shape[0] != input._array.shape[dim]:
        raise RuntimeError(
            "repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{counts.shape[0]} and input.size({dim}) = {input._array.shape[dim]}"
        )
    if (counts < 0).any():
        raise RuntimeError("repeats can not be negative")
    xp = input._type.xp
    index = xp.repeat(xp.arange(counts.shape[0]), counts.tolist())
    if output_size is not None and output_size != index.shape[0]:
        raise RuntimeError(f"allocated size does not match required size: {output_size}")
    return taken.function(input, dim, index)


# --- triangles and diagonals ----------------------------------------------------------------------


@op(inplace=True)
def tril(xp: Any, input: Array, diagonal: int = 0) -> Array:
    """A copy of matrices with zero above a diagonal.

    Args:
        diagonal: 0 for the main one, positive for one above it.

    Raises:
        RuntimeError: there are fewer than two dimensions.

    >>> import devgrad
    >>> devgrad.tril(devgrad.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    if input.ndim < 2:
        raise RuntimeError("tril: input tensor must have at least 2 dimensions")
    return xp.tril(input, diagonal)


tril.vjp(input=lambda g, diagonal: tril(g, diagonal))


@op(inplace=True)
def triu(xp: Any, input: Array, diagonal: int = 0) -> Array:
    """A copy of matrices with zero below a diagonal; see `tril`."""
    if input.ndim < 2:
        raise RuntimeError("triu: input tensor must have at least 2 dimensions")
    return xp.triu(input, diagonal)


triu.vjp(input=lambda g, diagonal: triu(g, diagonal))

int64 = resolve("cpu").xp.dtype("int64")


def _triangle(name: str) -> Any:
    def indices(
        row: int, col: int, offset: int = 0, *, dtype: DType | None = None,
        device: AnyDevice = None, layout: Any = None,
    ) -> Tensor:  # fmt: skip
        if row < 0 or col < 0:
            which, n = ("row", row) if row < 0 else ("col", col)
            raise RuntimeError(f"{which} must be non-negative, got{n}")
        place = resolve(device)
        kind = place.types[int64 if dtype is None else dtype.array_dtype]
        with place.xp.on_device(place.index):
            found = getattr(place.xp, name)(row, offset, col)
            array = place.xp.stack(found).astype(kind.array_dtype)
        return wrap(array, kind)

    indices.__name__ = indices.__qualname__ = name
    what = "on and below" if name == "tril_indices" else "on and above"
    indices.__doc__ = f"""The indices of the elements {what} a diagonal of a ``row``×``col`` matrix.

    Returns:
        Integers, 2×N: the rows above the columns.
    """
    return composite(indices, method=False, out=False)


_triangle("tril_indices")
_triangle("triu_indices")


@op
def diag_embed(xp: Any, input: Array, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Array:
    """Zeros, with the last dimension of ``input`` on the diagonal of two dimensions.

    Raises:
        RuntimeError: ``dim1`` and ``dim2`` are the same.

    >>> import devgrad
    >>> devgrad.diag_embed(devgrad.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    ndim = input.ndim + 1
    first, second = as_dim(dim1, ndim), as_dim(dim2, ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    if not input.ndim:
        raise RuntimeError("diag_embed() needs at least one dimension: input is 0-dim")
    n = input.shape[-1] + abs(offset)
    shape = list(input.shape[:-1])
    for d in sorted((first, second)):
        shape.insert(d, n)
    whole = xp.zeros(tuple(shape), input.dtype)
    diagonal.forward(xp, whole, offset, first, second)[...] = input
    return whole


diag_embed.vjp(input=lambda g, offset, dim1, dim2: diagonal(g, offset, dim1, dim2))


@op(function=False, method=False, node="DiagonalBackward0_copy")
def _diagonal_copy(xp: Any, input: Array, offset: int) -> Array:
    return diagonal.forward(xp, input, offset, 0, 1).copy()


@op(function=False, method=False, node="DiagonalBackwardBackward0")
def _on_diagonal(xp: Any, input: Array, shape: Any, offset: int) -> Array:
    whole = xp.zeros(shape, input.dtype)
    diagonal.forward(xp, whole, offset, 0, 1)[...] = input
    return whole


_diagonal_copy.vjp(input=lambda g, offset, input_shape: _on_diagonal(g, input_shape, offset))
_on_diagonal.vjp(input=lambda g, offset: _diagonal_copy(g, offset))


def _diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix, copied; or a matrix with the vector ``input`` on a diagonal.

    Raises:
        RuntimeError: ``input`` is neither.

    >>> import devgrad
    >>> devgrad.diag(devgrad.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    n = input._array.ndim
    if n == 1:
        return diag_embed.function(input, diagonal)
    if n != 2:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {n}D")
    return _diagonal_copy.function(input, diagonal)


_diag.__name__ = _diag.__qualname__ = "diag"
diag = composite(_diag)


@composite(out=False)
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """A matrix with all elements of ``input`` on a diagonal."""
    return diag_embed.function(reshape(input, (-1,)), offset)


def _as_matrix(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1,) * (2 - len(shape)) + shape


def _blocks(g: Any, tensors_shape: Any) -> list[Any]:
    row = column = 0
    found = []
    for shape in tensors_shape:
        n, m = _as_matrix(shape)
        block = slice_(slice_(g, 0, row, row + n), 1, column, column + m)
        found.append(block if len(shape) == 2 else block.reshape(tuple(shape)))
        row, column = row + n, column + m
    return found


@op(name="block_diag", promotes=True, function=False, method=False)
def _block_diag(xp: Any, tensors: Arrays) -> Array:
    for position, a in enumerate(tensors):
        if a.ndim > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input "
                f"{position} has {a.ndim} dimensions"
            )
    shapes = [_as_matrix(a.shape) for a in tensors]
    whole = xp.zeros((sum(n for n, _ in shapes), sum(m for _, m in shapes)), tensors[0].dtype)
    row = column = 0
    for a, (n, m) in zip(tensors, shapes, strict=True):
        whole[row : row + n, column : column + m] = a
        row, column = row + n, column + m
    return whole


_block_diag.vjp(tensors=_blocks)


@composite(method=False, out=False)
def block_diag(*tensors: Any) -> Tensor:
    """A matrix of zeros with matrices along its diagonal. Vectors count as rows.

    Raises:
        RuntimeError: a tensor has more than two dimensions.

    >>> import devgrad
    >>> devgrad.block_diag(devgrad.tensor([1, 2]), devgrad.tensor(3))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    return _block_diag.function(checked_tensors(tensors))


# --- grids ----------------------------------------------------------------------------------------


@composite(method=False, out=False)
def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Views of vectors, spread over the grid that they span.

    Args:
        tensors: vectors or 0-dim tensors.
        indexing: ``"ij"``: dimension i belongs to the i-th vector; ``"xy"``: the first two
            dimensions are swapped.

    Raises:
        RuntimeError: a tensor has more than one dimension; another ``indexing``.

    >>> import devgrad
    >>> devgrad.meshgrid(devgrad.tensor([1, 2]), devgrad.tensor([3, 4]), indexing="ij")[0]
    tensor([[1, 1],
            [2, 2]])
    """
    tensors = checked_tensors(tensors)
    if not tensors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing is None:
        warnings.warn(
            "torch.meshgrid: in an upcoming release, it will be required to pass the indexing "
            "argument.",
            UserWarning,
            stacklevel=user_stacklevel(),
        )
        indexing = "ij"
    if indexing not in ("ij", "xy"):
        raise RuntimeError(
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}'
        )
    vectors = list(tensors)
    for x in vectors:
        if x._array.ndim > 1:
            raise RuntimeError(
                "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got one of shape "
                f"{list(x.shape)}"
            )
    swap = indexing == "xy" and len(vectors) > 1
    if swap:
        vectors[:2] = vectors[1::-1]
    shape = tuple([x._array.size for x in vectors])
    n = len(shape)
    grids = [  # what "xy" swaps in front, it swaps back at the end
        expand.function(view(x, (1,) * d + (shape[d],) + (1,) * (n - 1 - d)), shape)
        for d, x in enumerate(vectors)
    ]
    if swap:
        grids[:2] = grids[1::-1]
    return tuple(grids)


@composite(method=False, out=False)
def cartesian_prod(*tensors: Any) -> Tensor:
    """All ways to pick one element of each vector, a row for each way.

    Raises:
        RuntimeError: a tensor is no vector.
    """
    tensors = checked_tensors(tensors)
    for x in tensors:
        if x._array.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(x.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    grids = meshgrid(*tensors, indexing="ij")
    return stack.function([reshape(g, (-1,)) for g in grids], 1)


@composite(out=False)
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All ways to pick ``r`` elements of a vector in order, a row for each way.

    Raises:
        RuntimeError: ``input`` is no vector, or ``r`` is negative.

    >>> import devgrad
    >>> devgrad.combinations(devgrad.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    if input._array.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    xp = input._type.xp
    if r == 0:
        return wrap(xp.empty((0,), input._type.array_dtype), input._type)
    pick = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    ways = list(pick(range(input._array.size), r))
    index = xp.asarray(ways, dtype="int64").reshape((len(ways), r))
    return stack.function([taken.function(input, 0, index[:, i]) for i in range(r)], 1)
