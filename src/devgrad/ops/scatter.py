"""Reading and writing element by element at indices along a dimension: gather, scatter and kin.

They come in pairs, each the other's derivative: what reads at indices has as its gradient what
adds at them.
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor, constant
from ._along import _grid, lifted, reshaped, take_along
from ._arguments import as_int, wrong_argument
from ._formula import conj, expand_to
from ._inplace import bump, check_inplace, inplace_form
from ._layout import as_dim
from ._op import FUNCTIONS, Array, Number, composite, op
from .comparison import where
from .indexing import crop, fill_number
from .joining import cat
from .rows import apart, check_bounds, recorded, written_over
from .scans import recurrence, shifted

__all__ = ["gather"]


# --- element by element along a dimension ---------------------------------------------------------


def _check_index(
    name: str, xp: Any, shape: Any, dim: int, index: Any, src: Any = None, of: str = "self"
) -> None:
    if not index.size:
        return
    if index.dtype.name not in ("int32", "int64"):
        raise RuntimeError(
            f"{name}(): Expected dtype int32/int64 for index: it has {index.dtype.name}"
        )
    places = index.shape or (1,)
    if len(places) != len(shape):
        raise RuntimeError(f"Index tensor must have the same number of dimensions as {of} tensor")
    if src is not None and len(src) != len(shape):
        raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
    for d, n in enumerate(places):
        if (d != dim and n > shape[d]) or (src is not None and n > src[d]):
            if name == "gather":
                raise RuntimeError(
                    f"Size does not match at dimension {d} expected index {list(places)} to be no "
                    f"larger than self {list(shape)} apart from dimension {dim}"
                )
            tail = "" if src is None else f" and to be no larger size than src {list(src)}"
            raise RuntimeError(
                f"Expected index {list(places)} to be no larger than self {list(shape)} apart from "
                f"dimension {dim}{tail}"
            )
    check_bounds(xp, index, shape[dim], dim)


@op
def gather(xp: Any, input: Array, dim: int, index: Array, *, sparse_grad: bool = False) -> Array:
    """The elements of ``input`` at ``index`` along ``dim``; other places as they are in ``index``.

    ``out[i][j] = input[index[i][j]][j]`` for ``dim=0``, and so on.

    Raises:
        RuntimeError: an index is out of bounds; ``index`` is larger than ``input`` in another
            dimension, or has another number of dimensions.

    >>> import devgrad
    >>> x = devgrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> devgrad.gather(x, 1, devgrad.tensor([[1], [0]]))
    tensor([[2.],
            [3.]])
    """
    dim, whole = as_dim(dim, input.ndim), lifted(input)
    _check_index("gather", xp, whole.shape, dim, index, of="input")
    if not index.size:
        return xp.empty(index.shape, input.dtype)
    return xp.gathered(whole, _grid(xp, lifted(index), dim)).reshape(index.shape)


@op(node="ScatterAddBackward0", function=False, method=False)
def _ungathered(xp: Any, input: Array, index: Array, shape: Any, dim: int) -> Array:
    """Zeros of ``shape``, with ``input`` added at ``index`` along ``dim``."""
    result = xp.zeros(shape or (1,), input.dtype)
    if index.size:
        dim = as_dim(dim, result.ndim)
        xp.scatter_add(result, _grid(xp, lifted(index), dim), lifted(input))
    return result.reshape(shape)


gather.vjp(input=lambda g, index, input_shape, dim: _ungathered(g, index, input_shape, dim))
_ungathered.vjp(input=lambda g, index, dim: gather(g, dim, index))


@op(name="_scatter", node="ScatterBackward0", function=False, method=False)
def _scatter_tensor(xp: Any, input: Array, index: Array, src: Array, dim: int) -> Array:
    result = xp.array(input)  # (of 0-dim arrays NumPy's arithmetic makes scalars)
    if index.size:
        into = lifted(result)
        into[_grid(xp, lifted(index), as_dim(dim, input.ndim))] = lifted(src)
    return result


@op(node="ScatterBackward1", function=False, method=False)
def _scatter_number(xp: Any, input: Array, index: Array, dim: int, value: Any) -> Array:
    result = xp.array(input)
    if index.size:
        lifted(result)[_grid(xp, lifted(index), as_dim(dim, input.ndim))] = value
    return result


_scatter_tensor.vjp(
    input=lambda g, index, dim: _scatter_number(g, index, dim, 0),
    src=lambda g, index, dim: gather(g, dim, index),
)
_scatter_number.vjp(input=lambda g, index, dim: _scatter_number(g, index, dim, 0))


def _write_added(xp: Any, target: Any, index: Any, src: Any, dim: int) -> None:
    if index.size:
        xp.scatter_add(
            lifted(target), _grid(xp, lifted(index), as_dim(dim, target.ndim)), lifted(src)
        )


@op(name="_scatter_add", node="ScatterAddBackward0", function=False, method=False)
def _scatter_sum(xp: Any, input: Array, index: Array, src: Array, dim: int) -> Array:
    result = xp.array(input)
    _write_added(xp, result, index, src, dim)
    return result


_scatter_sum.vjp(input=lambda g: g, src=lambda g, index, dim: gather(g, dim, index))


def _prepared(name: str, input: Tensor, dim: int, index: Any, src: Any) -> Any:
    """Check the arguments of a scatter; ``src`` without what no index is for."""
    if not isinstance(index, Tensor):
        raise wrong_argument(name, "index", 3, "Tensor", index)
    shape = input._array.shape or (1,)
    dim, xp = as_dim(dim, len(shape)), input._type.xp
    if not isinstance(src, Tensor):
        _check_index(name, xp, shape, dim, index._array)
        return fill_number(src, input._type)
    if src._type.dtype is not input._type.dtype:
        raise RuntimeError(
            f"scatter(): Expected self.dtype to be equal to src.dtype: self has {input.dtype}, src "
            f"{src.dtype}"
        )
    _check_index(name, xp, shape, dim, index._array, src._array.shape or (1,))
    return crop(src, index._array.shape) if index._array.size else src


@composite(inplace=True)
def scatter(
    input: Tensor, dim: int, index: Tensor, src: Tensor | Number | None = None, *,
    value: Number | None = None, reduce: str | None = None,
) -> Tensor:  # fmt: skip
    """A copy of ``input`` with ``src``, a tensor or a number, at ``index`` along ``dim``.

    ``out[index[i][j]][j] = src[i][j]`` for ``dim=0``, and so on; with ``reduce="add"`` or
    ``"multiply"`` it is added to, or multiplied with, what is there.

    Raises:
        RuntimeError: an index is out of bounds; shapes or dtypes do not fit.

    >>> import devgrad
    >>> devgrad.scatter(devgrad.zeros(2, 2), 1, devgrad.tensor([[1], [0]]), 5)
    tensor([[0., 5.],
            [5., 0.]])
    """
    src = value if src is None else src
    if src is None:
        raise TypeError(
            "scatter() received an invalid combination of arguments - got neither src nor value"
        )
    if reduce not in (None, "add", "multiply"):
        raise RuntimeError("reduce argument must be either add or multiply.")
    src = _prepared("scatter", input, dim, index, src)
    if reduce is not None:
        if not isinstance(src, Tensor):
            src = expand_to.function(constant(src, input._type), index._array.shape)
        if reduce == "add":
            return _scatter_sum.function(input, index, src, dim)
        return _reduced.function(input, index, src, dim, "prod", True)
    if isinstance(src, Tensor):
        return _scatter_tensor.function(input, index, src, dim)
    return _scatter_number.function(input, index, dim, src)


@composite
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy of ``input`` with ``src`` added at ``index`` along ``dim``; see `scatter`.

    Raises:
        RuntimeError: an index is out of bounds; shapes or dtypes do not fit.

    >>> import devgrad
    >>> devgrad.scatter_add(devgrad.zeros(2), 0, devgrad.tensor([1, 1]), devgrad.ones(2))
    tensor([0., 2.])
    """
    src = _prepared("scatter_add", input, dim, index, src)
    return _scatter_sum.function(input, index, src, dim)


