"""What is between the square brackets: the basic part of an index, and the places that are left."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Sequence
from typing import Any

from .._tensor import Tensor
from ..autograd._provenance import line_of
from ..device import CPU, TensorType, array_namespace, user_stacklevel

__all__ = [
    "Places",
    "broadcast",
    "item_of",
    "out_of_bounds",
    "places_of",
    "read",
    "size_of",
    "slice_of",
]  # fmt: skip

ALL = slice(None)


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
        self.tensors = [(t._array, t._changes, t._changes[0]) for t in tensors if t._changes]
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

    def refuse(self, shape: Sequence[int]) -> None:
        """Raise what is wrong with this index, for libraries that do not."""
        trouble = self.trouble(shape)
        if trouble is not None:
            raise trouble

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
        together = broadcast(shapes)
        if together is None:
            texts = ", ".join(str(list(s)) for s in shapes)
            return IndexError(
                "shape mismatch: indexing tensors could not be broadcast together with shapes "
                f"{texts}"
            )
        return None


def broadcast(shapes: Sequence[Sequence[int]]) -> tuple[int, ...] | None:
    result: list[int] = []
    for back in range(1, max(map(len, shapes)) + 1):
        sizes = {s[-back] for s in shapes if len(s) >= back} - {1}
        if len(sizes) > 1:
            return None
        result.append(sizes.pop() if sizes else 1)
    return tuple(reversed(result))


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
            stacklevel=user_stacklevel(),
        )
        return True
    return False


_WRONG_DTYPE = "tensors used as indices must be long, int, byte or bool tensors"


def _mask_of_bytes(array: Any) -> Any:
    warnings.warn(
        "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.",
        UserWarning,
        stacklevel=user_stacklevel(),
    )
    return array != 0


def _plain(values: Any) -> Any:
    """Nested sequences, with the tensors in them as numbers."""
    if isinstance(values, Tensor):
        return values._type.xp.to_host(values._array).tolist()
    if isinstance(values, (list, tuple, range)):
        return [_plain(v) for v in values]
    return values


def item_of(kind: TensorType, item: Any, tensors: list[Tensor]) -> Any:
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


def slice_of(s: slice) -> slice:
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


def size_of(item: Any) -> int:
    """How many dimensions of the tensor an item of an index is for."""
    if item is None or item is ... or item.__class__ is bool:
        return 0
    if item.__class__ is int or item.__class__ is slice:
        return 1
    return int(item.ndim) if item.dtype.kind == "b" else 1


def out_of_bounds(index: int, dim: int, n: int) -> IndexError:
    return IndexError(f"index {index} is out of bounds for dimension {dim} with size {n}")


def read(tensor: Tensor, index: Any) -> tuple[tuple[Any, ...] | None, str, Places | None]:
    """The basic part of an index (None if it changes nothing) and its node, and the rest."""
    kind, shape = tensor._type, tensor._array.shape
    items = index if _is_tuple(index) else (index,)
    tensors: list[Tensor] = []
    items = [
        x if x is None or x is ... or x.__class__ in (int, bool)
        else slice_of(x) if x.__class__ is slice
        else item_of(kind, x, tensors)
        for x in items
    ]  # fmt: skip
    left = len(shape) - sum(map(size_of, items))
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
                raise out_of_bounds(item, len(basic), shape[dim])
            title = "Select"
            basic.append(item)
            dim += 1
        elif item.__class__ is slice:
            # As in PyTorch, ``-n:`` counts as a slice, though it is the whole.
            whole = item.start in (None, 0) and item.indices(shape[dim]) == (0, shape[dim], 1)
            if len(items) == 1 or not whole:
                title = "Slice"
            basic.append(item)
            dim, out = dim + 1, out + 1
        else:
            n = size_of(item)
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


def places_of(tensor: Tensor, index: Tensor) -> Places | None:
    """What `read` makes of one tensor of positions, or one whole mask; None if it is neither."""
    array, kind = index._array, index._type
    n = array.ndim
    if (
        not n
        or not tensor._array.ndim
        or kind.device is not tensor._type.device
        or index._changes is None
    ):
        return None
    name = kind.dtype.name
    if name == "bool":
        if array.shape != tensor._array.shape[:n]:
            return None
    elif name != "int64":
        return None
    places = Places.__new__(Places)
    places.tensors = [(array, index._changes, index._changes[0])]
    places.index = (array,)
    places.mask = name == "bool"
    places.dim = None if places.mask else 0
    places.dims = 1 - n if places.mask else n - 1
    return places
