"""Changes of a tensor's own shape: ``x.t_()``, ``x.squeeze_()``, ``x.resize_()``.

No element moves: the tensor becomes the view that the operation of that name returns.
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ..autograd._graph import AccumulateGrad
from ..autograd._modes import mode
from ._arguments import explained
from ._inplace import bump, check_inplace
from ._layout import ints, is_dense, strides_of
from ._memory_format import FORMATS, MemoryFormat
from ._op import METHODS
from .pieces import as_strided
from .transposing import t, transpose
from .views import squeeze, unsqueeze

__all__: list[str] = []


def _become(self: Tensor, view: Tensor) -> Tensor:
    self._array = view._array
    if mode.grad:
        self._edge = view._edge
    elif isinstance(self._edge, AccumulateGrad):
        self._edge.follow(self)
    if self._view is not None:
        self._view = view._view  # of the same base
    bump(self)
    if self._view is not None and self._changes is not None:
        self._view.version = self._changes[0]
    return self


def _shape_changing(name: str, function: Any, original: str) -> Any:
    def changed(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if mode.grad and self._own_edge() is not None:
            check_inplace(name, self, True)
        return _become(self, function(self, *args, **kwargs))

    changed.__name__ = changed.__qualname__ = name
    changed.__doc__ = f"Turn this tensor itself into what `{original}` returns, without a copy."
    METHODS[name] = changed
    return changed


for _name in ("transpose", "swapaxes", "swapdims"):
    _shape_changing(f"{_name}_", transpose.function, _name)
_shape_changing("t_", t.function, "t")
_shape_changing("squeeze_", squeeze, "squeeze")
_shape_changing("unsqueeze_", unsqueeze.function, "unsqueeze")
_shape_changing("as_strided_", as_strided, "as_strided")


def resize_(self: Tensor, *sizes: Any, memory_format: MemoryFormat | None = None) -> Tensor:
    """Give this tensor another shape; its elements are those of its storage, in order.

    Where the storage is too small, there is a new one, whose further elements are not set.

    Raises:
        RuntimeError: it requires grad, or a size is negative.

    >>> import devgrad
    >>> devgrad.arange(6).resize_(2, 2)
    tensor([[0, 1],
            [2, 3]])
    """
    if not sizes:
        raise TypeError('resize_() missing 1 required positional arguments: "size"')
    shape = ints(sizes)
    if self.requires_grad:
        raise RuntimeError(
            "cannot resize variables that require grad: their gradient could not follow. Use "
            "reshape() or a slice, or detach() first"
        )
    if any(n < 0 for n in shape):
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}"
        )
    array, xp = self._array, self._type.xp
    if shape == array.shape and memory_format is None:
        return self
    strides = (FORMATS["contiguous_format"] if memory_format is None else memory_format).strides(
        shape
    )
    count = 1
    for n in shape:
        count *= n
    offset, capacity = xp.storage(array)
    if count > capacity - offset:
        grown = xp.empty(count, array.dtype)
        kept = capacity - offset if array.size else 0
        grown[:kept] = xp.strided(array, (kept,), (1,), offset)
        array, offset = grown, 0
    self._array = xp.strided(array, shape, strides, offset)
    bump(self)
    return self


def resize_as_(
    self: Tensor, the_template: Tensor, *, memory_format: MemoryFormat | None = None
) -> Tensor:
    """`resize_` to the shape of another tensor."""
    return resize_(self, the_template._array.shape, memory_format=memory_format)


def is_non_overlapping_and_dense(self: Tensor) -> bool:
    """Whether the elements fill one stretch of memory, each in its own place."""
    return is_dense(self._array.shape, strides_of(self._array))


METHODS.update(
    resize_=resize_, resize_as_=explained(resize_as_),
    is_non_overlapping_and_dense=is_non_overlapping_and_dense,
)  # fmt: skip
