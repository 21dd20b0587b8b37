"""The greatest and the least: of all elements, along dimensions, and where they are.

Equal extremes share the gradient evenly where several may count (`max` of everything, `amax`);
where an index is given, that element receives all of it.
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ._along import check_nonempty, check_tensor, many_dims, one_dim, put_along
from ._op import FUNCTIONS, Array, Ints, composite, op
from .reductions import spread, with_dims

__all__ = ["even_share"]


@op(function=False, method=False)
def even_share(xp: Any, input: Array, extreme: Array, dims: Any) -> Array:
    """1/n at each of the n elements along ``dims`` that equal the extreme, and 0 elsewhere."""
    if dims is not None and input.ndim:
        extreme = with_dims(extreme, input.shape, dims)
    mask = (input == extreme) | ((input != input) & (extreme != extreme))
    count = xp.add.reduce(mask, axis=dims, dtype=input.dtype, keepdims=True)
    return xp.true_divide(mask.astype(input.dtype), count)


def _no_complex(name: str, input: Tensor, what: str | None = None) -> None:
    dtype = input._type.dtype
    if dtype.is_complex:
        if what is None:
            raise RuntimeError(f"{name}(): does not support complex input")
        raise NotImplementedError(f"\"{what}\" not implemented for '{dtype.title}'")


@op(node="MaxBackward1", function=False, method=False)
def max_all(xp: Any, input: Array) -> Array:
    """The greatest element; NaN where there is one."""
    return input.max()


@op(node="MinBackward1", function=False, method=False)
def min_all(xp: Any, input: Array) -> Array:
    """The least element; NaN where there is one."""
    return input.min()


max_all.vjp(input=lambda g, input, out: g * even_share(input, out, None))
min_all.vjp(input=lambda g, input, out: g * even_share(input, out, None))


def _arg(xp: Any, x: Any, dim: int, keepdim: bool, most: bool) -> Any:
    indices = x.argmax(axis=dim) if most else x.argmin(axis=dim)
    if keepdim:
        indices = xp.asarray(indices).reshape(*x.shape[:dim], 1, *x.shape[dim + 1 :])
    return indices


@op(name="max", node="MaxBackward0", outputs=("values", "indices"), function=False, method=False)
def max_dim(xp: Any, input: Array, dim: int, keepdim: bool) -> Any:
    """The greatest elements along a dimension, and where they are; the first of several."""
    if not input.ndim:
        return input.copy(), xp.zeros((), xp.int64)
    return input.max(axis=dim, keepdims=keepdim), _arg(xp, input, dim, keepdim, True)


@op(name="min", node="MinBackward0", outputs=("values", "indices"), function=False, method=False)
def min_dim(xp: Any, input: Array, dim: int, keepdim: bool) -> Any:
    """The least elements along a dimension, and where they are; the first of several."""
    if not input.ndim:
        return input.copy(), xp.zeros((), xp.int64)
    return input.min(axis=dim, keepdims=keepdim), _arg(xp, input, dim, keepdim, False)


max_dim.vjp(
    input=lambda g, indices, input_shape, dim, keepdim: put_along(
        g, indices, input_shape, dim, keepdim, False
    )
)
min_dim.vjp(
    input=lambda g, indices, input_shape, dim, keepdim: put_along(
        g, indices, input_shape, dim, keepdim, False
    )
)


def _extreme(
    name: str, whole: Any, along: Any, input: Any, dim: Any, keepdim: bool, other: Any
) -> Any:
    check_tensor(name, input)
    if isinstance(dim, Tensor):
        other = dim
    if other is not None:
        return FUNCTIONS[""]["maximum" if name == "max" else "minimum"](input, other)
    if dim is None:
        _no_complex(name, input, f"{name}_all")
        check_nonempty(name, input, (), True)
        return whole.function(input)
    dim = one_dim(name, input, dim, keepdim)
    _no_complex(name, input)
    check_nonempty(name, input, (dim,) if input._array.ndim else (), False)
    return along.function(input, dim, keepdim)


@composite
def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The greatest element; or those along a dimension, with their indices; or of two tensors.

    ``max(input)`` is a 0-dim tensor; its gradient is shared evenly by equal elements.
    ``max(input, dim)`` is a named tuple ``(values, indices)``; of equal elements the first one
    counts. ``max(input, other)`` is ``maximum(input, other)``.

    Raises:
        IndexError, RuntimeError: there is nothing to choose from.

    >>> import devgrad
    >>> devgrad.max(devgrad.tensor([[1.0, 5.0], [7.0, 3.0]]), 1)
    torch.return_types.max(
    values=tensor([5., 7.]),
    indices=tensor([1, 0]))
    """
    return _extreme("max", max_all, max_dim, input, dim, keepdim, other)


