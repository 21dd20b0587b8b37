"""Operations on tensors: one file for each family, each operation with its derivative."""

from __future__ import annotations

from .._tensor import Tensor
from . import (
    arithmetic,
    clamping,
    comparison,
    contraction,
    conversion,
    einsum,
    elementwise,
    extremes,
    indexing,
    inplace_views,
    joining,
    logic,
    masking,
    matmul,
    norms,
    padding,
    pieces,
    reductions,
    rounding,
    scans,
    scatter,
    shaping,
    softmax,
    sorting,
    statistics,
    taking,
    transposing,
    trigonometry,
    views,
)
from ._op import FUNCTIONS, METHODS, OPS

__all__ = ["FUNCTIONS", "METHODS", "OPS"]

for _name, _method in METHODS.items():
    setattr(Tensor, _name, _method)
