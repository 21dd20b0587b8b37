"""``Variable``, which older PyTorch programs wrap tensors in; a tensor does all that it did."""

from __future__ import annotations

from typing import Any

import devgrad  # tensors and operations stand above: their names are looked up when called

__all__ = ["Variable"]


class _VariableMeta(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, devgrad.Tensor)


class Variable(metaclass=_VariableMeta):
    """``Variable(data, requires_grad=True)``: the same memory as ``data``, as a leaf.

    >>> import devgrad
    >>> devgrad.autograd.Variable(devgrad.ones(2), requires_grad=True)
    tensor([1., 1.], requires_grad=True)
    """

    def __new__(cls, data: Any, requires_grad: bool = False) -> Any:
        """A leaf over the memory of ``data``."""
        return data.detach().requires_grad_(requires_grad)
