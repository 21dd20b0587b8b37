"""Normalisation to mean 0 and variance 1 in functions of arrays: see ``_formulas.py``.

The formulas, and what a layout is, are explained in ``ops/_standardize.py``.
"""

from __future__ import annotations

import math
from typing import Any

__all__ = ["normalize_by", "standardize", "standardize_backward", "standardize_weight_backward"]


def _wide(xp: Any, x: Any, view: Any) -> Any:
    x = x.reshape(view)
    return x.astype(xp.float32) if x.dtype.itemsize == 2 else x


def _blocks(xp: Any, layout: Any) -> Any:
    """Slices of the first dimension, if each has statistics of its own."""
    return (slice(None),) if 0 in layout.dims else xp.row_blocks(layout.view)


def _count(layout: Any) -> int:
    return math.prod([layout.view[d] for d in layout.dims])


def _block(
    xp: Any, x: Any, out: Any, weight: Any, bias: Any, layout: Any, count: int
) -> tuple[Any, Any, Any]:
    """Write what becomes of ``x`` into ``out``, and give mean, ``r`` and variance."""
    _, dims, _, eps, centred = layout
    centre = None
    if centred:
        centre = xp.sums(x, dims) / count
        x = xp.subtract(x, centre, out=out)
    spread = xp.sum_of_products(x, x, dims) / count
    r = 1 / xp.sqrt(spread + eps)
    xp.multiply(x, r, out=out)
    if weight is not None:
        out *= weight
    if bias is not None:
        out += bias
    return xp.zeros(r.shape, r.dtype) if centre is None else centre, r, spread


def standardize(xp: Any, input: Any, weight: Any, bias: Any, layout: Any) -> Any:
    """``input`` standardized, scaled and shifted; mean, ``r`` and variance, in wide dtypes."""
    x = _wide(xp, input, layout.view)
    weight, bias = (None if v is None else v.reshape(layout.place) for v in (weight, bias))
    count = _count(layout)
    result = xp.empty(layout.view, x.dtype)
    blocks = _blocks(xp, layout)
    if x.size:
        found = [_block(xp, x[b], result[b], weight, bias, layout, count) for b in blocks]
        mean, r, var = (
            found[0] if len(found) == 1 else map(xp.concatenate, zip(*found, strict=True))
        )
    else:
        kept = [1 if i in layout.dims else n for i, n in enumerate(layout.view)]
        mean = r = var = xp.zeros(kept, x.dtype)
    result = result.reshape(input.shape)
    return (result if x.dtype == input.dtype else result.astype(input.dtype)), mean, r, var


def standardize_backward(
    xp: Any, grad_output: Any, input: Any, weight: Any, mean: Any, r: Any, layout: Any
) -> Any:
    """``r * P(grad_output * weight)``. ``mean`` and ``r`` are those of ``input``."""
    view, dims, place, _, centred = layout
    x, g = _wide(xp, input, view), _wide(xp, grad_output, view)
    count = _count(layout)
    found = xp.empty(input.shape, x.dtype)  # not a view, which would have to be copied
    result = found.reshape(view)
    for block in _blocks(xp, layout) if x.size else ():
        h = g[block] if weight is None else g[block] * weight.reshape(place)
        part, scale = result[block], r[block]
        # c * scale is x^.
        c = xp.subtract(x[block], mean[block], out=part) if centred else x[block]
        slope = xp.sum_of_products(h, c, dims) * (scale * scale / -count)
        part = xp.multiply(c, slope, out=part)
        part += h
        if centred:
            part -= xp.sums(h, dims) / count
        part *= scale
    return found


def standardize_weight_backward(
    xp: Any, grad_output: Any, input: Any, mean: Any, r: Any, layout: Any, shape: Any
) -> Any:
    """``grad_output * x^``, summed to the shape of the scale."""
    view, _, place, _, centred = layout
    x, g = _wide(xp, input, view), _wide(xp, grad_output, view)
    front = len(view) - len(place)
    axes = (*range(front), *[i + front for i, n in enumerate(place) if n == 1])
    total = xp.zeros(place, x.dtype)
    for block in _blocks(xp, layout) if x.size else ():
        unit = x[block] - mean[block] if centred else x[block]
        unit = unit * r[block]
        total += xp.sum_of_products(g[block], unit, axes).reshape(place)
    return total.reshape(shape)


def normalize_by(
    xp: Any, input: Any, weight: Any, bias: Any, mean: Any, var: Any, place: Any, eps: float
) -> Any:
    """``input`` normalised by statistics that are given, for each channel."""
    scale = 1 / xp.sqrt(var + eps)
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    result = input * scale.reshape(place)
    result += shift.reshape(place)
    return result.astype(input.dtype, copy=False)
