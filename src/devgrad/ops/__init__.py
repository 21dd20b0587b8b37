"""Operations on tensors: one file for each family, each operation with its derivative.

The families that most programs use are imported at once. The others - linear algebra, neural
networks, Fourier and special functions - are imported when a name is asked for that is not known
yet: there are several hundred operations, and a program that uses a few need not wait for all.
"""

from __future__ import annotations

import importlib
from typing import Any

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


# The methods of the families that are imported later; a test checks that none is missing. (A
# `__getattr__` would find them all, and make Python slower at every attribute of every tensor.)
_LATER = """
as_strided_scatter cholesky cholesky_inverse cholesky_solve constant_pad_nd corrcoef cov cross det
digamma digamma_ dist erfinv erfinv_ frexp gcd gcd_ geqrf hardshrink histogram i0 i0_ igamma igamma_
igammac igammac_ index_reduce index_reduce_ inner inverse is_conj is_neg is_nonzero istft kron lcm
lcm_ ldexp ldexp_ lgamma lgamma_ logdet lu lu_solve matrix_exp matrix_power mvlgamma mvlgamma_
narrow_copy nextafter nextafter_ nonzero_static orgqr ormqr pinverse polygamma polygamma_ prelu qr
renorm renorm_ resolve_conj resolve_neg slogdet stft sum_to_size svd trace triangular_solve
unsafe_chunk unsafe_split unsafe_split_with_sizes
"""


def _later(name: str) -> Any:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        load_all()
        return getattr(self, name)(*args, **kwargs)

    method.__name__ = name
    return method


_attach()
for _name in _LATER.split():
    setattr(Tensor, _name, _later(_name))


@when_several
def _guard() -> None:
    from ._several import guard_everything

    load_all()
    guard_everything()
