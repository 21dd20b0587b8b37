"""Views: the same memory seen in another shape.

The forward of a view operation returns a view of its operand's memory for *any* array of that
shape: views are taken again, of gradients, when their base is changed in place.
"""

from __future__ import annotations

from typing import Any

from .._tensor import Size, Tensor, wrap
from ..device import DType, device_of_array
from ._arguments import explained, kind_name
from ._errors import broadcast_mismatch
from ._layout import as_dim, as_dims, ints, strides_of, viewable
from ._op import METHODS, Array, Ints, composite, op
from ._promotion import checked_tensors

__all__ = ["broadcast_shapes", "embedded", "expand", "reshape", "unsafe_view", "unsqueeze", "view",
           "view_op"]  # fmt: skip


@op(function=False, method=False, node="EmbeddedBackward0")
def embedded(xp: Any, input: Array, shape: Any, part: Any, args: Any) -> Array:
    """Zeros of ``shape``, with ``input`` where the view operation ``part(whole, *args)`` is."""
    whole = xp.zeros(shape, input.dtype)
    part.forward(xp, whole, *args)[...] = input
    return whole


embedded.vjp(input=lambda g, part, args: part(g, *args))


# --- other shapes ---------------------------------------------------------------------------------


def _invalid_shape(shape: Any, size: int) -> RuntimeError:
    shape = list(shape)
    if shape.count(-1) > 1:
        return RuntimeError(f"only one dimension can be inferred: the shape given was {shape}")
    if any(n < -1 for n in shape):
        return RuntimeError(f"invalid shape dimension {min(shape)} in {shape}")
    if -1 in shape and 0 in shape and size == 0:
        return RuntimeError(
            f"cannot reshape tensor of 0 elements into shape {shape} because the unspecified "
            "dimension size -1 can be any value and is ambiguous"
        )
    return RuntimeError(f"shape '{shape}' is invalid for input of size {size}")


def _reshaped(xp: Any, input: Array, shape: Any) -> Array:
    try:
        return input.reshape(shape)
    except ValueError:
        raise _invalid_shape(shape, input.size) from None


# `reshape` with a tuple means the same on arrays and tensors, and is quicker than an operation.
view_op = op(_reshaped, name="view", view=True, function=False, method=False)
view_op.vjp(input=lambda g, input_shape: g.reshape(input_shape))

_reshape_alias = op(_reshaped, name="_reshape_alias", node="ReshapeAliasBackward0", view=True,
                    function=False, method=False)  # fmt: skip
_reshape_alias.vjp(input=lambda g, input_shape: g.reshape(input_shape))

unsafe_view = op(_reshaped, name="_unsafe_view", node="UnsafeViewBackward0", function=False,
                 method=False)  # fmt: skip
unsafe_view.vjp(input=lambda g, input_shape: g.reshape(input_shape))


