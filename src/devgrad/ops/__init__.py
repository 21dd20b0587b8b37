"""Operations on tensors: one file for each family, each operation with its derivative.

The families that most programs use are imported at once. The others - linear algebra, neural
networks, Fourier and special functions - are imported when a name is asked for that is not known
yet: there are several hundred operations, and a program that uses a few need not wait for all.
"""

from __future__ import annotations

import importlib

from .._tensor import Tensor
from ..device import when_several
from . import (
    arithmetic,
    clamping,
    comparison,
    conversion,
    elementwise,
    extremes,
    indexing,
    inplace_views,
    joining,
    logic,
    masking,
    matmul,
    norms,
    pieces,
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

__all__ = ["FUNCTIONS", "METHODS", "OPS", "load_all"]

_all_loaded = False


def _attach() -> None:
    for name, method in METHODS.items():
        setattr(Tensor, name, method)


def load_all() -> bool:
    """Import all families; whether that was still to be done."""
    global _all_loaded
    if _all_loaded:
        return False
    _all_loaded = True
    import pkgutil

    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            importlib.import_module(f".{module.name}", __name__)
    _attach()
    return True


_attach()
Tensor._load_all = staticmethod(load_all)


@when_several
def _guard() -> None:
    from ._several import guard_everything

    load_all()
    guard_everything()
