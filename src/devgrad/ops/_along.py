"""What operations along dimensions share: checking ``dim``, and moving values along one.

The gradient of everything that *selects* along a dimension (max, sort, topk, median, …) is the
same: it goes back to where the values were taken from. `take_along` and `put_along` are those two
directions, and each is the other's derivative.
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ..device import DType
from ._arguments import as_bool, as_dtype, as_int, as_ints
from ._layout import as_dim
from ._op import Array, op
from ._promotion import not_a_tensor

__all__ = [
    "array_dtype",
    "check_nonempty",
    "check_tensor",
    "lifted",
    "many_dims",
    "moved",
    "one_dim",
    "put_along",
    "reshaped",
    "take_along",
]  # fmt: skip


def check_tensor(name: str, input: Any) -> None:
    """Refuse what is no tensor.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(input, Tensor):
        raise not_a_tensor(name, "input", 1, input)


def one_dim(name: str, input: Any, dim: Any, keepdim: Any = False) -> int:
    """``dim`` counted from the front; 0 for a 0-dim tensor.

    Raises:
        TypeError: ``input`` is no tensor, ``dim`` no int, or ``keepdim`` no bool.
        IndexError: there is no such dimension.
    """
    if isinstance(input, Tensor) and dim.__class__ is int and keepdim.__class__ is bool:
        n = input._array.ndim
        if -n <= dim < n:
            return dim % n
    check_tensor(name, input)
    as_bool(name, "keepdim", keepdim, 3)
    return as_dim(as_int("dim", dim, name), input._array.ndim)


def many_dims(name: str, input: Any, dim: Any, keepdim: Any = False) -> tuple[int, ...]:
    """The dimensions of ``dim``, counted from the front; all of them for None and ``()``.

    Raises:
        TypeError: ``input`` is no tensor, ``dim`` neither int nor ints, or ``keepdim`` no bool.
        IndexError: there is no such dimension.
        RuntimeError: one is named twice.
    """
    if isinstance(input, Tensor) and dim.__class__ is int and keepdim.__class__ is bool:
        n = input._array.ndim
        if -n <= dim < n:
            return (dim % n,)
    check_tensor(name, input)
    as_bool(name, "keepdim", keepdim, 3)
    n = input._array.ndim
    if dim is None:
        return tuple(range(n))
    if not isinstance(dim, (tuple, list)):
        dim = as_dim(as_int("dim", dim, name), n)
        return (dim,) if n else ()
    dim = as_ints("dim", dim, name)
    if not dim:
        return tuple(range(n))
    dims = [as_dim(d, n) for d in dim]
    for d in dims:
        if dims.count(d) > 1:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    return tuple(dims) if n else ()


def check_nonempty(name: str, input: Tensor, dims: Any, whole: bool) -> None:
    """Refuse to take an extreme of nothing; ``whole`` is whether no ``dim`` was given.

    Raises:
        IndexError, RuntimeError: a dimension to reduce has size 0.
    """
    shape = input._array.shape
    if 0 not in shape:
        return
    if whole:
        error = IndexError if name.startswith("arg") else RuntimeError
        raise error(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
            "reduction dim with the 'dim' argument."
        )
    for d in dims:
        if shape[d] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {d} to have non-zero size.")


def array_dtype(dtype: DType | None) -> Any:
    """The array libraries' dtype of ours, or of Python's ``float``; None for None."""
    return None if dtype is None else as_dtype(dtype).array_dtype


def lifted(array: Any) -> Any:
    """A 0-dim array as one of one element, so that it has a dimension to work along."""
    return array if array.ndim else array.reshape(1)


def _grid(xp: Any, indices: Any, dim: int) -> tuple[Any, ...]:
    """The index that takes ``indices`` along ``dim`` and every other place as it is."""
    index = []
    for axis, n in enumerate(indices.shape):
        if axis == dim:
            index.append(indices)
        else:
            place = [1] * indices.ndim
            place[axis] = n
            index.append(xp.arange(n).reshape(place))
    return tuple(index)


def _opened(array: Any, dim: int) -> Any:
    """``array`` with a dimension of size 1 at ``dim``."""
    return array.reshape(*array.shape[:dim], 1, *array.shape[dim:])


@op(node="GatherBackward0", function=False, method=False)
def take_along(
    xp: Any, input: Array, indices: Array, dim: int, keepdim: bool, repeats: bool
) -> Array:
    """The values of ``input`` at ``indices`` along ``dim``.

    Without ``keepdim``, ``indices`` lack the dimension. ``repeats``: an index may occur twice.
    """
    if not input.ndim:
        return input.reshape(indices.shape)
    if keepdim:
        return xp.gathered(input, _grid(xp, indices, dim))
    return xp.gathered(input, _grid(xp, _opened(indices, dim), dim)).reshape(indices.shape)


@op(node="ScatterAddBackward0", function=False, method=False)
def put_along(
    xp: Any, input: Array, indices: Array, shape: Any, dim: int, keepdim: bool, repeats: bool
) -> Array:
    """Zeros of ``shape``, with ``input`` added at ``indices`` along ``dim``: `take_along` back."""
    if not shape:
        return input.reshape(())
    if not keepdim:
        indices = _opened(indices, dim)
        input = input.reshape(indices.shape)
    result = xp.zeros(shape, input.dtype)
    if repeats:
        xp.scatter_add(result, _grid(xp, indices, dim), input)
    else:
        result[_grid(xp, indices, dim)] = input
    return result


take_along.vjp(
    input=lambda g, indices, input_shape, dim, keepdim, repeats: put_along(
        g, indices, input_shape, dim, keepdim, repeats
    )
)
put_along.vjp(
    input=lambda g, indices, dim, keepdim, repeats: take_along(g, indices, dim, keepdim, repeats)
)


@op(node="ViewBackward0", function=False, method=False)
def reshaped(xp: Any, input: Array, shape: Any) -> Array:
    """``input`` in another shape, for rules."""
    return input.reshape(shape)


reshaped.vjp(input=lambda g, input_shape: reshaped(g, input_shape))


@op(node="MovedimBackward0", function=False, method=False)
def moved(xp: Any, input: Array, source: int, target: int) -> Array:
    """``input`` with one dimension moved to another place, copied."""
    return xp.ascontiguousarray(xp.moveaxis(input, source, target))


moved.vjp(input=lambda g, source, target: moved(g, target, source))
