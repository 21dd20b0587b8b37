"""Tensors put together, and taken apart.

One is the derivative of the other: the gradient of a split is a concatenation, that of a
concatenation a split.
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor, wrap
from ..autograd import _api
from ..device import array_namespace
from ._arguments import as_int, as_ints
from ._layout import as_dim, ints
from ._op import METHODS, Array, Arrays, Ints, composite, op
from .pieces import select, slice_
from .views import atleast_1d, atleast_2d, atleast_3d, reshape

__all__ = ["cat", "split", "stack", "unbind"]


# --- concatenation --------------------------------------------------------------------------------


def _skipped(array: Any) -> bool:
    # As PyTorch has it since its beginnings: an empty list of numbers joins anything.
    return bool(array.ndim == 1 and array.shape[0] == 0)


def _cat_shape(arrays: Any, dim: int) -> None:
    """Raise PyTorch's error where arrays cannot be concatenated."""
    first = next((a for a in arrays if not _skipped(a)), arrays[0])
    for position, a in enumerate(arrays):
        if _skipped(a):
            continue
        if a.ndim == 0:
            raise RuntimeError(
                f"zero-dimensional tensor (at position {position}) cannot be concatenated"
            )
        if a.ndim != first.ndim:
            raise RuntimeError(
                f"Tensors must have same number of dimensions: got {first.ndim} and {a.ndim}"
            )
        for d in range(a.ndim):
            if d != dim and a.shape[d] != first.shape[d]:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {dim}. Expected size "
                    f"{first.shape[d]} but got size {a.shape[d]} for tensor number {position} in "
                    "the list."
                )


def _cat_gradients(g: Any, dim: int, tensors_shape: Any) -> list[Any]:
    ndim = max(len(shape) for shape in tensors_shape)
    dim = as_dim(dim, ndim)
    start = 0
    found: list[Any] = []
    for shape in tensors_shape:
        if shape == (0,) and ndim > 1:
            found.append(None)
            continue
        found.append(slice_(g, dim, start, start + shape[dim]))
        start += shape[dim]
    return found


@op(promotes=True, method=False, aliases=("concat", "concatenate"))
def cat(xp: Any, tensors: Arrays, dim: int = 0) -> Array:
    """Tensors joined along a dimension that they have.

    Args:
        tensors: of equal shapes except in ``dim``; an empty 1-dim one is passed over. Their
            dtypes are promoted.

    Raises:
        RuntimeError: shapes do not match. IndexError: there is no such dimension.

    >>> import devgrad
    >>> devgrad.cat([devgrad.tensor([1, 2]), devgrad.tensor([3])])
    tensor([1, 2, 3])
    """
    ndim = max(a.ndim for a in tensors)
    if ndim > 1:
        tensors = [a for a in tensors if not _skipped(a)]
    dim = as_dim(dim, ndim)
    try:
        return xp.concatenate(tensors, dim)
    except (ValueError, TypeError):  # CuPy's error for tensors without dimensions is the latter
        _cat_shape(tensors, dim)
        raise


cat.vjp(tensors=_cat_gradients)


def _stack_gradients(g: Any, dim: int, tensors_shape: Any) -> list[Any]:
    return [select(g, dim, i) for i in range(len(tensors_shape))]


@op(promotes=True, method=False)
def stack(xp: Any, tensors: Arrays, dim: int = 0) -> Array:
    """Tensors of one shape joined along a new dimension.

    Raises:
        RuntimeError: shapes differ. IndexError: ``dim`` is out of range.

    >>> import devgrad
    >>> devgrad.stack([devgrad.tensor([1, 2]), devgrad.tensor([3, 4])], 1)
    tensor([[1, 3],
            [2, 4]])
    """
    shape = tensors[0].shape
    for position, a in enumerate(tensors):
        if a.shape != shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(shape)} at entry 0 "
                f"and {list(a.shape)} at entry {position}"
            )
    before = (slice(None),) * as_dim(dim, len(shape) + 1)
    # (`xp.stack` does the same at four times the price.)
    return xp.concatenate([a[(*before, None, ...)] for a in tensors], len(before))


stack.vjp(tensors=_stack_gradients)
_api.operations["stack"] = stack.function


@composite(method=False, aliases=("row_stack",))
def vstack(tensors: Arrays) -> Tensor:
    """Tensors joined along dimension 0, after they were made at least 2-dim."""
    return cat.function([atleast_2d(t) for t in tensors], 0)