def scatter_add_(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """The in-place form of `scatter_add`: changes ``input``, and returns it."""
    dim = as_int("dim", dim)
    if recorded(input, src) or not apart(input, index, src):
        return _scatter_add_copying(input, dim, index, src)
    check_inplace("scatter_add_", input, False)
    src = _prepared("scatter_add", input, dim, index, src)
    _write_added(input._type.xp, input._array, index._array, src._array, dim)
    bump(input)
    return input


_scatter_add_copying = inplace_form(FUNCTIONS[""]["scatter_add"], "scatter_add")
written_over(scatter_add_, "scatter_add_")


# --- with a reduction -----------------------------------------------------------------------------


@op(name="scatter_reduce", node="ScatterReduceBackward0", function=False, method=False)
def _reduced(
    xp: Any, input: Array, index: Array, src: Array, dim: int, reduce: str, include_self: bool
) -> Array:
    result = xp.array(input)
    if not index.size:
        return result
    into, places = lifted(result), _grid(xp, lifted(index), as_dim(dim, input.ndim))
    src = lifted(src)
    if reduce in ("sum", "mean"):
        if not include_self:
            into[places] = 0
        xp.scatter_add(into, places, src)
        if reduce == "mean":
            counts = _counts.forward(xp, input, index, dim, include_self)
            counts = lifted(counts).astype(result.dtype)
            if result.dtype.kind in "fc":
                into /= counts
            else:
                into //= counts
    else:
        name = {"prod": "multiply", "amax": "maximum", "amin": "minimum"}[reduce]
        if not include_self:
            if reduce == "prod":
                into[places] = 1
            else:
                into[places] = src  # any of them
        xp.scatter_at(name, into, places, src)
    return result


@op(function=False, method=False)
def _counts(xp: Any, input: Array, index: Array, dim: int, include_self: bool) -> Array:
    """How many values each place of ``input`` is reduced from; at least 1."""
    result = xp.zeros(input.shape, input.dtype)
    into, places = lifted(result), _grid(xp, lifted(index), as_dim(dim, input.ndim))
    xp.scatter_add(into, places, xp.ones(lifted(index).shape, input.dtype))
    return result + 1 if include_self else xp.maximum(result, xp.ones((), input.dtype))


@op(function=False, method=False)
def _flags(xp: Any, input: Array, other: Array, equal: bool) -> Array:
    """1 where two arrays are equal (or where they are not), else 0."""
    return (input == other if equal else input != other).astype(input.dtype)


def _without_own(g: Any, index: Any, dim: int, include_self: bool) -> Any:
    return g if include_self else _scatter_number(g, index, dim, 0)


@op(
    outputs=("order", "own", "theirs", "first", "last", "start", "end"),
    function=False, method=False,
)  # fmt: skip
def _lines(xp: Any, input: Array, index: Array, dim: int, include_self: bool) -> Any:
    """The order in which all values for one place lie side by side, and the way back.

    ``own`` and ``theirs`` are where those of ``input`` and of the source have come to lie; a value
    is the ``first`` or ``last`` for its place (as bools, and as numbers ``start`` and ``end``).
    """
    count = input.size if include_self else 0
    places = xp.arange(input.size).reshape(input.shape or (1,))
    theirs = places[_grid(xp, lifted(index), as_dim(dim, input.ndim))].reshape(-1)
    places = xp.concatenate([places.reshape(-1)[:count], theirs])
    order = places.argsort(kind="stable")
    back = xp.empty_like(order)
    back[order] = xp.arange(order.size)
    ordered = places[order]
    first = xp.ones(order.size, bool)
    first[1:] = ordered[1:] != ordered[:-1]
    last = xp.ones(order.size, bool)
    last[:-1] = first[1:]
    return (
        order, back[:count], back[count:], first, last, first.astype(input.dtype),
        last.astype(input.dtype),
    )  # fmt: skip


def _others(input: Any, index: Any, src: Any, dim: int, include_self: bool) -> Any:
    """The product of all the other values for a place, at those of ``input`` and of ``src``.

    It is made of running products from both ends, not by a division: zeros are no trouble then,
    at any order.
    """
    order, own, theirs, first, last, start, end = _lines(input, index, dim, include_self)
    values = reshaped(src, (-1,))
    if include_self:
        values = cat([reshaped(input, (-1,)), values], 0)
    x = take_along(values, order, 0, True, False)
    before = recurrence(where(first, 0, shifted(x, 0, False, 0)), start, 0, False)
    after = recurrence(where(last, 0, shifted(x, 0, True, 0)), end, 0, True)
    rest = before * after
    return take_along(rest, own, 0, True, False), take_along(rest, theirs, 0, True, False)


def _reduce_input(
    g: Any, input: Any, index: Any, src: Any, out: Any, input_shape: Any, dim: int, reduce: str,
    include_self: bool,
) -> Any:  # fmt: skip
    if reduce == "mean":
        g = g / _counts(input, index, dim, include_self)
    elif reduce == "prod":
        if include_self:  # (elsewhere there is nothing to multiply with, or nothing is left of it)
            others, _ = _others(input, index, src, dim, True)
            g = g * conj(reshaped(others, input_shape))
    elif reduce in ("amax", "amin"):
        own, theirs = _ties(input, index, src, out, dim, include_self)
        g = g * own / _scatter_sum(own, index, theirs, dim)
    return _without_own(g, index, dim, include_self)


def _reduce_src(
    g: Any, input: Any, index: Any, src: Any, out: Any, src_shape: Any, dim: int, reduce: str,
    include_self: bool,
) -> Any:  # fmt: skip
    if reduce == "mean":
        g = g / _counts(input, index, dim, include_self)
    elif reduce == "prod":
        _, others = _others(input, index, src, dim, include_self)
        return gather(g, dim, index) * conj(reshaped(others, src_shape))
    elif reduce in ("amax", "amin"):
        own, theirs = _ties(input, index, src, out, dim, include_self)
        return gather(g / _scatter_sum(own, index, theirs, dim), dim, index) * theirs
    return gather(g, dim, index)


def _ties(input: Any, index: Any, src: Any, out: Any, dim: int, include_self: bool) -> Any:
    """Which elements of ``input`` and ``src`` are the extremes; they share the gradient."""
    own = _without_own(_flags(input, out, True), index, dim, include_self)
    return own, _flags(src, gather(out, dim, index), True)


_reduced.vjp(
    input=lambda g, input, index, src, out, input_shape, dim, reduce, include_self: _reduce_input(
        g, input, index, src, out, input_shape, dim, reduce, include_self
    ),
    src=lambda g, input, index, src, out, src_shape, dim, reduce, include_self: _reduce_src(
        g, input, index, src, out, src_shape, dim, reduce, include_self
    ),
)


@composite(inplace=True)
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """A copy of ``input``, reduced with ``src`` at ``index`` along ``dim``; see `scatter`.

    Args:
        reduce: ``"sum"``, ``"prod"``, ``"mean"``, ``"amax"`` or ``"amin"``.
        include_self: whether what is in ``input`` at those places takes part.

    Raises:
        RuntimeError: an index is out of bounds; shapes or dtypes do not fit; no such reduction.

    >>> import devgrad
    >>> i = devgrad.tensor([0, 0])
    >>> devgrad.scatter_reduce(devgrad.ones(2), 0, i, devgrad.tensor([3.0, 5.0]), "amax")
    tensor([5., 1.])
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}"
        )
    src = _prepared("scatter_reduce", input, dim, index, src)
    return _reduced.function(input, index, src, dim, reduce, include_self)
