"""Square brackets: ``x[...]`` and ``x[...] = ...``, and `index_put`.

As in PyTorch an index works in two steps. The *basic* part - ints, slices, None, Ellipsis - gives
a view. What is left - arrays of positions, and masks - gives a copy of the picked elements, and
its gradient is added up at the positions they were picked from. (NumPy lets an int take part in
the second step; that only shows where an int and an array stand apart: ``x[0, :, [1, 2]]``.)
"""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from .._tensor import Tensor, constant
from ..autograd._modes import mode
from ..autograd._provenance import line_of, user_line
from ..device import CPU, TensorType, array_namespace
from ._along import reshaped
from ._inplace import bump, check_inplace, replace
from ._op import FUNCTIONS, METHODS, Array, composite, op

__all__ = ["FILLED_VIEWS", "Places", "crop", "fill_number", "picked"]

ALL = slice(None)


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


_VIEWS = {
    title: op(name=f"_{title.lower()}", node=f"{title}Backward0", view=True, function=False,
              method=False)(_view).vjp(input=lambda g, input_shape, index: _put_back(g, input_shape, index))
    for title in ("Select", "Slice", "Unsqueeze", "Alias")
}  # fmt: skip
_part = _VIEWS["Slice"]
_embedded.vjp(input=lambda g, index: _part(g, index))
_select, _slice = _VIEWS["Select"].function, _VIEWS["Slice"].function


def crop(x: Tensor, shape: Sequence[int]) -> Tensor:
    """The first ``shape`` elements of ``x``, along each dimension."""
    if tuple(x._array.shape) == tuple(shape):
        return x
    return _slice(x, (*[slice(n) for n in shape], ...))  # type: ignore[no-any-return]


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


FILLED_VIEWS = {
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


class Places:
    """Where an index picks elements: what is left of it once its basic part has been taken.

    Attributes:
        index: full slices, int arrays, or one mask: as the array library takes it.
        dim: where the one int array stands, if there is one only; the commonest case.
        mask: whether it is one mask; then no place occurs twice.
        dims: how many more dimensions the result has than what is indexed.
        tensors: the tensors that the user gave for it: array, version, version when it was used.
    """

    __slots__ = ("dim", "dims", "index", "mask", "tensors")

    def __init__(self, xp: Any, arrays: list[tuple[int, Any]], tensors: list[Tensor]) -> None:
        self.tensors = [(t._array, t._version, t._version[0]) for t in tensors if t._version]
        self.mask = len(arrays) == 1 and arrays[0][1].dtype.kind == "b"
        if not self.mask:
            whole = []
            for dim, array in arrays:
                if array.dtype.kind == "b":
                    whole += [(dim + k, ones) for k, ones in enumerate(xp.nonzero(array))]
                else:
                    whole.append((dim, array))
            arrays = whole
        index: list[Any] = []
        for dim, array in arrays:
            index += [ALL] * (dim - len(index))
            index.append(array)
        self.index = tuple(index)
        self.dim = arrays[0][0] if len(arrays) == 1 and not self.mask else None
        taken = arrays[0][1].ndim if self.mask else len(arrays)
        self.dims = (1 if self.mask else max(a.ndim for _, a in arrays)) - taken

    def check(self) -> None:
        """Refuse to work on positions that were changed in place after they were used.

        Raises:
            RuntimeError: they were.
        """
        for array, version, expected in self.tensors:
            if version[0] != expected:
                kind = CPU.types.get(array.dtype)
                changed = line_of(version[1]) if len(version) > 1 else "an unknown line"
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an "
                    f"inplace operation: [{kind} {list(array.shape)}] is at version {version[0]}; "
                    f"expected version {expected} instead. It was used as an index, and changed "
                    f"at {changed}. Index with a clone() of it"
                )

    def trouble(self, shape: Sequence[int], values: Any = None) -> Exception | None:
        """What is wrong with this index, in PyTorch's words; None if that is not to be found."""
        arrays = [(p, a) for p, a in enumerate(self.index) if a.__class__ is not slice]
        for position, array in arrays:
            if array.dtype.kind != "b":
                n = shape[position]
                bad = array[(array < -n) | (array >= n)]
                if bad.size:
                    return IndexError(
                        f"index {int(bad.reshape(-1)[0])} is out of bounds for dimension "
                        f"{position} with size {n}"
                    )
        shapes = [a.shape for _, a in arrays]
        together = _broadcast(shapes)
        if together is None:
            texts = ", ".join(str(list(s)) for s in shapes)
            return IndexError(
                "shape mismatch: indexing tensors could not be broadcast together with shapes "
                f"{texts}"
            )
        return None