@composite
def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The least element; or those along a dimension, with their indices; or of two tensors.

    It is to `minimum` what `max` is to `maximum`.

    >>> import devgrad
    >>> devgrad.min(devgrad.tensor([3.0, 1.0]))
    tensor(1.)
    """
    return _extreme("min", min_all, min_dim, input, dim, keepdim, other)


@op(name="amax", function=False, method=False)
def _amax(xp: Any, input: Array, dims: Any, keepdim: bool) -> Array:
    return input.max(axis=dims, keepdims=keepdim) if input.ndim else input.copy()


@op(name="amin", function=False, method=False)
def _amin(xp: Any, input: Array, dims: Any, keepdim: bool) -> Array:
    return input.min(axis=dims, keepdims=keepdim) if input.ndim else input.copy()


def _shared(g: Any, input: Any, extreme: Any, shape: Any, dims: Any, keepdim: bool) -> Any:
    return spread(g, shape, dims, keepdim) * even_share(input, extreme, dims)


_amax.vjp(
    input=lambda g, input, out, input_shape, dims, keepdim: _shared(
        g, input, out, input_shape, dims, keepdim
    )
)
_amin.vjp(
    input=lambda g, input, out, input_shape, dims, keepdim: _shared(
        g, input, out, input_shape, dims, keepdim
    )
)


def _amount(name: str, operation: Any, input: Any, dim: Any, keepdim: bool) -> Tensor:
    dims = many_dims(name, input, dim, keepdim)
    _no_complex(name, input, "max_values_cpu" if name == "amax" else "min_values_cpu")
    check_nonempty(name, input, dims, dim is None or dim in ((), []))
    return operation.function(input, dims, keepdim)


@composite
def amax(input: Tensor, dim: int | Ints = (), keepdim: bool = False) -> Tensor:
    """The greatest elements over one or several dimensions; equal ones share the gradient evenly.

    >>> import devgrad
    >>> devgrad.amax(devgrad.tensor([[1.0, 5.0], [7.0, 3.0]]), dim=0)
    tensor([7., 5.])
    """
    return _amount("amax", _amax, input, dim, keepdim)


@composite
def amin(input: Tensor, dim: int | Ints = (), keepdim: bool = False) -> Tensor:
    """The least elements over one or several dimensions; equal ones share the gradient evenly.

    >>> import devgrad
    >>> devgrad.amin(devgrad.tensor([[1.0, 5.0], [7.0, 3.0]]), dim=0)
    tensor([1., 3.])
    """
    return _amount("amin", _amin, input, dim, keepdim)


@op(name="aminmax", outputs=("min", "max"), differentiable=2, function=False, method=False)
def _aminmax(xp: Any, input: Array, dims: Any, keepdim: bool) -> Any:
    return _amin.forward(xp, input, dims, keepdim), _amax.forward(xp, input, dims, keepdim)


def _aminmax_rule(
    g: Any, input: Any, min: Any, max: Any, input_shape: Any, dims: Any, keepdim: bool
) -> Any:
    low, high = g
    if low is None:
        return _shared(high, input, max, input_shape, dims, keepdim)
    least = _shared(low, input, min, input_shape, dims, keepdim)
    if high is None:
        return least
    return least + _shared(high, input, max, input_shape, dims, keepdim)


_aminmax.vjp(input=_aminmax_rule)


@composite
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """The least and the greatest elements, as a named tuple ``(min, max)``.

    >>> import devgrad
    >>> devgrad.aminmax(devgrad.tensor([3.0, 1.0, 2.0])).max
    tensor(3.)
    """
    check_tensor("aminmax", input)
    if dim is not None:
        dim = one_dim("aminmax", input, dim, keepdim)
    dims = many_dims("aminmax", input, dim, keepdim)
    if dim is None and not input._array.size:
        raise RuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no "
            "identity."
        )
    _no_complex("aminmax", input, "aminmax_kernel")
    check_nonempty("aminmax", input, dims, False)
    return _aminmax.function(input, dims, keepdim)


@op(name="argmax", function=False, method=False)
def _argmax(xp: Any, input: Array, dim: int | None, keepdim: bool) -> Array:
    return _position(xp, input, dim, keepdim, True)


@op(name="argmin", function=False, method=False)
def _argmin(xp: Any, input: Array, dim: int | None, keepdim: bool) -> Array:
    return _position(xp, input, dim, keepdim, False)


def _position(xp: Any, x: Any, dim: int | None, keepdim: bool, most: bool) -> Any:
    if dim is None:
        found = x.argmax() if most else x.argmin()
        return xp.asarray(found).reshape([1] * x.ndim) if keepdim else found
    if not x.ndim:
        return xp.zeros((), xp.int64)
    return _arg(xp, x, dim, keepdim, most)


def _argument(name: str, operation: Any, input: Any, dim: Any, keepdim: bool) -> Tensor:
    check_tensor(name, input)
    if dim is not None:
        dim = one_dim(name, input, dim, keepdim)
    _no_complex(name, input)
    if input._type.dtype.category == 0:
        raise RuntimeError(f"{name}(): does not support bool input")
    check_nonempty(name, input, (dim,) if input._array.ndim else (), dim is None)
    return operation.function(input, dim, keepdim)


@composite
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index (int64) of the greatest element, the first of several; flat, or along ``dim``.

    >>> import devgrad
    >>> devgrad.argmax(devgrad.tensor([[1.0, 5.0], [7.0, 3.0]]), dim=1)
    tensor([1, 0])
    """
    return _argument("argmax", _argmax, input, dim, keepdim)


@composite
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index (int64) of the least element, the first of several; flat, or along ``dim``.

    >>> import devgrad
    >>> devgrad.argmin(devgrad.tensor([[1.0, 5.0], [7.0, 3.0]]))
    tensor(0)
    """
    return _argument("argmin", _argmin, input, dim, keepdim)
