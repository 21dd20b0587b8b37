"""What the families of ``nn.functional`` share: how they are declared, and PyTorch's reductions."""

from __future__ import annotations

import warnings
from typing import Any

from .._tensor import Tensor
from ..device import user_stacklevel
from ..device._activations import in_wide
from ._op import FUNCTIONS
from .reductions import sum_all

__all__ = ["FUNCTIONAL", "chosen_reduction", "functional", "in_wide", "reduced", "warn_of_sizes"]

# Options of a composite that is public in nn.functional alone.
FUNCTIONAL: dict[str, Any] = {"method": False, "out": False, "namespaces": ("nn.functional",)}

functional = FUNCTIONS.setdefault("nn.functional", {})

_BY_NUMBER = {0: "none", 1: "mean", 2: "sum"}


def chosen_reduction(reduction: Any, size_average: Any = None, reduce: Any = None) -> str:
    """The reduction of a loss: "none", "mean" or "sum"; also by PyTorch's older arguments.

    Raises:
        ValueError: there is no such reduction.
    """
    if size_average is not None or reduce is not None:
        mean, reduces = size_average in (None, True), reduce in (None, True)
        reduction = ("mean" if mean else "sum") if reduces else "none"
        warnings.warn(
            "size_average and reduce args will be deprecated, please use "
            f"reduction='{reduction}' instead.",
            stacklevel=user_stacklevel(),
        )
    elif reduction == "elementwise_mean":
        warnings.warn(
            "reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.",
            stacklevel=user_stacklevel(),
        )
        return "mean"
    reduction = _BY_NUMBER.get(reduction, reduction)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return str(reduction)


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The losses of all elements, their mean or their sum."""
    if reduction == "none":
        return loss
    result: Tensor = loss.mean() if reduction == "mean" else sum_all.function(loss)
    return result


def warn_of_sizes(input: Tensor, target: Tensor) -> None:
    """Warn where a loss would broadcast ``input`` and ``target``."""
    if input._array.shape != target._array.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            stacklevel=user_stacklevel(),
        )