def _can_view(array: Any, shape: tuple[int, ...]) -> bool:
    if array.flags.c_contiguous:
        return True
    if -1 in shape or any(n < 0 for n in shape):
        known = 1
        for n in shape:
            known *= n if n != -1 else 1
        if shape.count(-1) != 1 or min(shape) < -1 or known == 0 or array.size % known:
            raise _invalid_shape(shape, array.size)
        shape = tuple([array.size // known if n == -1 else n for n in shape])
    size = 1
    for n in shape:
        size *= n
    if size != array.size:
        raise _invalid_shape(shape, array.size)
    return viewable(array.shape, array.strides, shape)


def view(self: Tensor, *shape: Any, size: Any = None, dtype: DType | None = None) -> Tensor:
    """The same memory in another shape; ``x.view(dtype)``: the same bytes read as another dtype.

    Args:
        shape: ints, or one tuple of ints. One of them may be -1: it is worked out.

    Returns:
        A view. It is recorded as ``ViewBackward0``; that of another dtype is not.

    Raises:
        RuntimeError: another number of elements; or the elements do not lie in memory so that the
            new shape can be had without a copy (`reshape` makes one); or sizes do not divide.

    >>> import devgrad
    >>> devgrad.arange(6).view(2, -1)
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    if dtype is None and len(shape) == 1 and isinstance(shape[0], DType):
        dtype = shape[0]
    if dtype is not None:
        if dtype.__class__ is not DType or shape not in ((), (dtype,)):
            raise TypeError(
                "view() received an invalid combination of arguments - got "
                f"({', '.join(map(kind_name, (*shape, dtype)))}), but expected a shape, or a dtype"
            )
        return _view_dtype(self, dtype)
    if not shape and size is None:
        raise TypeError(
            "view() received an invalid combination of arguments - got (), but expected a shape, "
            "or a dtype"
        )
    sizes = ints(shape if size is None else (size,))
    if not self._array.flags.c_contiguous and not _can_view(self._array, sizes):
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead. "
            f"Shape {list(self.shape)} with strides {self.stride()} was to be seen as {list(sizes)}"
        )
    return view_op.function(self, sizes)


def _view_dtype(input: Tensor, dtype: DType) -> Tensor:
    """The bytes of ``input`` read as another dtype; not differentiable, as in PyTorch."""
    array, old = input._array, input._type.dtype
    kind = input._type.device.types[dtype.array_dtype]
    if dtype.itemsize == old.itemsize:
        if (dtype.is_complex != old.is_complex) and input.requires_grad:
            raise RuntimeError(f"view of {old} as {dtype} is not differentiable; detach() first")
        return wrap(array.view(dtype.array_dtype), kind, input._changes)
    if not array.ndim:
        raise RuntimeError(
            f"self.dim() cannot be 0 to view {old.title} as {dtype.title} (different element sizes)"
        )
    if strides_of(array)[-1] != 1 and array.shape[-1] != 1:
        raise RuntimeError(
            f"self.stride(-1) must be 1 to view {old.title} as {dtype.title} (different element "
            f"sizes), but got {strides_of(array)[-1]}"
        )
    if dtype.itemsize > old.itemsize:
        ratio = dtype.itemsize // old.itemsize
        if array.shape[-1] % ratio:
            raise RuntimeError(
                f"self.size(-1) must be divisible by {ratio} to view {old.title} as {dtype.title} "
                f"(different element sizes), but got {array.shape[-1]}"
            )
        for dim, stride in enumerate(strides_of(array)[:-1]):
            if stride % ratio and array.shape[dim] > 1:
                raise RuntimeError(
                    f"self.stride({dim}) must be divisible by {ratio} to view {old.title} as "
                    f"{dtype.title} (different element sizes), but got {stride}"
                )
    return wrap(array.view(dtype.array_dtype), kind, input._changes)


def view_as(self: Tensor, other: Tensor) -> Tensor:
    """A view with the shape of ``other``."""
    return view(self, other._array.shape)


@composite(out=False, method=False)
def reshape(input: Tensor, shape: Ints) -> Tensor:
    """``input`` in another shape: a view where that is possible, else a copy.

    Args:
        shape: ints; one of them may be -1: it is worked out.

    Raises:
        RuntimeError: the shape has another number of elements.

    >>> import devgrad
    >>> devgrad.reshape(devgrad.arange(4), (2, 2))
    tensor([[0, 1],
            [2, 3]])
    """
    sizes = ints(shape if isinstance(shape, (tuple, list)) else (shape,), "shape")
    if input._array.flags.c_contiguous:
        return view_op.function(input, sizes)
    if _can_view(input._array, sizes):
        return _reshape_alias.function(input, sizes)
    return unsafe_view.function(input.contiguous(), sizes)


def _reshape(self: Tensor, *sizes: Any, shape: Any = None) -> Tensor:
    if not sizes and shape is None:
        raise TypeError('reshape() missing 1 required positional arguments: "shape"')
    return reshape(self, ints(sizes, "shape") if sizes else shape)


_reshape.__name__, _reshape.__doc__ = "reshape", reshape.__doc__


def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """`reshape` to the shape of ``other``."""
    return reshape(self, other._array.shape)


@composite(out=False)
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from ``start_dim`` to ``end_dim``, both included, as one.

    Returns:
        ``input`` itself if there is nothing to flatten, else what `reshape` gives.

    Raises:
        RuntimeError: ``start_dim`` comes after ``end_dim``.

    >>> import devgrad
    >>> devgrad.flatten(devgrad.zeros(2, 3, 4), 1).shape
    torch.Size([2, 12])
    """
    shape = input._array.shape
    start, end = as_dim(start_dim, len(shape)), as_dim(end_dim, len(shape))
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if not shape:
        return reshape(input, (1,))
    if start == end:
        return input
    size = 1
    for n in shape[start : end + 1]:
        size *= n
    return reshape(input, (*shape[:start], size, *shape[end + 1 :]))


@composite(out=False)
def unflatten(input: Tensor, dim: int, sizes: Ints) -> Tensor:
    """One dimension as several.

    Args:
        sizes: ints whose product is the size of ``dim``; one may be -1.

    Raises:
        RuntimeError: the sizes do not fit.

    >>> import devgrad
    >>> devgrad.unflatten(devgrad.zeros(2, 12), 1, (3, -1)).shape
    torch.Size([2, 3, 4])
    """
    shape = input._array.shape
    dim = as_dim(dim, len(shape))
    sizes = list(sizes)
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    known = 1
    for n in sizes:
        known *= n if n != -1 else 1
    if sizes.count(-1) > 1:
        raise RuntimeError("unflatten got an unexpected error:\nonly one dimension can be inferred")
    fits = shape[dim] == known if -1 not in sizes else known and not shape[dim] % known
    if not fits:
        raise RuntimeError(
            f"unflatten: Provided sizes {sizes} don't multiply up to the size of dim {dim} "
            f"({shape[dim]}) in the input tensor"
        )
    sizes = [shape[dim] // known if n == -1 else n for n in sizes]
    return view(input, (*shape[:dim], *sizes, *shape[dim + 1 :]))


@composite(out=False)
def ravel(input: Tensor) -> Tensor:
    """All elements in one dimension; a view if they lie in order, else a copy."""
    return view(input.contiguous(), (-1,))


@op(view=True, node="SqueezeBackward0", function=False, method=False)
def _squeeze_all(xp: Any, input: Array) -> Array:
    """``input`` without its dimensions of size 1."""
    return input.reshape(tuple([n for n in input.shape if n != 1]))


_squeeze_all.vjp(input=lambda g, input_shape: g.reshape(input_shape))


@op(view=True, node="SqueezeBackward1", function=False, method=False)
def _squeeze_one(xp: Any, input: Array, dim: int) -> Array:
    """``input`` without the dimension ``dim``, if that is of size 1."""
    shape = input.shape
    dim = as_dim(dim, len(shape))
    if not shape or shape[dim] != 1:
        return input[...]
    return input.reshape(shape[:dim] + shape[dim + 1 :])


_squeeze_one.vjp(input=lambda g, input_shape: g.reshape(input_shape))


@op(view=True, node="SqueezeBackward2", function=False, method=False)
def _squeeze_some(xp: Any, input: Array, dim: Any) -> Array:
    """``input`` without those of the dimensions ``dim`` that are of size 1."""
    dims = as_dims(dim, input.ndim)
    return input.reshape(tuple([n for d, n in enumerate(input.shape) if n != 1 or d not in dims]))


_squeeze_some.vjp(input=lambda g, input_shape: g.reshape(input_shape))


@composite(out=False)
def squeeze(input: Tensor, dim: int | Ints | None = None) -> Tensor:
    """A view without the dimensions of size 1: all of them, or those among ``dim``.

    Args:
        dim: None, an int, or a tuple of ints. A dimension of another size stays.

    Raises:
        IndexError: there is no such dimension.

    >>> import devgrad
    >>> devgrad.squeeze(devgrad.zeros(1, 3, 1), 0).shape
    torch.Size([3, 1])
    """
    if dim is None:
        return _squeeze_all.function(input)
    if isinstance(dim, (tuple, list)):
        return _squeeze_some.function(input, tuple(dim))
    return _squeeze_one.function(input, dim)


@op(view=True)
def unsqueeze(xp: Any, input: Array, dim: int) -> Array:
    """A view with a dimension of size 1 put in before ``dim``; -1 puts it last.

    Raises:
        IndexError: ``dim`` is out of range.

    >>> import devgrad
    >>> devgrad.unsqueeze(devgrad.zeros(3), 0).shape
    torch.Size([1, 3])
    """
    dim = as_dim(dim, input.ndim + 1)
    # (Indexing with None is quicker, but gives the new dimension the odd stride 0.)
    return input.reshape((*input.shape[:dim], 1, *input.shape[dim:]))


unsqueeze.vjp(input=lambda g, input_shape: g.reshape(input_shape))


def _expanded_shape(input: Array, sizes: tuple[int, ...]) -> tuple[int, ...]:
    shape = input.shape
    extra = len(sizes) - len(shape)
    if extra < 0:
        device = device_of_array(input)
        text = f"{device and device.types[input.dtype]}{{{list(shape)}}}"
        raise RuntimeError(
            f"expand({text}, size={list(sizes)}): the number of sizes provided ({len(sizes)}) must "
            f"be greater or equal to the number of dimensions in the tensor ({len(shape)})"
        )
    wanted = list(sizes)
    for dim, n in enumerate(sizes):
        if dim < extra:
            if n < 0:
                raise RuntimeError(
                    f"The expanded size of the tensor ({n}) isn't allowed in a leading, "
                    f"non-existing dimension {dim}"
                )
        elif n == -1:
            wanted[dim] = shape[dim - extra]
        elif n != shape[dim - extra] and shape[dim - extra] != 1:
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size "
                f"({shape[dim - extra]}) at non-singleton dimension {dim}.  Target sizes: "
                f"{list(sizes)}.  Tensor sizes: {list(shape)}"
            )
    return tuple(wanted)


@op(view=True, function=False, varargs=True)
def expand(xp: Any, input: Array, size: Any) -> Array:
    """A view in which dimensions of size 1 are repeated, without a copy.

    Args:
        size: the new sizes; -1 keeps one as it is. New dimensions may be put in front.

    Raises:
        RuntimeError: a size neither fits nor is 1.

    >>> import devgrad
    >>> devgrad.tensor([[1], [2]]).expand(-1, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    return xp.expanded(input, _expanded_shape(input, ints((size,))))


expand.vjp(input=lambda g: g)  # the engine sums what was repeated


@composite(out=False, varargs=True)
def broadcast_to(input: Tensor, size: Ints) -> Tensor:
    """The same as ``input.expand(size)``."""
    return expand.function(input, size)


def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """``self.expand(other.shape)``."""
    return expand.function(self, other._array.shape)


@composite(out=False, method=False)
def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that tensors of these shapes broadcast to.

    Raises:
        RuntimeError: they do not.

    >>> import devgrad
    >>> devgrad.broadcast_shapes((2, 1), (3,))
    torch.Size([2, 3])
    """
    found: tuple[int, ...] = ()
    for shape in shapes:
        shape = ints((shape,)) if not isinstance(shape, int) else (shape,)
        problem = broadcast_mismatch(found, shape)
        if problem:
            raise RuntimeError(
                f"Shape mismatch: objects cannot be broadcast to a single shape. {problem}"
            )
        longer, shorter = (found, shape) if len(found) >= len(shape) else (shape, found)
        extra = len(longer) - len(shorter)
        pairs = zip(longer[extra:], shorter, strict=True)
        found = longer[:extra] + tuple([b if a == 1 else a for a, b in pairs])
    return Size(found)


@composite(out=False, method=False)
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Views of the tensors in the shape that they broadcast to.

    Raises:
        RuntimeError: they do not broadcast.
    """
    tensors = checked_tensors(tensors)
    shape: tuple[int, ...] = ()
    for t in tensors:
        problem = broadcast_mismatch(shape, t._array.shape)
        if problem:
            raise RuntimeError(problem)
        shape = broadcast_shapes(shape, t._array.shape)
    shape = tuple(shape)
    return tuple([t if t._array.shape == shape else expand.function(t, shape) for t in tensors])


def _for_each(one: Any, doc: str) -> Any:
    def at_least(*tensors: Any) -> Any:
        if len(tensors) == 1 and isinstance(tensors[0], Tensor):
            return one(tensors[0])
        tensors = checked_tensors(tensors)
        return tuple([one(t) for t in tensors])

    at_least.__name__ = at_least.__qualname__ = one.__name__
    at_least.__doc__ = doc
    return composite(at_least, out=False, method=False)


def atleast_1d(x: Tensor) -> Tensor:
    return x if x._array.ndim else view(x, (1,))


def atleast_2d(x: Tensor) -> Tensor:
    n = x._array.ndim
    return x if n >= 2 else unsqueeze.function(x, 0) if n else view(x, (1, 1))


def atleast_3d(x: Tensor) -> Tensor:
    n = x._array.ndim
    if n >= 3:
        return x
    if n == 0:
        return view(x, (1, 1, 1))
    return unsqueeze.function(unsqueeze.function(x, 0) if n == 1 else x, -1)


_for_each(atleast_1d, "Each tensor with at least one dimension.")
_for_each(atleast_2d, "Each tensor with at least two dimensions; new ones come first.")
_for_each(atleast_3d, "Each tensor with at least three dimensions.")


METHODS.update(
    view=view, view_as=explained(view_as), reshape=_reshape, reshape_as=explained(reshape_as),
    expand_as=explained(expand_as),
)  # fmt: skip
