"""Parameters and buffers: the tensors that belong to a module."""

from __future__ import annotations

from typing import Any

from .._creation import empty
from .._tensor import Tensor

__all__ = ["Buffer", "Parameter"]


class Parameter(Tensor):
    """A tensor that a module learns: assigned to a module's attribute, it is registered there.

    Args:
        data: the tensor whose memory the parameter shares; default an empty one.
        requires_grad: whether operations on it are recorded.

    Raises:
        AttributeError: ``data`` is no tensor.
        RuntimeError: ``requires_grad`` for a tensor of integers or booleans.

    >>> import devgrad
    >>> devgrad.nn.Parameter(devgrad.ones(2))
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    __slots__ = ()
    _prints_as_parameter = True

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Parameter:
        """A parameter over the memory of ``data``."""
        if data is None:
            data = empty(0)
        elif not isinstance(data, Tensor):
            raise AttributeError(
                f"'{type(data).__name__}' object has no attribute 'detach'. A parameter is made "
                "of a tensor: nn.Parameter(torch.tensor(data))"
            )
        if requires_grad and not data._type.floating:
            raise RuntimeError(
                "Only Tensors of floating point and complex dtype can require gradients: this one "
                f"has dtype {data.dtype}. Convert it, or pass requires_grad=False"
            )
        made: Parameter = object.__new__(cls)
        made._array, made._type = data._array, data._type
        made._changes, made._view, made._edge, made._cut = data._changes, None, None, None
        if requires_grad:
            made.requires_grad = True
        return made


class _BufferType(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and instance.__dict__.get("_is_buffer", False)


class Buffer(metaclass=_BufferType):
    """A tensor that belongs to a module's state but is not learnt, such as a running mean.

    ``module.mean = Buffer(x)`` does what ``module.register_buffer("mean", x)`` does. What is made
    is a plain tensor that shares the memory of ``data`` and carries a mark.

    Args:
        data: a tensor; default an empty one.
        persistent: whether it is part of the module's ``state_dict()``.

    >>> import devgrad
    >>> devgrad.nn.Buffer(devgrad.ones(2))
    tensor([1., 1.])
    """

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Any:
        """A marked tensor over the memory of ``data``."""
        source = empty(0) if data is None else data
        made = source.detach().requires_grad_(source.requires_grad)
        made.__dict__.update(persistent=persistent, _is_buffer=True)
        return made