def _broadcast(shapes: Sequence[Sequence[int]]) -> tuple[int, ...] | None:
    result: list[int] = []
    for back in range(1, max(map(len, shapes)) + 1):
        sizes = {s[-back] for s in shapes if len(s) >= back} - {1}
        if len(sizes) > 1:
            return None
        result.append(sizes.pop() if sizes else 1)
    return tuple(reversed(result))


@op(name="index", node="IndexBackward0", function=False, method=False)
def picked(xp: Any, input: Array, places: Places) -> Array:
    """The elements at ``places``, copied."""
    dim = places.dim
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


# --- reading an index -----------------------------------------------------------------------------


def _is_tuple(index: Any) -> bool:
    """Whether a sequence stands for several indices; PyTorch looks at what is in it."""
    if index.__class__ is tuple:
        return True
    if isinstance(index, str) or not isinstance(index, (list, range)) or len(index) >= 32:
        return False
    if any(
        x is None or x is ... or isinstance(x, (Tensor, list, tuple, range, slice, str))
        or getattr(x, "ndim", 0)
        for x in index
    ):  # fmt: skip
        warnings.warn(
            "Using a non-tuple sequence for multidimensional indexing is deprecated and will be "
            "changed in pytorch 2.9; use x[tuple(seq)] instead of x[seq]. In pytorch 2.9 this will "
            "be interpreted as tensor index, x[torch.tensor(seq)], which will result either in an "
            "error or a different result",
            UserWarning,
            stacklevel=4,
        )
        return True
    return False


_WRONG_DTYPE = "tensors used as indices must be long, int, byte or bool tensors"


def _mask_of_bytes(array: Any) -> Any:
    warnings.warn(
        "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.",
        UserWarning,
        stacklevel=5,
    )
    return array != 0


def _plain(values: Any) -> Any:
    """Nested sequences, with the tensors in them as numbers."""
    if isinstance(values, Tensor):
        return values._type.xp.to_host(values._array).tolist()
    if isinstance(values, (list, tuple, range)):
        return [_plain(v) for v in values]
    return values


def _item(kind: TensorType, item: Any, tensors: list[Tensor]) -> Any:
    """An item of an index as an int, a bool, or an array (int64 or bool) on the right device."""
    if isinstance(item, Tensor):
        name, array = item._type.dtype.name, item._array
        if not array.ndim:
            if name in ("bool", "uint8"):
                return bool(array)
            if name.startswith("int"):
                return int(array)
        if name not in ("int64", "int32", "bool", "uint8"):
            raise IndexError(f"{_WRONG_DTYPE}: this one has dtype {item.dtype}")
        if item._type.device is not kind.device:
            if item._type.device is not CPU:
                raise RuntimeError(
                    "indices should be either on cpu or on the same device as the indexed tensor "
                    f"({kind.device}): this one is on {item.device}"
                )
            array = kind.xp.from_host(array, kind.device.index)
        else:
            tensors.append(item)
        return _mask_of_bytes(array) if name == "uint8" else array
    xp = array_namespace(item)
    if xp is None and isinstance(item, (list, tuple, range)):
        xp, item = kind.xp, _plain(item)
        array = kind.xp.asarray(item)
        if not array.size:
            array = array.astype(kind.xp.int64)
    elif xp is None:
        if isinstance(item, str):
            raise TypeError(f"new(): invalid data type '{type(item).__name__}'")
        try:
            return operator.index(item)
        except TypeError:
            raise IndexError(
                "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables "
                f"are valid indices (got {type(item).__name__})"
            ) from None
    else:
        array = item if kind.xp is xp else kind.xp.from_host(item, kind.device.index)
    if array.dtype.kind not in "iub":
        raise IndexError(f"{_WRONG_DTYPE}: this index has dtype {array.dtype}")
    if not array.ndim:
        return bool(array) if array.dtype.kind == "b" else int(array)
    if array.dtype.kind == "b":
        return kind.xp.array(array)
    return array.astype(kind.xp.int64)  # a copy: the user's array may change


