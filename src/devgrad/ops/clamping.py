"""Keeping elements within bounds, which are numbers or tensors."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor, constant
from ._op import Array, Number, composite, op
from .comparison import masked

__all__: list[str] = []


def _refuse_complex(x: Array) -> None:
    if x.dtype.kind == "c":
        raise NotImplementedError("clamp is not supported for complex types")


def _at_least(xp: Any, input: Array, min: Array) -> Array:
    _refuse_complex(input)
    return xp.maximum(input, min)


def _at_most(xp: Any, input: Array, max: Array) -> Array:
    _refuse_complex(input)
    return xp.minimum(input, max)


def _between(xp: Any, input: Array, min: Array, max: Array) -> Array:
    _refuse_complex(input)
    return xp.minimum(xp.maximum(input, min), max)


def _declare(name: str, node: str, forward: Any) -> Any:
    return op(name=name, node=node, promotes=True, function=False, method=False)(forward)


# At a bound the gradient passes to the input, as in PyTorch. A bound that is a number has none.
clamp_below = _declare("clamp_below", "ClampBackward1", _at_least)
clamp_above = _declare("clamp_above", "ClampBackward1", _at_most)
clamp_both = _declare("clamp_both", "ClampBackward1", _between)
clamp_min_number = _declare("clamp_min_number", "ClampMinBackward0", _at_least)
clamp_max_number = _declare("clamp_max_number", "ClampMaxBackward0", _at_most)

for _declared in (clamp_below, clamp_min_number):
    _declared.vjp(input=lambda g, input, min: masked(g, input >= min))
for _declared in (clamp_above, clamp_max_number):
    _declared.vjp(input=lambda g, input, max: masked(g, input <= max))
clamp_both.vjp(input=lambda g, input, min, max: masked(g, (input >= min) & (input <= max)))

# The same with tensors, which get the gradient where they are what came out.
clamp_below_tensor = _declare("clamp_below_tensor", "ClampBackward0", _at_least)
clamp_above_tensor = _declare("clamp_above_tensor", "ClampBackward0", _at_most)
clamp_tensors = _declare("clamp_tensors", "ClampBackward0", _between)
clamp_min_tensor = _declare("clamp_min_tensor", "ClampMinBackward1", _at_least)
clamp_max_tensor = _declare("clamp_max_tensor", "ClampMaxBackward1", _at_most)

for _declared in (clamp_below_tensor, clamp_min_tensor):
    _declared.vjp(
        input=lambda g, input, min: masked(g, input >= min),
        min=lambda g, input, min: masked(g, input < min),
    )
for _declared in (clamp_above_tensor, clamp_max_tensor):
    _declared.vjp(
        input=lambda g, input, max: masked(g, input <= max),
        max=lambda g, input, max: masked(g, input > max),
    )
clamp_tensors.vjp(
    input=lambda g, input, min, max: masked(g, (input >= min) & (input <= max)),
    min=lambda g, input, min, max: masked(g, (min < max) & (input < min)),
    max=lambda g, input, min, max: masked(g, (input > max) | (max < min)),
)


@composite(inplace=True, aliases=("clip",))
def clamp(
    input: Tensor, min: Tensor | Number | None = None, max: Tensor | Number | None = None
) -> Tensor:
    """``input`` with what is below ``min`` or above ``max`` set to that bound.

    The bounds are numbers or tensors, and one may be left out. Where ``min > max`` the result is
    ``max``. At a bound the gradient is that of ``input``.

    >>> import devgrad
    >>> devgrad.clamp(devgrad.tensor([-1.0, 0.5, 3.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])

    Raises:
        RuntimeError: there is no bound at all.
        TypeError: one bound is a number and the other a tensor.
    """
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        return _clamp_by_tensors(input, min, max)
    clamped: Tensor
    if max is None:
        clamped = clamp_below.function(input, min)
    elif min is None:
        clamped = clamp_above.function(input, max)
    else:
        if input._type.floating:
            min, max = constant(min, input._type), constant(max, input._type)
        clamped = clamp_both.function(input, min, max)
    return clamped


def _clamp_by_tensors(input: Any, min: Any, max: Any) -> Tensor:
    clamped: Tensor
    if max is None:
        clamped = clamp_below_tensor.function(input, min)
    elif min is None:
        clamped = clamp_above_tensor.function(input, max)
    elif isinstance(min, Tensor) and isinstance(max, Tensor):
        clamped = clamp_tensors.function(input, min, max)
    else:
        raise TypeError(
            "clamp() received an invalid combination of arguments - got (Tensor, "
            f"{type(min).__name__}, {type(max).__name__}), but expected bounds that are both "
            "numbers or both Tensors"
        )
    return clamped


@composite(inplace=True)
def clamp_min(input: Tensor, min: Tensor | Number) -> Tensor:
    """``input`` with what is below ``min`` set to it.

    >>> import devgrad
    >>> devgrad.clamp_min(devgrad.tensor([-1.0, 2.0]), 0)
    tensor([0., 2.])
    """
    clamped: Tensor
    if isinstance(min, Tensor):
        clamped = clamp_min_tensor.function(input, min)
    else:
        clamped = clamp_min_number.function(input, min)
    return clamped


@composite(inplace=True)
def clamp_max(input: Tensor, max: Tensor | Number) -> Tensor:
    """``input`` with what is above ``max`` set to it.

    >>> import devgrad
    >>> devgrad.clamp_max(devgrad.tensor([-1.0, 2.0]), 0)
    tensor([-1.,  0.])
    """
    clamped: Tensor
    if isinstance(max, Tensor):
        clamped = clamp_max_tensor.function(input, max)
    else:
        clamped = clamp_max_number.function(input, max)
    return clamped
