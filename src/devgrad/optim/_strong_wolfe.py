"""A line search: how far to go along a direction (Nocedal and Wright, algorithms 3.5 and 3.6)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from .._tensor import Tensor

__all__ = ["strong_wolfe"]


class _Point(NamedTuple):
    """A place on the line: how far, the loss, its gradient, and its slope along the line."""

    t: float
    f: float
    g: Tensor
    slope: float


def _cubic_minimum(a: _Point, b: _Point, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic through two points with these slopes is least; the middle if nowhere."""
    low, high = (min(a.t, b.t), max(a.t, b.t)) if bounds is None else bounds
    d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    root = math.sqrt(square)
    left, right = (a, b) if a.t <= b.t else (b, a)
    width = right.t - left.t
    found = right.t - width * ((right.slope + root - d1) / (right.slope - left.slope + 2 * root))
    return min(max(found, low), high)


def strong_wolfe(
    evaluate: Callable[[float], tuple[float, Tensor]], t: float, d: Tensor, f: float, g: Tensor,
    slope: float, c1: float = 1e-4, c2: float = 0.9, tolerance_change: float = 1e-9,
    max_ls: int = 25,
) -> tuple[float, Tensor, float, int]:  # fmt: skip
    """A step along ``d`` that lowers the loss enough, and where it has become flat enough.

    Args:
        evaluate: the loss and its gradient at a distance.
        t: the distance to try first.
        d: the direction.
        f, g, slope: the loss, its gradient and its slope at the beginning.
        c1, c2: what "enough" is, for loss and slope.
        tolerance_change: how narrow a bracket is worth searching.
        max_ls: how many trials to make.

    Returns:
        The loss, the gradient, the distance, and how many evaluations it took.
    """
    evaluations = 0

    def at(t: float) -> _Point:
        nonlocal evaluations
        evaluations += 1
        f, g = evaluate(t)
        return _Point(t, f, g, g.dot(d).item())

    start = previous = _Point(0.0, f, g.clone(), slope)
    point = at(t)
    trials = 0
    bracket: list[_Point] = []
    # First walk until the minimum must have been passed.
    while trials < max_ls:
        worse = point.f > f + c1 * point.t * slope or (trials > 1 and point.f >= previous.f)
        if not worse and abs(point.slope) <= -c2 * slope:
            return point.f, point.g, point.t, evaluations
        if worse or point.slope >= 0:
            bracket = [previous, point]
            break
        bounds = (point.t + 0.01 * (point.t - previous.t), point.t * 10)
        further = _cubic_minimum(previous, point, bounds)
        previous, point = point, at(further)
        trials += 1
    if not bracket:
        bracket = [start, point]
    # Then narrow the bracket. Its better end is always kept.
    low, high = sorted(bracket, key=lambda p: p.f)
    largest = d.abs().max().item()
    stuck = False
    while trials < max_ls and abs(high.t - low.t) * largest >= tolerance_change:
        left, right = min(low.t, high.t), max(low.t, high.t)
        t = _cubic_minimum(low, high)
        margin = 0.1 * (right - left)
        if min(right - t, t - left) < margin:  # too near an end to gain much, twice in a row?
            if stuck or t >= right or t <= left:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        point = at(t)
        trials += 1
        if point.f > f + c1 * point.t * slope or point.f >= low.f:
            high = point
            low, high = sorted((low, high), key=lambda p: p.f)
            continue
        if abs(point.slope) <= -c2 * slope:
            return point.f, point.g, point.t, evaluations
        if point.slope * (high.t - low.t) >= 0:
            high = low
        low = point
    return low.f, low.g, low.t, evaluations
