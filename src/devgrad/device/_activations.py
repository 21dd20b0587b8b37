"""Silu and gelu, and their derivatives, in functions of arrays: see ``_formulas.py``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

__all__ = ["gelu", "gelu_backward", "in_wide", "silu", "silu_backward"]

_NORMAL = 1 / math.sqrt(2 * math.pi)
_TANH_SCALE, _TANH_CUBE = math.sqrt(2 / math.pi), 0.044715


def in_wide(xp: Any, function: Callable[..., Any], first: Any, *others: Any) -> Any:
    """``function`` of each element, block by block; halves are computed as floats."""
    if first.dtype.itemsize == 2:
        wide = function(*[x.astype(xp.float32) for x in (first, *others)])
        return wide.astype(first.dtype)
    return xp.in_blocks(function, first, *others)


def silu(xp: Any, input: Any) -> Any:
    """``input * sigmoid(input)``."""

    def formula(x: Any) -> Any:
        t = xp.exp(xp.negative(x))
        t += 1
        return xp.true_divide(x, t)

    return in_wide(xp, formula, input)


def silu_backward(xp: Any, grad_output: Any, input: Any) -> Any:
    """``G`` times the derivative ``s (1 + x (1 - s))``, where ``s`` is the sigmoid."""

    def formula(g: Any, x: Any) -> Any:
        s = xp.exp(xp.negative(x))
        s += 1
        s = xp.reciprocal(s)
        t = 1 - s
        t *= x
        t += 1
        t *= s
        return g * (t.conj() if t.dtype.kind == "c" else t)

    return in_wide(xp, formula, grad_output, input)


def _by_tanh(xp: Any, x: Any) -> tuple[Any, Any]:
    """``1 + tanh(u)`` of the approximation of gelu, and ``x * x``."""
    square = x * x
    t = square * (_TANH_SCALE * _TANH_CUBE)
    t += _TANH_SCALE
    t *= x
    t = xp.tanh(t)
    t += 1
    return t, square


def gelu(xp: Any, input: Any, by_tanh: bool) -> Any:
    """``input`` times the normal probability of less than it, or the approximation by tanh."""

    def exact(x: Any) -> Any:
        size = xp.minimum(xp.absolute(x), 1e4)  # so that infinity is not multiplied with zero
        tail = xp.normal_tail(size, xp.exp(x * x * -0.5))
        tail *= size
        return xp.maximum(x, 0) - tail

    def approximate(x: Any) -> Any:
        t = _by_tanh(xp, x)[0]
        t *= x
        t *= 0.5
        return t

    return in_wide(xp, approximate if by_tanh else exact, input)


def gelu_backward(xp: Any, grad_output: Any, input: Any, by_tanh: bool) -> Any:
    """``G`` times the derivative: the probability, and ``x`` times the density."""

    def exact(g: Any, x: Any) -> Any:
        density = x * x
        density *= -0.5
        density = xp.exp(density)
        slope = 0.5 - xp.normal_tail(xp.absolute(x), density)
        slope = xp.copysign(slope, x)
        slope += 0.5
        density *= _NORMAL
        density *= x
        slope += density
        slope *= g
        return slope

    def approximate(g: Any, x: Any) -> Any:
        t, square = _by_tanh(xp, x)  # 1 + tanh(u); 1 - tanh(u)**2 = t (2 - t)
        slope = square * (3 * _TANH_SCALE * _TANH_CUBE)
        slope += _TANH_SCALE
        slope *= x
        slope *= 2 - t
        slope += 1
        slope *= t
        slope *= 0.5
        slope *= g
        return slope

    return in_wide(xp, approximate if by_tanh else exact, grad_output, input)