def _bounds(s: slice) -> slice:
    start, stop, step = s.start, s.stop, s.step
    try:
        step = 1 if step is None else operator.index(step)
        start = None if start is None else operator.index(start)
        stop = None if stop is None else operator.index(stop)
    except TypeError:
        raise TypeError(
            "slice indices must be integers or None or have an __index__ method"
        ) from None
    if step <= 0:
        raise ValueError(
            "slice step cannot be zero"
            if step == 0
            else f"step must be greater than zero: got {step}. Use x.flip(dim) to reverse"
        )
    return slice(start, stop, step)


def _size(item: Any) -> int:
    """How many dimensions of the tensor an item of an index is for."""
    if item is None or item is ... or item.__class__ is bool:
        return 0
    if item.__class__ is int or item.__class__ is slice:
        return 1
    return int(item.ndim) if item.dtype.kind == "b" else 1


def _out_of_bounds(index: int, dim: int, n: int) -> IndexError:
    return IndexError(f"index {index} is out of bounds for dimension {dim} with size {n}")


def _read(tensor: Tensor, index: Any) -> tuple[tuple[Any, ...] | None, str, Places | None]:
    """The basic part of an index (None if it changes nothing) and its node, and the rest."""
    kind, shape = tensor._type, tensor._array.shape
    items = index if _is_tuple(index) else (index,)
    tensors: list[Tensor] = []
    items = [
        x if x is None or x is ... or x.__class__ in (int, bool)
        else _bounds(x) if x.__class__ is slice
        else _item(kind, x, tensors)
        for x in items
    ]  # fmt: skip
    left = len(shape) - sum(map(_size, items))
    if left < 0:
        raise IndexError(
            f"too many indices for tensor of dimension {len(shape)}: its shape is {list(shape)}"
        )
    basic: list[Any] = []
    arrays: list[tuple[int, Any]] = []
    title, dim, out = "Alias", 0, 0
    for item in items:
        if item is ...:
            basic += [ALL] * left
            dim, out, left = dim + left, out + left, 0
        elif item is None or item.__class__ is bool:
            title = "Unsqueeze"
            basic.append(None)
            if item is not None:
                arrays.append((out, kind.xp.zeros(1 if item else 0, kind.xp.int64)))
            out += 1
        elif item.__class__ is int:
            if not -shape[dim] <= item < shape[dim]:
                raise _out_of_bounds(item, len(basic), shape[dim])
            title = "Select"
            basic.append(item)
            dim += 1
        elif item.__class__ is slice:
            if len(items) == 1 or item.indices(shape[dim]) != (0, shape[dim], 1):
                title = "Slice"
            basic.append(item)
            dim, out = dim + 1, out + 1
        else:
            n = _size(item)
            if item.dtype.kind == "b":
                for k in range(n):
                    if item.shape[k] != shape[dim + k]:
                        raise IndexError(
                            f"The shape of the mask {list(item.shape)} at index {k} does not match "
                            f"the shape of the indexed tensor {list(shape)} at index {dim + k}"
                        )
            arrays.append((out, item))
            basic += [ALL] * n
            dim, out = dim + n, out + n
    places = Places(kind.xp, arrays, tensors) if arrays else None
    return None if title == "Alias" else (*basic, ...), title, places


