"""Parts of tensors, and tensors put together: slices, splits, concatenation.

One is the derivative of the other: the gradient of a split is a concatenation, that of a
concatenation a split.
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor, wrap
from ..device import array_namespace
from ._layout import as_dim, ints, overlaps, positions, strides_of
from ._op import METHODS, Array, Arrays, composite, op
from .views import atleast_1d, atleast_2d, atleast_3d, embedded, reshape

__all__ = ["cat", "diagonal", "select", "slice_", "split", "stack", "unbind"]


# --- one part -------------------------------------------------------------------------------------


@op(view=True, name="slice", function=False, method=False)
def slice_(xp: Any, input: Array, dim: int, start: int, end: int, step: int = 1) -> Array:
    """Those of the elements along ``dim`` that Python's ``slice(start, end, step)`` takes."""
    return input[(slice(None),) * dim + (slice(start, end, step), ...)]


slice_.vjp(
    input=lambda g, dim, start, end, step, input_shape: embedded(
        g, input_shape, slice_, (dim, start, end, step)
    )
)


@op(view=True)
def select(xp: Any, input: Array, dim: int, index: int) -> Array:
    """A view of one place along ``dim``, without that dimension.

    Raises:
        IndexError: there is no such dimension or place.

    >>> import devgrad
    >>> devgrad.select(devgrad.tensor([[1, 2], [3, 4]]), 1, 0)
    tensor([1, 3])
    """
    if not input.ndim:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim = as_dim(dim, input.ndim)
    n = input.shape[dim]
    if not -n <= index < n:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at "
            f"dimension {dim}"
        )
    return input[(slice(None),) * dim + (index, ...)]


select.vjp(
    input=lambda g, dim, index, input_shape: embedded(g, input_shape, select, (dim, index))
)


@composite(out=False)
def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """A view of ``length`` places along ``dim``, from ``start`` on.

    Args:
        start: an int, or a 0-dim integer tensor; counted from the end if negative.

    Raises:
        RuntimeError: they are not all there.

    >>> import devgrad
    >>> devgrad.narrow(devgrad.arange(5), 0, 1, 3)
    tensor([1, 2, 3])
    """
    if not input._array.ndim:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    dim = as_dim(dim, input._array.ndim)
    n = input._array.shape[dim]
    start = start.__index__()
    if not -n <= start <= n:
        raise IndexError(
            f"start out of range (expected to be in range of [{-n}, {n}], but got {start})"
        )
    start += n if start < 0 else 0
    if start + length > n:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return slice_.function(input, dim, start, start + length)  # type: ignore[no-any-return]


