"""Special functions of NumPy arrays.

NumPy has hardly any. What can be made in a few lines from `erfc` and elementary functions is made
here; the rest is SciPy's, which is imported when it is first asked for.

All compute in float64 and give the dtype they were given.
"""

from __future__ import annotations

import functools
import importlib
import math
from typing import Any

import numpy

from . import _erf

__all__ = ["OWN", "special"]


@functools.cache
def _scipy() -> Any:
    try:
        return importlib.import_module("scipy.special")
    except ImportError:
        return None


def _lgamma(x: Any) -> Any:
    """The logarithm of the absolute value of the gamma function."""
    poles = (x <= 0) & (x == numpy.floor(x))
    regular = numpy.where(poles | ~numpy.isfinite(x), 1.0, x)
    flat = numpy.fromiter(map(math.lgamma, regular.ravel().tolist()), numpy.float64, x.size)
    return numpy.where(
        poles | numpy.isinf(x), numpy.inf, numpy.where(x != x, x, flat.reshape(x.shape))
    )


# Of B(2k) / 2k, with Bernoulli's numbers, highest k first.
_BERNOULLI = (-3617 / 8160, 1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12)


def _digamma(x: Any) -> Any:
    """The derivative of lgamma: Stirling's series from 10 on, which the recurrence leads to."""
    mirrored = x < 0.5
    at = numpy.where(mirrored, 1 - x, x)
    result = numpy.zeros_like(at)
    while True:
        low = at < 10
        if not low.any():
            break
        result -= numpy.where(low, 1 / at, 0.0)
        at = numpy.where(low, at + 1, at)
    square = 1 / (at * at)
    series = numpy.zeros_like(at)
    for coefficient in _BERNOULLI:
        series = (series + coefficient) * square
    result += numpy.where(numpy.isinf(at), at, numpy.log(at) - 0.5 / at - series)
    # tan(pi x) of the distance to the nearest whole number alone, which is exact.
    off = x - numpy.rint(x)
    reflected = numpy.where(off == 0, numpy.nan, result - numpy.pi / numpy.tan(numpy.pi * off))
    reflected = numpy.where(x == 0, numpy.copysign(numpy.inf, -x), reflected)
    return numpy.where(mirrored, reflected, result)


def _erfcx(x: Any) -> Any:
    """``exp(x²) erfc(x)``."""
    size = numpy.absolute(x)
    far = numpy.maximum(size, 1.0)
    # What `_erf` has for the tail, without its exponential.
    u = ((far - 3) / (far + 3)) * (4 / 3) - 1 / 3
    u = numpy.where(numpy.isinf(far), 1.0, u)
    scaled = _erf._polynomial(_erf._FAR_64, u) / (far + 3)
    near = numpy.minimum(size, 1.0)
    result = numpy.where(size > 1, scaled, numpy.exp(near * near) * _erf.erfc(near))
    high = numpy.float64(1) * x.astype(numpy.float32)  # high² is exact
    square = numpy.exp(high * high) * numpy.exp((x - high) * (x + high))
    square = numpy.where(numpy.isinf(square) | numpy.isnan(square), numpy.inf, square)
    return numpy.where(x < 0, 2 * square - result, numpy.where(x != x, x, result))


def _erfinv_near(y: Any) -> Any:
    """The inverse of erf, for ``abs(y) <= 0.5``: a series, made exact by Halley's steps."""
    x = y * (math.sqrt(math.pi) / 2) * (1 + math.pi / 12 * y * y)
    for _ in range(3):
        off = (_erf.erf(x) - y) * numpy.exp(x * x) * (math.sqrt(math.pi) / 2)
        x = x - off / (1 + x * off)
    return x


def _erfcinv(q: Any) -> Any:
    """The inverse of erfc, for ``0 <= q <= 0.5``: Winitzki's start, Newton's steps in the log."""
    log_q = numpy.log(q)
    w = log_q + numpy.log(2 - q)
    t = 2 / (math.pi * 0.147) + w / 2
    x = numpy.sqrt(numpy.sqrt(t * t - w / 0.147) - t)
    for _ in range(4):
        scaled = _erfcx(x)
        x = x + (numpy.log(scaled) - x * x - log_q) * scaled * (math.sqrt(math.pi) / 2)
    return numpy.where(q == 0, numpy.inf, x)


def _erfinv(y: Any) -> Any:
    """The inverse of the error function; NaN beyond -1 and 1."""
    size = numpy.absolute(y)
    near = _erfinv_near(numpy.clip(y, -0.5, 0.5))
    far = _erfcinv(numpy.clip(1 - size, 0.0, 0.5))
    result = numpy.where(size > 0.5, numpy.copysign(far, y), near)
    return numpy.where(size <= 1, result, numpy.nan)


def _ndtri(p: Any) -> Any:
    """Where the normal distribution has so much to the left; NaN for no probability."""
    tail = numpy.minimum(p, 1 - p)
    middle = math.sqrt(2) * _erfinv_near(numpy.clip(2 * p - 1, -0.5, 0.5))
    far = math.sqrt(2) * _erfcinv(numpy.clip(2 * tail, 0.0, 0.5))
    result = numpy.where(tail < 0.25, numpy.where(p < 0.5, -far, far), middle)
    return numpy.where((p >= 0) & (p <= 1), result, numpy.nan)


_FUNCTIONS = {
    "gammaln": _lgamma, "digamma": _digamma, "erfcx": _erfcx, "erfinv": _erfinv, "ndtri": _ndtri,
    "i0": numpy.i0,
}  # fmt: skip
OWN = frozenset(_FUNCTIONS)  # what needs no SciPy
_BETTER = ("gammaln", "digamma", "erfcx")  # SciPy's are quicker, or right to a digit more


def special(name: str, *arrays: Any) -> Any:
    """The function of SciPy's name, of floating-point arrays of one dtype.

    Raises:
        RuntimeError: it is SciPy's alone, and SciPy is not installed.

    >>> special("erfinv", numpy.array([0.0, 0.5]))
    array([0.        , 0.47693628])
    """
    function = _FUNCTIONS.get(name)
    if function is None or name in _BETTER:
        function = getattr(_scipy(), name, None) or function
    if function is None:
        raise RuntimeError(
            f"{name}() is SciPy's on the CPU, and SciPy is not installed: pip install scipy"
        )
    dtype = arrays[0].dtype
    found = function(*[numpy.asarray(x, numpy.float64) for x in arrays])
    if found.__class__ is tuple:  # airy gives four functions, the first is Ai
        found = found[0]
    return numpy.asarray(found, dtype)