@composite(method=False)
def hstack(tensors: Arrays) -> Tensor:
    """Tensors joined along dimension 1, or 0 if they are 1-dim."""
    tensors = [atleast_1d(t) for t in tensors]
    return cat.function(tensors, 0 if tensors and tensors[0]._array.ndim == 1 else 1)


@composite(method=False)
def dstack(tensors: Arrays) -> Tensor:
    """Tensors joined along dimension 2, after they were made at least 3-dim."""
    return cat.function([atleast_3d(t) for t in tensors], 2)


@composite(method=False)
def column_stack(tensors: Arrays) -> Tensor:
    """Tensors joined as columns: along dimension 1, 0- and 1-dim ones as columns."""
    columns = [reshape(t, (-1, 1)) if t._array.ndim < 2 else t for t in tensors]
    return cat.function(columns, 1)


# --- several parts --------------------------------------------------------------------------------


def _zeros(like: Any, shape: Any) -> Any:
    if isinstance(like, Tensor):
        return wrap(like._type.xp.zeros(shape, like._array.dtype), like._type)
    return array_namespace(like).zeros(shape, like.dtype)


def _joined(parts: Any, sizes: Any, dim: int, shape: Any) -> Any:
    """Gradients of parts along ``dim`` as that of the whole; zero where there is none."""
    dim = as_dim(dim, len(shape))
    like = next(g for g in parts if g is not None)
    return cat(
        [
            _zeros(like, (*shape[:dim], n, *shape[dim + 1 :])) if g is None else g
            for g, n in zip(parts, sizes, strict=True)
        ],
        dim,
    )


def _sections(input: Array, sizes: Any, dim: int) -> list[Array]:
    before = (slice(None),) * dim
    start, parts = 0, []
    for n in sizes:
        parts.append(input[(*before, slice(start, start + n))])
        start += n
    return parts


def _equal_sizes(n: int, size: int) -> list[int]:
    return [min(size, n - i) for i in range(0, n, size)] if n and size else [n]


@op(view=True, several=True, name="split", node="SplitBackward0", function=False, method=False)
def _split(xp: Any, input: Array, split_size: int, dim: int) -> list[Array]:
    return _sections(input, _equal_sizes(input.shape[dim], split_size), dim)


_split.vjp(
    input=lambda g, split_size, dim, input_shape: _joined(
        g, _equal_sizes(input_shape[dim], split_size), dim, input_shape
    )
)


@op(view=True, several=True, name="_split_with_sizes", node="SplitWithSizesBackward0",
    function=False, method=False)  # fmt: skip
def _split_sizes(xp: Any, input: Array, split_sizes: Any, dim: int) -> list[Array]:
    return _sections(input, split_sizes, dim)


_split_sizes.vjp(
    input=lambda g, split_sizes, dim, input_shape: _joined(g, split_sizes, dim, input_shape)
)