@op(view=True)
def diagonal(xp: Any, input: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Array:
    """A view of the elements with equal index in two dimensions; it is the last dimension.

    Args:
        offset: 0 for the main diagonal, positive for one above it, negative for one below.

    Raises:
        RuntimeError: ``dim1`` and ``dim2`` are the same.

    >>> import devgrad
    >>> devgrad.diagonal(devgrad.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    first, second = as_dim(dim1, input.ndim), as_dim(dim2, input.ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    low, right = max(-offset, 0), max(offset, 0)
    n = max(0, min(input.shape[first] - low, input.shape[second] - right))
    rest = [d for d in range(input.ndim) if d not in (first, second)]
    shape = tuple([*[input.shape[d] for d in rest], n])
    if n == 0:
        return xp.empty(shape, input.dtype)
    strides = strides_of(input)
    steps = tuple([*[strides[d] for d in rest], strides[first] + strides[second]])
    start = xp.storage(input)[0] + low * strides[first] + right * strides[second]
    return xp.strided(input, shape, steps, start)


diagonal.vjp(
    input=lambda g, offset, dim1, dim2, input_shape: embedded(
        g, input_shape, diagonal, (offset, dim1, dim2)
    )
)


@op(view=True, function=False)
def unfold(xp: Any, input: Array, dimension: int, size: int, step: int) -> Array:
    """A view of all windows of ``size`` places along a dimension, ``step`` apart.

    Returns:
        The windows are counted by ``dimension``; what is in them is a new last dimension.

    Raises:
        RuntimeError: the size is too large, or the step not positive.

    >>> import devgrad
    >>> devgrad.arange(5).unfold(0, 3, 2)
    tensor([[0, 1, 2],
            [2, 3, 4]])
    """
    dim = as_dim(dimension, input.ndim)
    n = input.shape[dim] if input.ndim else 1
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if size > n:
        raise RuntimeError(f"maximum size for tensor at dimension {dim} is {n} but size is {size}")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    if not input.ndim:
        return input.reshape((1,))[:size]
    strides = list(strides_of(input))
    shape = list(input.shape)
    shape[dim] = (n - size) // step + 1
    inner = strides[dim]
    strides[dim] *= step
    return xp.strided(
        input, (*shape, size), (*strides, inner), xp.storage(input)[0] if input.size else 0
    )


@op(function=False, method=False, node="UnfoldBackwardBackward0")
def _folded(xp: Any, input: Array, shape: Any, dimension: int, size: int, step: int) -> Array:
    """What unfolds to ``input`` if windows do not overlap, else the sums of the windows."""
    whole = xp.zeros(shape, input.dtype)
    if not shape:
        return input.reshape(()) if size else whole
    before = (slice(None),) * as_dim(dimension, len(shape))
    n = input.shape[len(before)]
    for k in range(size):
        whole[(*before, slice(k, k + (n - 1) * step + 1, step))] += input[..., k]
    return whole


unfold.vjp(
    input=lambda g, dimension, size, step, input_shape: _folded(
        g, input_shape, dimension, size, step
    )
)
_folded.vjp(input=lambda g, dimension, size, step: unfold(g, dimension, size, step))


# --- any stretch of the storage ---------------------------------------------------------------------


@op(view=True, name="as_strided", function=False, method=False)
def _as_strided(xp: Any, input: Array, size: Any, stride: Any, offset: int, layout: Any) -> Array:
    """The elements that lie ``offset`` elements after the first of ``input``, and on by strides.

    ``layout`` is the strides of the tensor that was given: an array of its shape may stand in.
    """
    return xp.strided(input, size, stride, xp.storage(input)[0] + offset)


def _extent(shape: Any, strides: Any, offset: int) -> tuple[int, int]:
    """The first and one past the last place in memory that is reached."""
    if 0 in shape:
        return offset, offset
    reach = [(n - 1) * s for n, s in zip(shape, strides, strict=True)]
    return offset + sum(min(r, 0) for r in reach), offset + sum(max(r, 0) for r in reach) + 1


def _relaid(xp: Any, x: Array, source: Any, target: Any) -> Array:
    """Put ``x`` in memory as ``source`` says, adding what falls together; take out ``target``.

    Both are (shape, strides, offset).
    """
    (a, b), (c, d) = _extent(*source), _extent(*target)
    low, high = min(a, c), max(b, d)
    memory = xp.zeros(high - low, x.dtype)
    shape, strides, offset = source
    if overlaps(shape, strides):
        xp.scatter_add(memory, positions(xp, shape, strides, offset - low), x)
    else:
        xp.strided(memory, shape, strides, offset - low)[...] = x
    shape, strides, offset = target
    return xp.strided(memory, shape, strides, offset - low).copy()


@op(function=False, method=False, node="AsStridedBackward0")
def _restrided(xp: Any, input: Array, source: Any, target: Any) -> Array:
    """`_relaid` as an operation: its own derivative with the layouts exchanged."""
    return _relaid(xp, input, source, target)


_restrided.vjp(input=lambda g, source, target: _restrided(g, target, source))
_as_strided.vjp(
    input=lambda g, size, stride, offset, layout, input_shape: _restrided(
        g, (size, stride, offset), (input_shape, layout, 0)
    )
)


@composite(out=False)
def as_strided(
    input: Tensor, size: Any, stride: Any, storage_offset: int | None = None
) -> Tensor:
    """A view of any elements of the storage, by shape, strides and offset.

    Args:
        size, stride: as many ints each; strides are counted in elements.
        storage_offset: where the first element is in the storage. Default: where that of
            ``input`` is.

    Returns:
        A view. Where it shows an element several times, the gradients add up.

    Raises:
        RuntimeError: the storage does not reach so far; a stride or the offset is negative.

    >>> import devgrad
    >>> devgrad.as_strided(devgrad.arange(4), (3, 2), (1, 1))
    tensor([[0, 1],
            [1, 2],
            [2, 3]])
    """
    size, stride = ints((size,)), ints((stride,))
    if len(size) != len(stride):
        raise RuntimeError("mismatch in length of strides and shape")
    if any(s < 0 for s in stride):
        raise RuntimeError(
            "as_strided: Negative strides are not supported at the moment, got strides: "
            f"{list(stride)}"
        )
    here, capacity = input._type.xp.storage(input._array)
    offset = here if storage_offset is None else storage_offset
    if offset < 0:
        raise RuntimeError(f"Tensor: invalid storage offset {offset}")
    _, end = _extent(size, stride, offset)
    item = input._array.itemsize
    if 0 not in size and end > capacity:
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, and "
            f"itemsize {item} requiring a storage size of {end * item} are out of bounds for "
            f"storage of size {capacity * item}"
        )
    layout = strides_of(input._array)
    return _as_strided.function(input, size, stride, offset - here, layout)  # type: ignore[no-any-return]


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
    start, found = 0, []
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
    except ValueError:
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


@composite(method=False, aliases=("row_stack",))
def vstack(tensors: Any) -> Tensor:
    """Tensors joined along dimension 0, after they were made at least 2-dim."""
    return cat.function([atleast_2d(t) for t in tensors], 0)  # type: ignore[no-any-return]


@composite(method=False)
def hstack(tensors: Any) -> Tensor:
    """Tensors joined along dimension 1, or 0 if they are 1-dim."""
    tensors = [atleast_1d(t) for t in tensors]
    return cat.function(tensors, 0 if tensors and tensors[0]._array.ndim == 1 else 1)  # type: ignore[no-any-return]


@composite(method=False)
def dstack(tensors: Any) -> Tensor:
    """Tensors joined along dimension 2, after they were made at least 3-dim."""
    return cat.function([atleast_3d(t) for t in tensors], 2)  # type: ignore[no-any-return]


@composite(method=False)
def column_stack(tensors: Any) -> Tensor:
    """Tensors joined as columns: along dimension 1, 0- and 1-dim ones as columns."""
    columns = [reshape(t, (-1, 1)) if t._array.ndim < 2 else t for t in tensors]
    return cat.function(columns, 1)  # type: ignore[no-any-return]


# --- several parts ----------------------------------------------------------------------------------


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
        return split_with_sizes(tensor, split_size_or_sections, dim)  # type: ignore[no-any-return]
    size = split_size_or_sections.__index__()
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
    return _split.function(tensor, size, dim)  # type: ignore[no-any-return]


@composite(out=False)
def split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of parts along ``dim``, of these sizes.

    Raises:
        RuntimeError: the sizes do not add up, or are negative.
    """
    if not input._array.ndim:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    dim = as_dim(dim, input._array.ndim)
    sizes = ints((split_sizes,))
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
    return _split_sizes.function(input, sizes, dim)  # type: ignore[no-any-return]


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
        return _split_sizes.function(input, (0,) * chunks, dim)  # type: ignore[no-any-return]
    return _split.function(input, -(-n // chunks), dim)  # type: ignore[no-any-return]


@composite(out=False)
def tensor_split(
    input: Tensor, indices_or_sections: Any, dim: int = 0
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
        cuts = cuts.tolist()
    if isinstance(cuts, (tuple, list)):
        places = [c.__index__() for c in cuts]
    else:
        sections = cuts.__index__()
        if sections <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
        size, larger = divmod(n, sections)
        places = [i * size + min(i, larger) for i in range(1, sections)]
    ends = [0, *places, n]
    return tuple([slice_.function(input, dim, a, b) for a, b in zip(ends, ends[1:], strict=False)])


def _numpy_split(name: str, at_least: int, dim: int) -> Any:
    def parts(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
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
        return tensor_split(input, sections, along)  # type: ignore[no-any-return]

    def method(self: Tensor, *sections: Any) -> tuple[Tensor, ...]:
        return parts(self, sections[0] if len(sections) == 1 else sections)

    for function in (parts, method):
        function.__name__ = function.__qualname__ = name
        function.__doc__ = (
            f"`tensor_split` along dimension {dim}; a number of parts has to divide its size."
        )
    METHODS[name] = method
    return composite(parts, out=False, method=False)


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


# --- the two parts of complex numbers -------------------------------------------------------------


@op(view=True, method=False)
def view_as_real(xp: Any, input: Array) -> Array:
    """A complex tensor as a real one with a last dimension of size 2: a view.

    Raises:
        RuntimeError: ``input`` is real.
    """
    if input.dtype.kind != "c":
        raise RuntimeError("view_as_real is only supported for complex tensors")
    real = input.real
    return xp.strided(
        real, (*real.shape, 2), (*strides_of(real), 1), xp.storage(real)[0] if real.size else 0
    )


@op(view=True, name="_view_as_complex", node="ViewAsComplexBackward0", function=False, method=False)
def _view_as_complex(xp: Any, input: Array) -> Array:
    wide = 2 * input.itemsize
    if input.strides[-1] != input.itemsize or any(s % wide for s in input.strides[:-1]):
        input = xp.ascontiguousarray(input)  # only of gradients: see the check below
    return input.view(xp.complex64 if wide == 8 else xp.complex128)[..., 0]


view_as_real.vjp(input=lambda g: _view_as_complex(g))
_view_as_complex.vjp(input=lambda g: view_as_real(g))


@composite(out=False, method=False)
def view_as_complex(input: Tensor) -> Tensor:
    """A real tensor with a last dimension of size 2 as a complex one: a view.

    Raises:
        RuntimeError: the last dimension is not of size 2, or does not lie together in memory.
    """
    array = input._array
    if array.dtype.kind != "f" or array.itemsize == 2:
        raise RuntimeError(
            "view_as_complex is only supported for half, float and double tensors, but got a "
            f"tensor of scalar type: {input._type.dtype.title}"
        )
    if not array.ndim:
        raise RuntimeError("Input tensor must have one or more dimensions")
    if array.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    strides = strides_of(array)
    if strides[-1] != 1:
        raise RuntimeError("Tensor must have a last dimension with stride 1")
    if any(s % 2 for s in strides[:-1]):
        raise RuntimeError("Tensor must have a stride divisible by 2 for all but last dimension")
    if input._type.xp.storage(array)[0] % 2:
        raise RuntimeError("Tensor must have a storage_offset divisible by 2")
    return _view_as_complex.function(input)  # type: ignore[no-any-return]


@composite(out=False, method=False)
def real(input: Tensor) -> Tensor:
    """The real part: a view; a real tensor itself."""
    if not input._type.dtype.is_complex:
        return input
    return select.function(view_as_real.function(input), -1, 0)  # type: ignore[no-any-return]


@composite(out=False, method=False)
def imag(input: Tensor) -> Tensor:
    """The imaginary part: a view.

    Raises:
        RuntimeError: ``input`` is real.
    """
    if not input._type.dtype.is_complex:
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return select.function(view_as_real.function(input), -1, 1)  # type: ignore[no-any-return]


def _set_real(self: Tensor, value: Any) -> None:
    real(self).copy_(value)


def _set_imag(self: Tensor, value: Any) -> None:
    imag(self).copy_(value)


METHODS.update(real=property(real, _set_real), imag=property(imag, _set_imag))
