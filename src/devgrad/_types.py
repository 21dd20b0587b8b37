"""Questions about dtypes and tensors."""

from __future__ import annotations

from typing import Any

from ._tensor import Tensor
from .device import DType, dtype_of_number
from .ops._arguments import NUMBERS, explained, kind_name
from .ops._promotion import result_dtype

__all__ = ["can_cast", "is_complex", "is_floating_point", "is_tensor", "numel", "result_type",
           "typename"]  # fmt: skip


def result_type(tensor1: Any, tensor2: Any) -> DType:
    """The dtype of an operation on these two; one may be a number.

    >>> import devgrad
    >>> devgrad.result_type(devgrad.tensor([1, 2]), 1.0)
    torch.float32
    """
    for x in (tensor1, tensor2):
        if not isinstance(x, (Tensor, *NUMBERS)):
            raise TypeError(
                "result_type() received an invalid combination of arguments - got "
                f"({kind_name(tensor1)}, {kind_name(tensor2)}), but expected Tensors or numbers"
            )
    if not isinstance(tensor1, Tensor) and not isinstance(tensor2, Tensor):
        from .device import promote_types

        return promote_types(dtype_of_number(tensor1), dtype_of_number(tensor2))
    return result_dtype((tensor1, tensor2))


@explained
def can_cast(from_: DType, to: DType) -> bool:
    """Whether PyTorch allows writing one dtype into the other: not down a category.

    >>> import devgrad
    >>> devgrad.can_cast(devgrad.float64, devgrad.int32)
    False
    """
    return from_.category <= to.category


def is_tensor(obj: object) -> bool:
    """Whether ``obj`` is a tensor."""
    return isinstance(obj, Tensor)


@explained
def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is float16, float32 or float64."""
    return input.is_floating_point()


@explained
def is_complex(input: Tensor) -> bool:
    """Whether the dtype is complex."""
    return input.is_complex()


@explained
def numel(input: Tensor) -> int:
    """The number of elements."""
    return input.numel()


def typename(obj: Any) -> str:
    """The name of a tensor's type, or of any object's class, with its module.

    >>> import devgrad
    >>> devgrad.typename(devgrad.ones(1)), devgrad.typename(1)
    ('torch.FloatTensor', 'int')
    """
    if isinstance(obj, Tensor):
        return str(obj._type)
    named = obj if hasattr(obj, "__qualname__") else type(obj)
    if named.__module__ in ("", "builtins"):
        return str(named.__qualname__)
    return f"{named.__module__}.{named.__qualname__}"
