"""Operations on tensors: one file for each family, each operation with its derivative."""

from __future__ import annotations

from .._tensor import Tensor
from ..device import when_several
from . import (
    activations,
    adaptive_pooling,
    arithmetic,
    attention,
    clamping,
    comparison,
    contraction,
    conversion,
    convolution,
    ctc,
    distances,
    dropout,
    einsum,
    elementwise,
    embedding,
    extremes,
    folding,
    grid_sampling,
    indexing,
    inplace_views,
    interpolation,
    joining,
    linalg_equations,
    linalg_factors,
    linalg_functions,
    linalg_lstsq,
    linalg_lu,
    linalg_spectra,
    logic,
    losses,
    losses_classes,
    losses_likelihoods,
    losses_margins,
    masking,
    matmul,
    matrix_norms,
    normalization,
    norms,
    numbers,
    padding,
    pieces,
    pooling,
    rectifiers,
    reductions,
    rounding,
    rows,
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


@when_several
def _guard() -> None:
    from ._several import guard_everything

    guard_everything()
