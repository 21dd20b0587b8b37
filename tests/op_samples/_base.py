"""The table that every operation is checked by: a row an operation, with sample inputs.

A NumPy array among the arguments becomes a tensor in each library (devgrad and, where it is
installed, PyTorch); floating-point and complex ones require grad where gradients are checked.
``tests/test_ops.py`` does the checking.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Sample:
    """One call: ``op(*args, **kwargs)``."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)


def S(*args: Any, **kwargs: Any) -> Sample:
    return Sample(args, kwargs)


@dataclass
class Row:
    """One operation.

    Attributes:
        name: as under ``torch.``: ``"mul"``, ``"linalg.norm"``; ``"Tensor.expand"`` for a method
            that is no function.
        samples: makes the sample inputs, in float64 where differentiable.
        grad: whether first- and second-order gradients are checked.
        method, inplace, out: which other faces PyTorch has, all of them checked.
        dtypes: further dtypes in which the values are compared with PyTorch's (the samples' float
            arrays are cast).
        node: PyTorch's name for grad_fn, if it should be checked; None to skip.
        tolerance: relative, for values in float64.
    """

    name: str
    samples: Callable[[], list[Sample]]
    grad: bool = True
    second: bool = True
    method: bool = True
    inplace: bool = False
    out: bool = True
    dtypes: tuple[str, ...] = ("float32", "int64")
    node: str | None = None
    tolerance: float = 1e-9


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    """Values of both signs, none near zero, no two alike."""
    x = rng().permutation(np.prod(shape, dtype=int)).reshape(shape) + 1.0
    return (x / x.size * 2.0 + 0.1) * np.where(rng().random(shape) < 0.5, -1, 1)


def positive(*shape: int) -> np.ndarray:
    """Positive values between 0.1 and 2, no two alike."""
    return np.abs(normal(*shape))


def unit(*shape: int) -> np.ndarray:
    """Values strictly between -1 and 1."""
    return normal(*shape) / 2.5


def complex_normal(*shape: int) -> np.ndarray:
    return normal(*shape) + 1j * normal(*shape)[..., ::-1]
