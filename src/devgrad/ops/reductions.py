"""Reductions: sums, means, products, and truth over dimensions.

Where PyTorch has two nodes - ``SumBackward0`` for all elements, ``SumBackward1`` for dimensions -
there are two operations here, and one public function that chooses.
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ..device import DType
from ._along import (
    array_dtype,
    check_tensor,
    many_dims,
    one_dim,
    reshaped,
)
from ._arguments import as_dtype
from ._formula import cast, conj, expand_to
from ._inplace import from_numpy_names, write_into
from ._op import Array, Ints, composite, op
from .scans import products_of_others

__all__ = ["count_of", "mean_dim", "share_of_mean", "spread", "sum_dim", "total",
           "with_dims"]  # fmt: skip


def count_of(shape: Any, dims: Any) -> int:
    """How many elements of ``shape`` are reduced to one."""
    count = 1
    for d in dims:
        count *= shape[d]
    return count


def share_of_mean(g: Any, shape: Any, dims: Any) -> Any:
    """The gradient of a mean, divided among the elements that it was taken of, if any."""
    return g / (count_of(shape, dims) or 1)


def with_dims(array: Any, shape: Any, dims: Any) -> Any:
    """What a reduction of ``shape`` over ``dims`` gave, as it would be with ``keepdim``."""
    return array.reshape([1 if i in dims else n for i, n in enumerate(shape)])


def total(xp: Any, x: Any, axis: Any, keepdim: bool, dtype: Any = None) -> Any:
    """A sum in PyTorch's dtype: integers and bools give int64. Halves are summed as floats."""
    if dtype is None:
        if x.dtype.kind in "iub":
            dtype = xp.int64
        elif x.dtype.itemsize == 2:
            wide = xp.add.reduce(x, axis=axis, dtype=xp.float32, keepdims=keepdim)
            return wide.astype(x.dtype)
    return xp.add.reduce(x, axis=axis, dtype=dtype, keepdims=keepdim)


# --- sum and mean ---------------------------------------------------------------------------------


@op(name="sum", node="SumBackward0", function=False, method=False)
def sum_all(xp: Any, input: Array, dtype: Any = None) -> Array:
    """The sum of all elements."""
    if dtype is None and input.dtype.char in "fdFD":
        return xp.add.reduce(input, None)
    return total(xp, input, None, False, dtype)


sum_all.vjp(input=lambda g, input_shape: expand_to(g, input_shape))


@op(node="SumBackward1", function=False, method=False)
def sum_dim(xp: Any, input: Array, dims: Any, keepdim: bool, dtype: Any = None) -> Array:
    """The sum over dimensions counted from the front."""
    return total(xp, input, dims, keepdim, dtype)


@op(node="ExpandBackward0", function=False, method=False)
def spread(xp: Any, input: Array, shape: Any, dims: Any, keepdim: bool) -> Array:
    """Something reduced, repeated over the dimensions that it was reduced over: sum's transpose."""
    if not keepdim and input.shape != ():
        input = with_dims(input, shape, dims)
    return xp.expanded(input, shape)


sum_dim.vjp(
    input=lambda g, input_shape, dims, keepdim: spread(g, input_shape, dims, keepdim),
)
spread.vjp(input=lambda g, dims, keepdim: sum_dim(g, dims, keepdim))


@composite(out=False, checked=True)
def sum(
    input: Tensor,
    dim: int | tuple[int, ...] | None = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
    **renamed: Any,
) -> Tensor:
    """The sum of all elements, or over one or several dimensions.

    Args:
        input: of any dtype; sums of bools and integers are int64.
        dim: what to sum over; None and ``()`` mean everything.
        keepdim: keep the summed dimensions, with size 1.
        dtype: what to convert to before summing.
        out: where to put the result.

    Raises:
        IndexError: there is no such dimension.
        RuntimeError: a dimension is named twice.

    >>> import devgrad
    >>> x = devgrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> x.sum(), x.sum(dim=0)
    (tensor(10.), tensor([4., 6.]))
    """
    if out is not None or renamed:
        given = from_numpy_names("sum", renamed, input=input, dim=dim, keepdim=keepdim)
        if out is None:
            return sum(**given, dtype=dtype)
        return write_into("sum", sum, out, (), {**given, "dtype": dtype})
    if dim is None and keepdim is False:
        return sum_all.function(input, array_dtype(dtype))
    dims = many_dims("sum", input, dim, keepdim)
    return sum_dim.function(input, dims, keepdim, array_dtype(dtype))


