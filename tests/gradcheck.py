"""Derivatives checked against central differences, without another library.

A derivative is checked along random directions: for a function of arrays and a fixed cotangent v,
L(x) = Re <v, f(x)>, the difference quotient of L along u must be Re <gradient, u>. A wrong entry
of the gradient is missed only where a random direction happens to be orthogonal to it.
Where L has a kink or a jump at x - its quotients from the left and from the right differ - there
is nothing to compare with, and `Kink` is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

__all__ = ["Kink", "check_gradient", "inner", "random_like"]

Function = Callable[[Sequence[np.ndarray]], float]


class Kink(Exception):
    """The function is not smooth here."""


def random_like(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Normal numbers of the shape and dtype of ``x``, a real or complex array."""
    values = rng.normal(size=x.shape)
    if x.dtype.kind == "c":
        values = values + 1j * rng.normal(size=x.shape)
    return np.asarray(values, dtype=x.dtype)


def inner(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> float:
    """The real inner product of two lists of arrays."""
    return float(sum(np.sum(np.conj(x) * y).real for x, y in zip(a, b, strict=True)))


def check_gradient(
    function: Function,
    point: Sequence[np.ndarray],
    gradient: Sequence[np.ndarray],
    *,
    directions: int = 2,
    tolerance: float = 2e-6,
    seed: int = 1,
) -> None:
    """Compare ``gradient`` at ``point`` with difference quotients of ``function``.

    Raises:
        AssertionError: they differ.
        Kink: the function is not smooth, or not finite, at the point.
    """
    rng = np.random.default_rng(seed)
    middle = function(point)
    for _ in range(directions):
        u = [random_like(x, rng) for x in point]

        def along(t: float, u: list[np.ndarray] = u) -> float:
            return function([np.asarray(x + t * d) for x, d in zip(point, u, strict=True)])

        h = 1e-5
        right, left, right2, left2 = along(h), along(-h), along(h / 2), along(-h / 2)
        # Richardson's extrapolation of two central differences: an error of order h**4.
        wide, narrow = (right - left) / (2 * h), (right2 - left2) / h
        slope = (4 * narrow - wide) / 3
        scale = 1 + abs(middle) + abs(slope)
        # The quotients from the right and from the left come together with h, but not at a kink.
        gap = abs((right - middle) - (middle - left)) / h
        gap2 = abs((right2 - middle) - (middle - left2)) / (h / 2)
        kink = gap > 1e-7 * scale and gap2 > 0.7 * gap
        jump = abs(wide - narrow) > 1e-3 * (1 + abs(middle) + abs(wide))
        if not np.isfinite(scale) or kink or jump:
            raise Kink
        claimed = inner(gradient, u)
        assert abs(claimed - slope) <= tolerance * 10 * scale, (
            f"along a random direction the gradient says {claimed!r}, "
            f"the difference quotient {slope!r}"
        )
