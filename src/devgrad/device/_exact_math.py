"""Arithmetic that rounds as compiled C does, on arrays.

PyTorch's random kernels are C++ built with fused multiply-add, and take ``log``, ``log1p``, ``sin``
and their like from the C library. NumPy has no fused multiply-add, and on some processors its own
vector forms of those functions differ from the C library's in the last bit. Equal seeds give equal
numbers only if both are repaired; this file does that, and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_SPLIT = 134217729.0  # 2**27 + 1: Veltkamp's constant, cuts 53 bits into 26 and 26
_SPLIT_LIMIT = 2.0**990  # beyond it the splitting itself overflows

_PROBES: dict[str, tuple[float, float]] = {
    "log": (2.0**-20, 1.0),
    "log1p": (-1.0 + 2.0**-20, 0.0),
    "exp": (-20.0, 20.0),
    "sin": (0.0, 2.0 * math.pi),
    "cos": (0.0, 2.0 * math.pi),
    "tan": (-1.5, 1.5),
}


@cache
def c_library(name: str) -> Callable[[Array], Array]:
    """The C library's ``log``, ``log1p``, ``exp``, ``sin``, ``cos`` or ``tan`` for float64 arrays.

    NumPy's own function is used where it proves equal bit for bit on this machine; otherwise
    the C library is called element by element (about 60 ns each). Zero maps to -inf under "log".

    Raises:
        KeyError: for any other name.

    Example:
        >>> c_library("log1p")(np.array([0.0, -0.5]))
        array([ 0.        , -0.69314718])
    """
    low, high = _PROBES[name]
    vectorised: Callable[[Array], Array] = getattr(np, name)
    scalar: Callable[[float], float] = getattr(math, name)

    def one_by_one(x: Array) -> Array:
        try:
            values = np.fromiter(map(scalar, x.ravel().tolist()), np.float64, x.size)
        except ValueError:  # Python's log refuses zero where C's gives -inf
            positive = np.where(x == 0.0, 1.0, x).ravel().tolist()
            values = np.fromiter(map(scalar, positive), np.float64, x.size)
            values[x.ravel() == 0.0] = -np.inf
        return values.reshape(x.shape)

    # 0.3 per cent of the results differ where any do, so 4096 points cannot miss it.
    probe = np.linspace(low, high, 4096)
    return vectorised if np.array_equal(vectorised(probe), one_by_one(probe)) else one_by_one


def multiply_add_float32(x: Array, factor: float, addend: float) -> Array:
    """``fma(x, factor, addend)`` of float32 values, the result rounded to float32.

    ``factor`` and ``addend`` must be float32 values. The product of two 24-bit numbers is exact in
    float64, which leaves one rounding too many in about one case in 2**29.

    Example:
        >>> multiply_add_float32(np.array([0.5], np.float32), 3.0, 0.25)
        array([1.75], dtype=float32)
    """
    wide = x.astype(np.float64)
    wide *= factor
    wide += addend
    return wide.astype(np.float32)


def multiply_add_float64(x: Array, factor: float, addend: float) -> Array:
    """``fma(x, factor, addend)`` of float64 values, rounded once (Boldo and Melquiond, 2008).

    Exact unless a term overflows or is subnormal. Returns a new array of ``x``'s shape.

    Example:
        >>> multiply_add_float64(np.array([0.1]), 10.0, -1.0)  # 0.1 * 10 - 1 gives 0
        array([5.55111512e-17])
    """
    if factor == 1.0:
        return x + addend
    with np.errstate(over="ignore", invalid="ignore"):
        if addend == 0.0 or not (abs(factor) < _SPLIT_LIMIT and abs(addend) < _SPLIT_LIMIT):
            return x * factor + addend
        product, product_error = _two_product(x, factor)
        small, small_error = _two_sum(addend, product_error)
        large, large_error = _two_sum(product, small)
        return large + _add_round_to_odd(small_error, large_error)


def _two_product(x: Array, y: float) -> tuple[Array, Array]:
    """The rounded product and its exact error (Dekker)."""
    scaled = _SPLIT * x
    x_high = scaled - (scaled - x)
    x_low = x - x_high
    y_scaled = _SPLIT * y
    y_high = y_scaled - (y_scaled - y)
    y_low = y - y_high
    product = x * y
    error = x_high * y_high - product + x_high * y_low + x_low * y_high + x_low * y_low
    return product, error


def _two_sum(x: Array | float, y: Array) -> tuple[Array, Array]:
    """The rounded sum and its exact error (Knuth)."""
    total = x + y
    y_part = total - x
    return total, (x - (total - y_part)) + (y - y_part)


def _add_round_to_odd(x: Array, y: Array) -> Array:
    """``x + y``; if inexact, the neighbour whose last bit is one: it keeps later ties apart."""
    total, error = _two_sum(x, y)
    bits = total.view(np.int64)
    away_from_zero = (error > 0) == (total > 0)
    inexact_even = (error != 0) & (bits & 1 == 0)
    bits += np.where(inexact_even, np.where(away_from_zero, 1, -1), 0)
    return total