def _mean(xp: Any, x: Any, axis: Any, keepdim: bool, dtype: Any) -> Any:
    if (dtype or x.dtype).itemsize == 2:
        wide = xp.add.reduce(x, axis=axis, dtype=xp.float32, keepdims=keepdim)
        count = count_of(x.shape, axis) if axis is not None else x.size
        return xp.true_divide(wide, count).astype(dtype or x.dtype)
    whole = xp.add.reduce(x, axis=axis, dtype=dtype, keepdims=keepdim)
    return whole / (x.size if axis is None else count_of(x.shape, axis))


@op(name="mean", node="MeanBackward0", function=False, method=False)
def mean_all(xp: Any, input: Array, dtype: Any = None) -> Array:
    """The mean of all elements."""
    if dtype is None and input.dtype.char in "fdFD":
        return xp.add.reduce(input, None) / input.size
    return _mean(xp, input, None, False, dtype)


@op(node="MeanBackward1", function=False, method=False)
def mean_dim(xp: Any, input: Array, dims: Any, keepdim: bool, dtype: Any = None) -> Array:
    """The mean over dimensions counted from the front."""
    return _mean(xp, input, dims, keepdim, dtype)


mean_all.vjp(
    input=lambda g, input_shape: expand_to(
        share_of_mean(g, input_shape, range(len(input_shape))), input_shape
    )
)
mean_dim.vjp(
    input=lambda g, input_shape, dims, keepdim: spread(
        share_of_mean(g, input_shape, dims), input_shape, dims, keepdim
    )
)


@composite(out=False, checked=True)
def mean(
    input: Tensor,
    dim: int | tuple[int, ...] | None = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
    **renamed: Any,
) -> Tensor:
    """The mean of all elements, or over one or several dimensions; NaN of none.

    The arguments are those of `sum`.

    Raises:
        RuntimeError: neither ``input`` nor ``dtype`` is floating point or complex.

    >>> import devgrad
    >>> devgrad.mean(devgrad.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1)
    tensor([1.5000, 3.5000])
    """
    if out is not None or renamed:
        given = from_numpy_names("mean", renamed, input=input, dim=dim, keepdim=keepdim)
        if out is None:
            return mean(**given, dtype=dtype)
        return write_into("mean", mean, out, (), {**given, "dtype": dtype})
    check_tensor("mean", input)
    found = input._type.dtype if dtype is None else as_dtype(dtype)
    if found.category < 2:
        raise RuntimeError(
            f"mean(): could not infer output dtype. {'Input' if dtype is None else 'Optional'} "
            "dtype must be either a floating point or complex dtype. Got: "
            f"{found.title}. Convert it first, x.float().mean()"
        )
    if dim is None and keepdim is False:
        return mean_all.function(input, array_dtype(dtype))
    return mean_dim.function(
        input, many_dims("mean", input, dim, keepdim), keepdim, array_dtype(dtype)
    )


@op(name="nansum", function=False, method=False)
def _nansum(xp: Any, input: Array, dims: Any, keepdim: bool) -> Array:
    kept = xp.where(xp.isnan(input), xp.zeros((), input.dtype), input)
    return total(xp, kept, dims, keepdim)


@op(function=False, method=False)
def _not_nan(xp: Any, input: Array) -> Array:
    return (~xp.isnan(input)).astype(input.dtype)


_nansum.vjp(
    input=lambda g, input, input_shape, dims, keepdim: (
        spread(g, input_shape, dims, keepdim) * _not_nan(input)
    )
)


