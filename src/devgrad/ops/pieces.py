"""Views of a part: slices, windows, diagonals, stretches of storage, parts of complex numbers."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ._layout import as_dim, ints, overlaps, positions, strides_of
from ._op import METHODS, Array, Ints, composite, op
from .views import embedded

__all__ = ["as_strided", "diagonal", "imag", "real", "select", "slice_"]


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


select.vjp(input=lambda g, dim, index, input_shape: embedded(g, input_shape, select, (dim, index)))


@composite(out=False)
def narrow(input: Tensor, dim: int, start: int | Tensor, length: int) -> Tensor:
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
    return slice_.function(input, dim, start, start + length)


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


# --- any stretch of the storage -------------------------------------------------------------------


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
    input: Tensor, size: Ints, stride: Ints, storage_offset: int | None = None
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
    return _as_strided.function(input, size, stride, offset - here, layout)


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
    return _view_as_complex.function(input)


@composite(out=False, method=False)
def real(input: Tensor) -> Tensor:
    """The real part: a view; a real tensor itself."""
    if not input._type.dtype.is_complex:
        return input
    return select.function(view_as_real.function(input), -1, 0)


@composite(out=False, method=False)
def imag(input: Tensor) -> Tensor:
    """The imaginary part: a view.

    Raises:
        RuntimeError: ``input`` is real.
    """
    if not input._type.dtype.is_complex:
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return select.function(view_as_real.function(input), -1, 1)


def _set_real(self: Tensor, value: Any) -> None:
    real(self).copy_(value)


def _set_imag(self: Tensor, value: Any) -> None:
    imag(self).copy_(value)


METHODS.update(real=property(real, _set_real), imag=property(imag, _set_imag))