@composite(out=False)
def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of parts along ``dim``.

    Args:
        split_size_or_sections: the size of every part - the last may be smaller -, or a list of
            their sizes.

    Raises:
        RuntimeError: the sizes do not add up, or are negative.

    >>> import devgrad
    >>> devgrad.split(devgrad.arange(5), 2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    if isinstance(split_size_or_sections, (tuple, list)):
        return split_with_sizes(tensor, split_size_or_sections, dim)
    if not hasattr(split_size_or_sections, "__index__"):
        as_ints("split_sizes", split_size_or_sections, "split_with_sizes")
    size = as_int("split_size", split_size_or_sections, "split")
    if not tensor._array.ndim:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    if size < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
    dim = as_dim(dim, tensor._array.ndim)
    n = tensor._array.shape[dim]
    if size == 0 and n:
        raise RuntimeError(
            f"split_size can only be 0 if dimension size is 0, but got dimension size of {n}"
        )
    return _split.function(tensor, size, dim)


@composite(out=False)
def split_with_sizes(input: Tensor, split_sizes: Ints, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of parts along ``dim``, of these sizes.

    Raises:
        RuntimeError: the sizes do not add up, or are negative.
    """
    if not input._array.ndim:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    dim = as_dim(dim, input._array.ndim)
    sizes = ints((split_sizes,), "split_sizes")
    n = input._array.shape[dim]
    if any(size < 0 for size in sizes):
        raise RuntimeError(
            "split_with_sizes expects split_sizes have only non-negative entries, but got "
            f"split_sizes={list(sizes)}"
        )
    if sum(sizes) != n:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at "
            f"dimension {dim}), but got split_sizes={list(sizes)}"
        )
    return _split_sizes.function(input, sizes, dim)


@composite(out=False)
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of at most ``chunks`` parts of equal size along ``dim``; the last may be smaller.

    >>> import devgrad
    >>> devgrad.chunk(devgrad.arange(5), 2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    if not input._array.ndim:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    dim = as_dim(dim, input._array.ndim)
    n = input._array.shape[dim]
    if n == 0:
        return _split_sizes.function(input, (0,) * chunks, dim)
    return _split.function(input, -(-n // chunks), dim)


@composite(out=False)
def tensor_split(
    input: Tensor, indices_or_sections: int | Ints | Tensor, dim: int = 0
) -> tuple[Tensor, ...]:
    """Views of parts along ``dim``, cut at these places.

    Args:
        indices_or_sections: how many parts (sizes then differ by at most one), or the places
            where to cut; an int, a sequence of ints, or an integer tensor of either.

    Raises:
        RuntimeError: no parts, or a 0-dim ``input``.

    >>> import devgrad
    >>> devgrad.tensor_split(devgrad.arange(5), (1, 3))
    (tensor([0]), tensor([1, 2]), tensor([3, 4]))
    """
    if not input._array.ndim:
        raise RuntimeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    dim = as_dim(dim, input._array.ndim)
    n = input._array.shape[dim]
    cuts = indices_or_sections
    if isinstance(cuts, Tensor):
        if cuts._array.ndim > 1:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or "
                f"one-dimensional tensor, but got a tensor with {cuts._array.ndim} dims"
            )
        if cuts._array.dtype.name != "int64":
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to have dtype of long, but got "
                f"{cuts._type.dtype.title}"
            )
        cuts = cuts.tolist()
    if isinstance(cuts, (tuple, list)):
        places = list(ints((cuts,), "indices_or_sections"))
    else:
        sections = as_int("indices_or_sections", cuts)
        if sections <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
        if sections >= 2**63:
            raise ValueError(f"Overflow when unpacking long long: {sections} does not fit 64 bits")
        size, larger = divmod(n, sections)
        places = [i * size + min(i, larger) for i in range(1, sections)]
    ends = [0, *places, n]
    return tuple([slice_.function(input, dim, a, b) for a, b in zip(ends, ends[1:], strict=False)])


def _numpy_split(name: str, at_least: int, dim: int) -> Any:
    def parts(input: Tensor, indices_or_sections: int | Ints) -> tuple[Tensor, ...]:
        shape = input._array.shape
        if len(shape) < at_least:
            raise RuntimeError(
                f"torch.{name} requires a tensor with at least {at_least} dimension, but got a "
                f"tensor with {len(shape)} dimensions!"
            )
        along = 0 if name == "hsplit" and len(shape) == 1 else dim
        sections = indices_or_sections
        if isinstance(sections, int) and (sections <= 0 or shape[along] % sections):
            raise RuntimeError(
                f"torch.{name} attempted to split along dimension {along}, but the size of the "
                f"dimension {shape[along]} is not divisible by the split_size {sections}!"
            )
        return tensor_split(input, sections, along)

    def method(self: Tensor, *sections: Any) -> tuple[Tensor, ...]:
        return public(self, sections[0] if len(sections) == 1 else sections)

    for function in (parts, method):
        function.__name__ = function.__qualname__ = name
        function.__doc__ = (
            f"`tensor_split` along dimension {dim}; a number of parts has to divide its size."
        )
    public = composite(parts, out=False, method=False)
    METHODS[name] = method
    return public


hsplit = _numpy_split("hsplit", 1, 1)
vsplit = _numpy_split("vsplit", 2, 0)
dsplit = _numpy_split("dsplit", 3, 2)


def _unbind_gradient(g: Any, dim: int, input_shape: Any) -> Any:
    dim = as_dim(dim, len(input_shape))
    like = next(part for part in g if part is not None)
    shape = input_shape[:dim] + input_shape[dim + 1 :]
    return stack([_zeros(like, shape) if part is None else part for part in g], dim)


@op(view=True, several=True)
def unbind(xp: Any, input: Array, dim: int = 0) -> list[Array]:
    """A tuple of views, one for each place along ``dim``.

    Raises:
        IndexError: there is no such dimension.

    >>> import devgrad
    >>> devgrad.unbind(devgrad.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
    """
    if not input.ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    dim = as_dim(dim, input.ndim)
    before = (slice(None),) * dim
    return [input[(*before, i, ...)] for i in range(input.shape[dim])]


unbind.vjp(input=_unbind_gradient)
