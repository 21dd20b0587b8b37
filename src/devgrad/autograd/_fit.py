"""Fitting a gradient to the tensor that it belongs to: the one place where broadcasting, type
promotion and real parts of complex numbers are undone."""

from __future__ import annotations

import functools
from typing import Any

from ._graph import Edge

__all__ = ["axes_summed", "fit_array"]


@functools.lru_cache(maxsize=4096)
def axes_summed(given: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of shape ``given`` that broadcasting added to, or stretched from, ``wanted``.

    Raises:
        RuntimeError: ``wanted`` does not broadcast to ``given``.
    """
    extra = len(given) - len(wanted)
    stretched = tuple(
        i for i, n in enumerate(given[extra:], extra) if n != 1 and wanted[i - extra] == 1
    )
    if extra < 0 or any(n != w and w != 1 for n, w in zip(given[extra:], wanted, strict=False)):
        raise RuntimeError(
            f"returned an invalid gradient - got {list(given)} but expected shape compatible "
            f"with {list(wanted)}"
        )
    return tuple(range(extra)) + stretched


def fit_array(g: Any, edge: Edge) -> Any:
    """Sum and cast the array ``g`` to the shape and dtype of the edge's tensor."""
    kind = edge.tensor_type
    if g.shape != edge.shape:
        g = kind.xp.summed(g, axes_summed(g.shape, edge.shape), edge.shape)
    if g.dtype is not kind.array_dtype:
        if g.dtype.kind == "c" and not kind.dtype.is_complex:
            g = g.real
        g = g.astype(kind.array_dtype)
    return g