@composite
def nansum(
    input: Tensor,
    dim: int | Ints | None = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """The sum as of `sum`, with NaN counted as zero.

    >>> import devgrad
    >>> devgrad.nansum(devgrad.tensor([1.0, float("nan"), 2.0]))
    tensor(3.)
    """
    dims = many_dims("nansum", input, dim, keepdim)
    if input._type.dtype.is_complex:
        raise RuntimeError("nansum on CPU does not support complex inputs")
    if input._type.dtype.category < 2:
        return sum_dim.function(input, dims, keepdim, array_dtype(dtype))
    if dtype is not None and dtype is not input._type.dtype:
        input = cast.function(input, dtype.array_dtype)
    return _nansum.function(input, dims, keepdim)


@composite
def nanmean(
    input: Tensor,
    dim: int | Ints | None = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """The mean of the elements that are not NaN.

    >>> import devgrad
    >>> devgrad.nanmean(devgrad.tensor([1.0, float("nan"), 2.0]))
    tensor(1.5000)
    """
    dims = many_dims("nanmean", input, dim, keepdim)
    if input._type.dtype.category < 2:
        raise RuntimeError(
            "nanmean(): expected input to have floating point or complex dtype but got "
            f"{input._type.dtype.title}"
        )
    count = sum_dim.function(_not_nan.function(input.detach()), dims, keepdim)
    return nansum(input, dim, keepdim, dtype=dtype) / count


# --- products -------------------------------------------------------------------------------------


def _product(xp: Any, x: Any, axis: Any, keepdim: bool, dtype: Any) -> Any:
    if dtype is None and x.dtype.kind in "iub":
        dtype = xp.int64
    return xp.multiply.reduce(x, axis=axis, dtype=dtype, keepdims=keepdim)


@op(name="prod", node="ProdBackward0", function=False, method=False)
def prod_all(xp: Any, input: Array, dtype: Any = None) -> Array:
    """The product of all elements."""
    return _product(xp, input, None, False, dtype)


@op(node="ProdBackward1", function=False, method=False)
def prod_dim(xp: Any, input: Array, dim: int, keepdim: bool, dtype: Any = None) -> Array:
    """The product over a dimension counted from the front."""
    return _product(xp, input, dim if input.ndim else (), keepdim, dtype)


def _prod_all_rule(g: Any, input: Any, input_shape: Any) -> Any:
    # Products of all the others, rather than out / input: zeros are no trouble, at any order.
    flat = reshaped(input, (count_of(input_shape, range(len(input_shape))),))
    return g * reshaped(conj(products_of_others(flat, 0)), input_shape)


prod_all.vjp(input=_prod_all_rule)
prod_dim.vjp(
    input=lambda g, input, input_shape, dim, keepdim: (
        spread(g, input_shape, (dim,) if input_shape else (), keepdim)
        * conj(products_of_others(input, dim))
    )
)


@composite
def prod(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """The product of all elements, or over a dimension.

    The gradient is right where elements are zero. Products of bools and integers are int64.

    >>> import devgrad
    >>> devgrad.prod(devgrad.tensor([2.0, 3.0, 4.0]))
    tensor(24.)
    """
    check_tensor("prod", input)
    if dim is None:
        return prod_all.function(input, array_dtype(dtype))
    dim = one_dim("prod", input, dim, keepdim)
    return prod_dim.function(input, dim, keepdim, array_dtype(dtype))


# --- truth ----------------------------------------------------------------------------------------


def _truth(x: Any, found: Any) -> Any:
    return found.astype(x.dtype) if x.dtype.kind == "u" else found


@op(name="any", function=False, method=False)
def _any(xp: Any, input: Array, dims: Any, keepdim: bool) -> Array:
    return _truth(input, (input != 0).any(axis=dims, keepdims=keepdim))


@op(name="all", function=False, method=False)
def _all(xp: Any, input: Array, dims: Any, keepdim: bool) -> Array:
    return _truth(input, (input != 0).all(axis=dims, keepdims=keepdim))


@op(name="count_nonzero", function=False, method=False)
def _count_nonzero(xp: Any, input: Array, dims: Any) -> Array:
    return xp.add.reduce(input != 0, axis=dims, dtype=xp.int64)


def _truth_dims(name: str, input: Any, dim: Any, keepdim: bool) -> Any:
    # Unlike sum's, an empty tuple reduces nothing.
    dims = many_dims(name, input, dim, keepdim)
    return () if dim in ((), []) and dim is not None else dims


@composite
def any(input: Tensor, dim: int | Ints | None = None, keepdim: bool = False) -> Tensor:
    """Whether some element is not zero; of all, or over dimensions. Bool (uint8 for uint8).

    >>> import devgrad
    >>> devgrad.any(devgrad.tensor([[0, 1], [0, 0]]), dim=1)
    tensor([ True, False])
    """
    return _any.function(input, _truth_dims("any", input, dim, keepdim), keepdim)


@composite
def all(input: Tensor, dim: int | Ints | None = None, keepdim: bool = False) -> Tensor:
    """Whether every element is not zero; of all, or over dimensions. Bool (uint8 for uint8).

    >>> import devgrad
    >>> devgrad.all(devgrad.tensor([[2, 1], [0, 0]]), dim=1)
    tensor([ True, False])
    """
    return _all.function(input, _truth_dims("all", input, dim, keepdim), keepdim)


@composite(out=False)
def count_nonzero(input: Tensor, dim: int | Ints | None = None) -> Tensor:
    """How many elements are not zero (int64); of all, or over dimensions.

    >>> import devgrad
    >>> devgrad.count_nonzero(devgrad.tensor([0.0, 2.0, 3.0]))
    tensor(2)
    """
    return _count_nonzero.function(input, many_dims("count_nonzero", input, dim))
