"""The error function for NumPy arrays, which NumPy lacks."""

from __future__ import annotations

import math
from typing import Any

import numpy

__all__ = ["erf", "erfc"]


def _each(function: Any, x: Any) -> Any:
    return numpy.fromiter(map(function, x.ravel().tolist()), numpy.float64, x.size).reshape(x.shape).astype(x.dtype)


def erf(x: Any) -> Any:
    return _each(math.erf, x)


def erfc(x: Any) -> Any:
    return _each(math.erfc, x)