def _of_tensor(tensor: Tensor, index: Tensor) -> Places | None:
    """What `_read` makes of one tensor of positions, or one whole mask; None if it is neither."""
    array, kind = index._array, index._type
    n = array.ndim
    if (
        not n
        or not tensor._array.ndim
        or kind.device is not tensor._type.device
        or index._version is None
    ):
        return None
    name = kind.dtype.name
    if name == "bool":
        if array.shape != tensor._array.shape[:n]:
            return None
    elif name != "int64":
        return None
    places = Places.__new__(Places)
    places.tensors = [(array, index._version, index._version[0])]
    places.index = (array,)
    places.mask = name == "bool"
    places.dim = None if places.mask else 0
    places.dims = 1 - n if places.mask else n - 1
    return places


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
            raise _out_of_bounds(index, 0, shape[0])
        return _select(self, (index, ...))  # type: ignore[no-any-return]
    if cls is slice:
        if not self._array.ndim:
            raise _no_dimension("slice")
        return _slice(self, (_bounds(index), ...))  # type: ignore[no-any-return]
    if cls is Tensor:
        places = _of_tensor(self, index)
        if places is not None:
            return picked.function(self, places)  # type: ignore[no-any-return]
    basic, title, places = _read(self, index)
    if places is None:
        return _VIEWS[title].function(self, basic or (...,))  # type: ignore[no-any-return]
    if basic is not None:
        self = _VIEWS[title].function(self, basic)
    return picked.function(self, places)  # type: ignore[no-any-return]


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
            raise _out_of_bounds(index, 0, array.shape[0])
        basic = (index, ...)
    elif index.__class__ is int or index.__class__ is slice and not array.ndim:
        raise _no_dimension(type(index).__name__)
    else:
        basic = None
        places = _of_tensor(self, index) if index.__class__ is Tensor else None
        if places is None:
            basic, title, places = _read(self, index)
    is_tensor = isinstance(value, Tensor)
    if places is not None and is_tensor and value._type.dtype is not kind.dtype:
        value = _same_dtype(value, kind)
    if (
        self._version is None
        or 0 in array.strides
        or is_tensor
        and (value._type.device is not kind.device or value._version is self._version)
        or mode.grad
        and (self._own_edge() is not None or is_tensor and value._own_edge() is not None)
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
    phrase = f"Target sizes: {list(shape)}.  Tensor sizes: {list(have)}"
    for back in range(1, len(shape) + 1):
        if back <= len(have) and have[-back] not in (1, shape[-back]):
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
    if values._array.ndim:
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{kind.dtype.title} for the destination and {values._type.dtype.title} for the "
            f"source. Convert it first: values.to({kind.dtype})"
        )
    return values.to(kind.dtype)  # type: ignore[no-any-return]


def _set_recorded(
    self: Tensor, basic: Any, title: str, places: Places | None, value: Tensor
) -> None:
    target = self if basic is None else _VIEWS[title].function(self, basic)
    if places is None:
        shape = target._array.shape
        while value._array.ndim > len(shape) and value._array.shape[0] == 1:
            value = _select(value, (0, ...))
        if _broadcast([shape, value._array.shape]) != shape and value._array.ndim:
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
    if recorded or values._version is target._version:
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
        array = _item(input._type, item, tensors)
        if dim + _size(array) > input._array.ndim:
            raise IndexError(f"too many indices for tensor of dimension {input._array.ndim}")
        have, wanted = array.shape, input._array.shape[dim : dim + _size(array)]
        if array.dtype.kind == "b" and have != wanted:
            k = next(k for k in range(len(have)) if have[k] != wanted[k])
            raise IndexError(
                f"The shape of the mask {list(have)} at index {k} does not match the shape of the "
                f"indexed tensor {list(input._array.shape)} at index {dim + k}"
            )
        arrays.append((dim, array))
        dim += _size(array)
    return Places(input._type.xp, arrays, tensors), values


@composite
def index_put(
    input: Tensor, indices: Any, values: Tensor, accumulate: bool = False
) -> Tensor:
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
    return _put.function(input, values, places, accumulate)  # type: ignore[no-any-return]


def index_put_(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """The in-place form of `index_put`: changes ``input``, and returns it."""
    places, values = _places("index_put_", input, indices, values)
    return _put_in_place("index_put_", input, places, values, accumulate)


_faces: dict[str, Callable[..., Any]] = dict(
    __getitem__=_getitem, __setitem__=_setitem, index_put_=index_put_
)
METHODS.update(_faces)
FUNCTIONS[""]["index_put_"] = index_put_
