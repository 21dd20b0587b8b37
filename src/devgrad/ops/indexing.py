"""Square brackets: ``x[...]`` and ``x[...] = ...``, and `index_put`.

As in PyTorch an index works in two steps. The *basic* part - ints, slices, None, Ellipsis - gives
a view. What is left - arrays of positions, and masks - gives a copy of the picked elements, and
its gradient is added up at the positions they were picked from. (NumPy lets an int take part in
the second step; that only shows where an int and an array stand apart: ``x[0, :, [1, 2]]``.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .._tensor import Tensor, constant
from ..autograd._modes import mode
from ..device import TensorType, array_namespace
from ._along import reshaped
from ._index import Places, broadcast, item_of, out_of_bounds, places_of, read, size_of, slice_of
from ._inplace import bump, check_inplace, replace
from ._op import FUNCTIONS, METHODS, Array, composite, op

__all__ = ["FILLED_VIEWS", "crop", "fill_number", "picked"]

# --- the basic part: views ------------------------------------------------------------------------


def _view(xp: Any, input: Array, index: Any) -> Array:
    """The view ``input[index]``; ``index`` ends in an Ellipsis, or NumPy would make numbers."""
    return input[index]


@op(node="SliceBackward0", function=False, method=False)
def _embedded(xp: Any, input: Array, shape: Any, index: Any) -> Array:
    """Zeros of ``shape``, with ``input`` at ``index``."""
    whole = xp.zeros(shape, input.dtype)
    whole[index] = input
    return whole


def _put_back(g: Any, shape: Any, index: Any) -> Any:
    if math.prod(g.shape) == math.prod(shape):  # nothing was left out
        return reshaped(g, shape)
    return _embedded(g, shape, index)


_VIEWS: dict[str, Any] = {
    title: op(name=f"_{title.lower()}", node=f"{title}Backward0", view=True, function=False,
              method=False)(_view).vjp(
        input=lambda g, input_shape, index: _put_back(g, input_shape, index)
    )
    for title in ("Select", "Slice", "Unsqueeze", "Alias")
}  # fmt: skip
_part = _VIEWS["Slice"]
_embedded.vjp(input=lambda g, index: _part(g, index))
_select, _slice = _VIEWS["Select"].function, _VIEWS["Slice"].function


def crop(x: Tensor, shape: Sequence[int]) -> Tensor:
    """The first ``shape`` elements of ``x``, along each dimension."""
    if tuple(x._array.shape) == tuple(shape):
        return x
    return _slice(x, (*[slice(n) for n in shape], ...))


def _filled(xp: Any, input: Array, src: Array, view: Any, args: Any) -> Array:
    """A copy of ``input`` in which the view ``view(xp, input, *args)`` holds ``src``."""
    result = input.copy()
    view(xp, result, *args)[...] = src
    return result


@op(node="SliceBackward0", function=False, method=False)
def _viewed(xp: Any, input: Array, view: Any, args: Any) -> Array:
    return view(xp, input, *args)


@op(node="SliceScatterBackward0", function=False, method=False)
def _blanked(xp: Any, input: Array, view: Any, args: Any) -> Array:
    result = input.copy()
    view(xp, result, *args)[...] = 0
    return result


@op(node="SliceBackward0", function=False, method=False)
def _in_zeros(xp: Any, input: Array, shape: Any, view: Any, args: Any) -> Array:
    result = xp.zeros(shape, input.dtype)
    view(xp, result, *args)[...] = input
    return result


FILLED_VIEWS: dict[str, Any] = {
    title: op(name=f"_{title.lower()}_scatter", node=f"{title}ScatterBackward0",
              function=False, method=False)(_filled).vjp(
        input=lambda g, view, args: _blanked(g, view, args),
        src=lambda g, view, args: _viewed(g, view, args),
    )
    for title in ("Select", "Slice", "Diagonal")
}  # fmt: skip
_viewed.vjp(input=lambda g, input_shape, view, args: _in_zeros(g, input_shape, view, args))
_blanked.vjp(input=lambda g, view, args: _blanked(g, view, args))
_in_zeros.vjp(input=lambda g, view, args: _viewed(g, view, args))


# --- the advanced part: copies --------------------------------------------------------------------


@op(name="index", node="IndexBackward0", function=False, method=False)
def picked(xp: Any, input: Array, places: Places) -> Array:
    """The elements at ``places``, copied."""
    dim = places.dim
    if xp.wraps and xp.checks_bounds:
        places.refuse(input.shape)
    try:
        if dim is not None and input.flags.c_contiguous:
            return input.take(places.index[dim], dim)
        return input[places.index]
    except (IndexError, ValueError) as error:
        raise places.trouble(input.shape) or error from None


@op(node="IndexPutBackward0", function=False, method=False)
def _unpicked(xp: Any, input: Array, shape: Any, places: Places) -> Array:
    """Zeros of ``shape``, with ``input`` added at ``places``: the transpose of `picked`."""
    places.check()
    whole = xp.zeros(shape, input.dtype)
    if places.mask:
        whole[places.index] = input
    else:
        xp.scatter_add(whole, places.index, input)
    return whole


picked.vjp(input=lambda g, input_shape, places: _unpicked(g, input_shape, places))
_unpicked.vjp(input=lambda g, places: picked(g, places))


def _write(xp: Any, target: Array, places: Places, values: Array, accumulate: bool) -> None:
    if xp.wraps and xp.checks_bounds:
        places.refuse(target.shape)
    try:
        if accumulate:
            xp.scatter_add(target, places.index, values)
        else:
            target[places.index] = values
    except (IndexError, ValueError) as error:
        trouble = places.trouble(target.shape)
        if trouble is None:
            trouble = RuntimeError(
                f"shape mismatch: value tensor of shape {list(values.shape)} cannot be broadcast "
                f"to indexing result of shape {list(target[places.index].shape)}"
            )
        raise trouble from error


@op(name="_index_put", node="IndexPutBackward0", function=False, method=False)
def _put(xp: Any, input: Array, values: Array, places: Places, accumulate: bool) -> Array:
    result = input.copy()
    _write(xp, result, places, values, accumulate)
    return result


@op(node="IndexPutBackward0", function=False, method=False)
def _cleared(xp: Any, input: Array, places: Places) -> Array:
    places.check()
    result = input.copy()
    result[places.index] = 0
    return result


@op(node="IndexBackward0", function=False, method=False)
def _picked_again(xp: Any, input: Array, places: Places) -> Array:
    places.check()
    return picked.forward(xp, input, places)


_put.vjp(
    input=lambda g, places, accumulate: g if accumulate else _cleared(g, places),
    values=lambda g, places: _picked_again(g, places),
)
_cleared.vjp(input=lambda g, places: _cleared(g, places))
_picked_again.vjp(input=lambda g, input_shape, places: _unpicked(g, input_shape, places))


# --- reading --------------------------------------------------------------------------------------


def _no_dimension(what: str) -> IndexError:
    if what == "slice":
        return IndexError("slice() cannot be applied to a 0-dim tensor.")
    return IndexError(
        "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in "
        "C++ to convert a 0-dim tensor to a number"
    )


def _getitem(self: Tensor, index: Any) -> Tensor:
    """``x[index]``: ints, slices, None and Ellipsis give a view; lists, tensors and masks a copy.

    Raises:
        IndexError: an index is out of bounds, of a wrong kind, or there are too many.
        ValueError: a slice's step is not positive.

    >>> import devgrad
    >>> x = devgrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> x[0], x[:, 1], x[x > 2]
    (tensor([1., 2.]), tensor([2., 4.]), tensor([3., 4.]))
    """
    cls = index.__class__
    if cls is int:
        shape = self._array.shape
        if not shape:
            raise _no_dimension("int")
        if not -shape[0] <= index < shape[0]:
            raise out_of_bounds(index, 0, shape[0])
        return _select(self, (index, ...))
    if cls is slice:
        if not self._array.ndim:
            raise _no_dimension("slice")
        return _slice(self, (slice_of(index), ...))
    if cls is Tensor:
        places = places_of(self, index)
        if places is not None:
            return picked.function(self, places)
    basic, title, places = read(self, index)
    if places is None:
        return _VIEWS[title].function(self, basic or (...,))
    if basic is not None:
        self = _VIEWS[title].function(self, basic)
    return picked.function(self, places)


# --- writing --------------------------------------------------------------------------------------

_C_NAMES = {"uint8": "uint8_t", "int8": "int8_t", "int16": "int16_t", "int32": "int",
            "int64": "int64_t", "float32": "float", "float16": "at::Half"}  # fmt: skip


def fill_number(value: Any, kind: TensorType) -> Any:
    """A number to fill tensors of ``kind`` with.

    Raises:
        RuntimeError: it cannot be held in that dtype.
    """
    dtype = kind.dtype
    if dtype.is_complex or dtype.category == 0:
        return value if dtype.is_complex else bool(value)
    if value.__class__ is complex:
        fits = value.imag == 0
        value = value.real
    else:
        fits = True
    if dtype.is_floating_point:
        if dtype.itemsize < 8 and fits and not isinstance(value, bool):
            limit = 65504.0 if dtype.itemsize == 2 else 3.4028235677973366e38
            fits = not limit < abs(value) < math.inf
    elif fits:
        fits = math.isfinite(value)
        if fits:
            value = int(value)
            bits = 8 * dtype.itemsize
            if dtype.kind == "u":  # PyTorch lets negative numbers wrap around
                fits = -(1 << bits) < value < 1 << bits
                value %= 1 << bits
            else:
                fits = -(1 << bits - 1) <= value < 1 << bits - 1
    if not fits:
        raise RuntimeError(
            f"value cannot be converted to type {_C_NAMES.get(dtype.name, dtype.name)} without "
            f"overflow: {value!r} into {dtype}"
        )
    return value


def _value(self: Tensor, value: Any) -> Any:
    """What is to be assigned: a tensor, or a Python number that fits."""
    if isinstance(value, Tensor):
        return value
    if not isinstance(value, (bool, int, float, complex)):
        if array_namespace(value) is None or value.ndim or value.dtype.kind not in "biufc":
            kind = type(value)
            module = f"{kind.__module__}." if kind.__module__ == "numpy" else ""
            raise TypeError(
                f"can't assign a {module}{kind.__name__} to a {self._type}. Wrap it first: "
                "devgrad.tensor(values)"
            )
        value = value.item()
    return fill_number(value, self._type)


def _real(array: Any, kind: TensorType) -> Any:
    return array.real if array.dtype.kind == "c" and not kind.dtype.is_complex else array


def _setitem(self: Tensor, index: Any, value: Any) -> None:
    """``x[index] = value``: a number, or a tensor that broadcasts to ``x[index]``.

    Raises:
        IndexError, ValueError: as `x[index]`.
        RuntimeError: the shapes do not fit; autograd could not follow the change.
        TypeError: ``value`` is neither a number nor a tensor.

    >>> import devgrad
    >>> x = devgrad.zeros(3)
    >>> x[1:] = 5
    >>> x
    tensor([0., 5., 5.])
    """
    value = _value(self, value)
    if index is False:
        return
    array, kind = self._array, self._type
    title, places = "Select", None
    basic: tuple[Any, ...] | None
    if index.__class__ is int and array.ndim:
        if not -array.shape[0] <= index < array.shape[0]:
            raise out_of_bounds(index, 0, array.shape[0])
        basic = (index, ...)
    elif index.__class__ is int or (index.__class__ is slice and not array.ndim):
        raise _no_dimension(type(index).__name__)
    else:
        basic = None
        places = places_of(self, index) if index.__class__ is Tensor else None
        if places is None:
            basic, title, places = read(self, index)
    is_tensor = isinstance(value, Tensor)
    if places is not None and is_tensor and value._type.dtype is not kind.dtype:
        value = _same_dtype(value, kind)
    if (
        self._changes is None
        or 0 in array.strides
        or (
            is_tensor and (value._type.device is not kind.device or value._changes is self._changes)
        )
        or (
            mode.grad
            and (self._own_edge() is not None or (is_tensor and value._own_edge() is not None))
        )
    ):
        if basic is None and places is None and not is_tensor:
            METHODS["fill_"](self, value)
        else:
            value = value if is_tensor else constant(value, kind)
            _set_recorded(self, basic, title, places, value)
        return
    source = _real(value._array, kind) if is_tensor else value
    if places is not None:
        part = array if basic is None else array[basic]
        source = _stripped(source if is_tensor else constant(value, kind)._array, part, places)
        _write(kind.xp, part, places, source, False)
    else:
        try:
            array[basic or (...,)] = source
        except ValueError:
            raise _no_room(array[basic or (...,)].shape, value) from None
    bump(self)


def _no_room(shape: Sequence[int], value: Any) -> RuntimeError:
    have = value._array.shape
    while len(have) > len(shape) and have[0] == 1:
        have = have[1:]
    phrase = f"Target sizes: {list(shape)}.  Tensor sizes: {list(have)}"
    for back in range(1, len(shape) + 1):
        if len(have) <= len(shape) and back <= len(have) and have[-back] not in (1, shape[-back]):
            return RuntimeError(
                f"The expanded size of the tensor ({shape[-back]}) must match the existing size "
                f"({have[-back]}) at non-singleton dimension {len(shape) - back}.  {phrase}"
            )
    return RuntimeError(
        f"expand({value._type}{{{list(have)}}}, size={list(shape)}): the number of sizes "
        f"provided ({len(shape)}) must be greater or equal to the "
        f"number of dimensions in the tensor ({len(have)}).  {phrase}"
    )


def _stripped(values: Any, target: Any, places: Places) -> Any:
    """``values`` without leading dimensions of size 1 that the indexed part does not have."""
    while values.ndim > target.ndim + places.dims and values.shape[0] == 1:
        values = values[0]
    return values


def _same_dtype(values: Tensor, kind: TensorType) -> Tensor:
    if values._array.size != 1:
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{kind.dtype.title} for the destination and {values._type.dtype.title} for the "
            f"source. Convert it first: values.to({kind.dtype})"
        )
    return values.to(kind.dtype)


def _set_recorded(
    self: Tensor, basic: Any, title: str, places: Places | None, value: Tensor
) -> None:
    target = self if basic is None else _VIEWS[title].function(self, basic)
    if places is None:
        shape = target._array.shape
        while value._array.ndim > len(shape) and value._array.shape[0] == 1:
            value = _select(value, (0, ...))
        if broadcast([shape, value._array.shape]) != shape and value._array.ndim:
            raise _no_room(shape, value)
        METHODS["copy_"](target, value)
    else:
        _put_in_place("__setitem__", target, places, value, False)


def _put_in_place(
    name: str, target: Tensor, places: Places, values: Tensor, accumulate: bool
) -> Tensor:
    recorded = mode.grad and (target._own_edge() is not None or values._own_edge() is not None)
    check_inplace(name, target, recorded)
    kind = target._type
    if values._type.device is not kind.device:
        values = values.to(kind.device)
    values = _trimmed(values, target, places)
    if recorded or values._changes is target._changes:
        return replace(name, target, _put.function(target, values, places, accumulate))
    _write(kind.xp, target._array, places, values._array, accumulate)
    bump(target)
    return target


def _trimmed(values: Tensor, target: Tensor, places: Places) -> Tensor:
    ndim = target._array.ndim + places.dims
    while values._array.ndim > ndim and values._array.shape[0] == 1:
        values = _select(values, (0, ...))
    return values


def _places(name: str, input: Tensor, indices: Any, values: Any) -> tuple[Places, Tensor]:
    if not isinstance(indices, (tuple, list)):
        raise TypeError(
            f"{name}(): argument 'indices' (position 1) must be tuple of Tensors, not "
            f"{type(indices).__name__}"
        )
    for i, x in enumerate(indices):
        if not isinstance(x, Tensor):
            raise TypeError(
                f"expected Tensor as element {i} in argument 1, but got {type(x).__name__}"
            )
    if not isinstance(values, Tensor):
        raise TypeError(
            f"{name}(): argument 'values' (position 2) must be Tensor, not {type(values).__name__}"
        )
    if values._type.dtype is not input._type.dtype:
        values = _same_dtype(values, input._type)
    arrays: list[tuple[int, Any]] = []
    tensors: list[Tensor] = []
    dim = 0
    for x in indices:
        item = x if x._array.ndim else x.reshape(1)
        array = item_of(input._type, item, tensors)
        if dim + size_of(array) > input._array.ndim:
            raise IndexError(f"too many indices for tensor of dimension {input._array.ndim}")
        have, wanted = array.shape, input._array.shape[dim : dim + size_of(array)]
        if array.dtype.kind == "b" and have != wanted:
            k = next(k for k in range(len(have)) if have[k] != wanted[k])
            raise IndexError(
                f"The shape of the mask {list(have)} at index {k} does not match the shape of the "
                f"indexed tensor {list(input._array.shape)} at index {dim + k}"
            )
        arrays.append((dim, array))
        dim += size_of(array)
    return Places(input._type.xp, arrays, tensors), values


@composite
def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of ``input`` with ``values`` at ``indices``, a tuple of index tensors or masks.

    With ``accumulate`` they are added, once for each time that a position occurs.

    Raises:
        IndexError: an index is out of bounds, or of a wrong dtype.
        RuntimeError: ``values`` does not broadcast to the indexed part, or has another dtype.

    >>> import devgrad
    >>> i = devgrad.tensor([0, 0, 2])
    >>> devgrad.index_put(devgrad.zeros(3), (i,), devgrad.ones(3), accumulate=True)
    tensor([2., 0., 1.])
    """
    places, values = _places("index_put", input, indices, values)
    values = _trimmed(values, input, places)
    return _put.function(input, values, places, accumulate)


def index_put_(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """The in-place form of `index_put`: changes ``input``, and returns it."""
    places, values = _places("index_put_", input, indices, values)
    return _put_in_place("index_put_", input, places, values, accumulate)


_faces: dict[str, Callable[..., Any]] = {
    "__getitem__": _getitem,
    "__setitem__": _setitem,
    "index_put_": index_put_,
}
METHODS.update(_faces)
FUNCTIONS[""]["index_put_"] = index_put_
