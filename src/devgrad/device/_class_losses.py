"""Cross entropy by class indices in functions of arrays, and what it has in common with the
negative log likelihood: see ``_formulas.py``, and ``ops/losses_classes.py`` for the dimensions.
"""

from __future__ import annotations

import math
from typing import Any

__all__ = ["cross_entropy", "cross_entropy_backward", "nested", "places_of", "reduced",
           "sample_gradients"]  # fmt: skip


def nested(shape: Any) -> tuple[int, ...]:
    """N and C of an input's shape, and D if there is more."""
    if len(shape) <= 2:
        return (1, *shape)[-2:]
    return shape[0], shape[1], math.prod(shape[2:])


def places_of(xp: Any, target: Any, sizes: Any, ignore_index: int) -> tuple[Any, Any]:
    """The index of the targets in an array of these sizes; where they count, None for everywhere.

    Raises:
        IndexError: a target is no class.
    """
    n, classes, *d = sizes
    classes_of = target.reshape(n, *d)
    counted = None
    if xp.checks_bounds and target.size:
        low, high = classes_of.min(), classes_of.max()
        if low < 0 or high >= classes or 0 <= ignore_index < classes:
            counted = classes_of != ignore_index
            wrong = counted & ((classes_of < 0) | (classes_of >= classes))
            if wrong.any():
                raise IndexError(
                    f"Target {int(classes_of[wrong][0])} is out of bounds. There are {classes} "
                    "classes, counted from 0"
                )
    elif target.size:
        counted = classes_of != ignore_index
    if counted is not None:
        classes_of = xp.where(counted, classes_of, 0)
    if d:
        return (xp.arange(n)[:, None], classes_of, xp.arange(*d)), counted
    return (xp.arange(n), classes_of), counted


def _scales(
    xp: Any, dtype: Any, places: Any, counted: Any, weight: Any, reduction: str
) -> tuple[Any, Any]:
    """Each sample's weight, and by what their sum is to be divided (None: by nothing)."""
    if weight is not None:
        scales = weight[places[1]]
        scales = scales if counted is None else xp.where(counted, scales, 0)
    elif counted is None:
        return None, places[1].size if reduction == "mean" else None
    else:
        scales = counted.astype(dtype)
    return scales, xp.add.reduce(scales, None) if reduction == "mean" else None


def reduced(
    xp: Any, losses: Any, shape: Any, places: Any, counted: Any, weight: Any, reduction: str
) -> Any:
    """The losses of all samples, weighted and reduced."""
    scales, count = _scales(xp, losses.dtype, places, counted, weight, reduction)
    if counted is not None:
        losses = xp.where(counted, losses, 0)
    if scales is not None:
        losses = losses * scales
    if reduction == "none":
        return losses.reshape(shape)
    total = xp.add.reduce(losses, None)
    # Nothing to take a mean of gives NaN, as 0 / 0 does.
    return total if count is None else total / count


def sample_gradients(
    xp: Any, g: Any, places: Any, counted: Any, weight: Any, reduction: str
) -> Any:
    """What the loss of each sample is multiplied with in the end: for each, or one number."""
    scales, count = _scales(xp, g.dtype, places, counted, weight, reduction)
    if reduction == "none":
        g = g.reshape(places[1].shape)
    elif count is not None:
        g = g / count
    return g if scales is None else g * scales


def cross_entropy(
    xp: Any, input: Any, target: Any, weight: Any, reduction: str, ignore_index: int
) -> tuple[Any, Any]:
    """The reduced losses, and the probabilities."""
    sizes = nested(input.shape)
    places, counted = places_of(xp, target, sizes, ignore_index)
    x = input.reshape(sizes)
    if x.dtype.itemsize == 2:
        x = x.astype(xp.float32)
    probabilities = xp.empty(x.shape, x.dtype)
    log_sums = xp.empty((sizes[0], 1, *x.shape[2:]), x.dtype)
    for block in xp.row_blocks(x.shape) if x.size else ():
        part = probabilities[block]
        shift = xp.exp_shift(x[block], 1)
        xp.exp(x[block] if shift is None else xp.subtract(x[block], shift, out=part), out=part)
        total = xp.sums(part, (1,))
        part /= total
        log_sums[block] = xp.log(total) if shift is None else xp.log(total) + shift
    losses = log_sums.reshape(places[1].shape) - x[places]
    loss = reduced(xp, losses, target.shape, places, counted, weight, reduction)
    shape = input.shape
    if x.dtype == input.dtype:
        return loss, probabilities.reshape(shape)
    return loss.astype(input.dtype), probabilities.astype(input.dtype).reshape(shape)


def cross_entropy_backward(
    xp: Any, grad_output: Any, input: Any, probabilities: Any, target: Any, weight: Any,
    reduction: str, ignore_index: int,
) -> Any:  # fmt: skip
    """The probabilities less one at the target, by the samples' gradients."""
    sizes = nested(input.shape)
    places, counted = places_of(xp, target, sizes, ignore_index)
    scales = sample_gradients(xp, grad_output, places, counted, weight, reduction)
    if counted is not None:
        scales = xp.where(counted, scales, 0)
    whole = xp.empty(input.shape, probabilities.dtype)
    result = whole.reshape(sizes)
    each = scales[:, None] if scales.ndim else scales
    xp.multiply(probabilities.reshape(sizes), each, out=result)
    result[places] -= scales
    if counted is not None:  # not even where a probability is NaN
        result[...] = xp.where(counted[:, None], result, 0)
    return whole
