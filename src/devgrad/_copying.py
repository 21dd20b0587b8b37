"""Copies of tensors, and pickles: tensors that share memory go on sharing it.

What is copied, or written, is the whole memory that a tensor is a view of, once for all tensors
over it: two parameters that are tied are tied afterwards.
"""

from __future__ import annotations

import copy
from typing import Any
from weakref import WeakValueDictionary

from ._tensor import Tensor, wrap
from .device import CPU, DType, TensorType, resolve

__all__: list[str] = []

_PRIVATE = ("_grad", "_leaf", "_retains")  # not for copies; `__deepcopy__` sees to the gradient


class Storage:
    """The memory that one or several tensors are views of, as `copy` and `pickle` know it.

    There is one object for each memory, as long as somebody holds it. So the libraries' own
    bookkeeping of objects that they met before keeps together what shares memory.
    """

    __slots__ = ("__weakref__", "changes", "kind", "memory")

    def __init__(self, memory: Any, kind: TensorType, changes: Any) -> None:
        self.memory = memory  # a 1-dim array
        self.kind = kind
        self.changes = changes  # what all tensors over it have in common: see Tensor

    @staticmethod
    def of(tensor: Tensor) -> Storage:
        """The storage of a tensor."""
        array, kind = tensor._array, tensor._type
        offset, size = kind.xp.storage(array)
        key = (str(kind.device), tensor.data_ptr() - offset * array.itemsize, size * array.itemsize)
        found = _known.get(key) if size else None
        if found is None:
            memory = kind.xp.strided(array, (size,), (1,), 0)
            found = _known[key] = Storage(memory, kind, tensor._changes)
        return found

    def view(self, dtype: Any, shape: Any, strides: Any, offset: int) -> Any:
        """An array over it; strides and offset are in elements of ``dtype``."""
        memory = self.memory.view(dtype)
        return self.kind.xp.strided(memory, shape, strides, offset)

    def __deepcopy__(self, memo: Any) -> Storage:
        with self.kind.xp.on_device(self.kind.device.index):
            return Storage(self.memory.copy(), self.kind, [0, None])

    def __reduce__(self) -> Any:
        device = self.kind.device
        return _restored, (self.kind.xp.to_host(self.memory), str(device))


_known: WeakValueDictionary[Any, Storage] = WeakValueDictionary()


def _restored(memory: Any, device: str) -> Storage:
    """A storage from a pickle; on the CPU if its device is not there."""
    place = resolve(device)
    kind = place.types[CPU.types[memory.dtype].array_dtype]
    return Storage(kind.xp.from_host(memory, place.index), kind, [0, None])


def _layout(tensor: Tensor) -> tuple[Any, ...]:
    strides = tuple([s // tensor._array.itemsize for s in tensor._array.strides])
    return tensor._array.shape, strides, tensor.storage_offset()


def rebuild(
    cls: type[Tensor], storage: Storage, dtype: DType, layout: tuple[Any, ...],
    requires_grad: bool, attributes: dict[str, Any],
) -> Tensor:  # fmt: skip
    """A leaf over a storage; what `__reduce_ex__` has written is read back by this."""
    kind = storage.kind.with_dtype(dtype)
    made = wrap(storage.view(kind.array_dtype, *layout), kind, storage.changes)
    if cls is not Tensor:
        plain, made = made, object.__new__(cls)
        for slot in Tensor.__slots__:
            if not slot.startswith("__"):
                setattr(made, slot, getattr(plain, slot))
    if requires_grad:
        made.requires_grad = True
    made.__dict__.update(attributes)
    return made


def _attributes(tensor: Tensor) -> dict[str, Any]:
    return {name: value for name, value in tensor.__dict__.items() if name not in _PRIVATE}


def __deepcopy__(self: Tensor, memo: dict[int, Any]) -> Tensor:
    """A leaf over a copy of this leaf's memory, with copies of its gradient and attributes.

    Raises:
        RuntimeError: it was computed; its history cannot be copied.
    """
    if id(self) in memo:
        found: Tensor = memo[id(self)]
        return found
    if not self.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
            "protocol at the moment.  If you were attempting to deepcopy a module, this may be "
            "because of a torch.nn.utils.weight_norm usage, see "
            "https://github.com/pytorch/pytorch/pull/103001. This tensor was computed by "
            f"{self.grad_fn!r}: deepcopy x.detach()"
        )
    storage = copy.deepcopy(Storage.of(self), memo)
    made = rebuild(type(self), storage, self.dtype, _layout(self), self.requires_grad, {})
    memo[id(self)] = made
    if self._grad is not None:
        made._grad = copy.deepcopy(self._grad, memo)
    made.__dict__.update(copy.deepcopy(_attributes(self), memo))
    return made


def __copy__(self: Tensor) -> Tensor:
    """A leaf over the same memory."""
    made = rebuild(
        type(self), Storage.of(self), self.dtype, _layout(self), self.requires_grad,
        _attributes(self),
    )  # fmt: skip
    made._changes = self._changes
    return made


def __reduce_ex__(self: Tensor, protocol: Any) -> Any:
    return rebuild, (
        type(self), Storage.of(self), self.dtype, _layout(self), self.requires_grad,
        _attributes(self),
    )  # fmt: skip


for _method in (__deepcopy__, __copy__, __reduce_ex__):
    setattr(Tensor, _method.__name__, _method)
