"""The error function for NumPy arrays, which NumPy lacks.

Near zero, ``erf(x) = x P(x²)``; from 1 on, ``erfc(x) = exp(-x²) Q(u) / (x + 3)`` where
``u = (x - 3) / (x + 3)`` brings all that is left into one interval. P and Q are Chebyshev
interpolants, computed with 40 digits, of degrees that reach the last digits of float64 or of
float32. Both are evaluated block by block, so that intermediate results stay in the
processor's cache.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

__all__ = ["erf", "erfc", "normal_tail"]

# Highest power first. P is in 2x² - 1, Q in (4u - 1) / 3: both go from -1 to 1.
_NEAR_64 = (
    1.454817075960679e-14, -3.8078827395263415e-13, 9.167606746069445e-12,
    -2.035228404899467e-10, 4.11580059766496e-09, -7.51156928660089e-08, 1.223382738352401e-06,
    -1.7537169441124826e-05, 0.00021751715604160108, -0.0022854855611441132,
    0.019852496688983708, -0.1405360890227171, 0.9654687386698673,
)  # fmt: skip
_NEAR_32 = (
    1.2316401734510412e-06, -1.766908081175121e-05, 0.00021751198975739192,
    -0.002285419528892305, 0.01985249772277959, -0.14053609728153707, 0.9654687386375511,
)  # fmt: skip
_FAR_64 = (
    1.0557910306159069e-09, 3.1426737108544316e-10, -4.8463440809493056e-09,
    -1.262306586934363e-10, 7.131621630845891e-09, -1.41730431426805e-08, 2.3800012568382112e-08,
    1.4825318000122427e-07, -4.3626833566351555e-07, -1.1127581299083194e-06,
    6.223835498076696e-06, 2.2191023479020344e-06, -8.285278027770624e-05, 0.0002056600565414461,
    0.0005111597488901285, -0.005992101470774277, 0.02731798720176984, -0.08762571665155072,
    0.22387273334230515, -0.479661443084356, 0.8856371018645502,
)  # fmt: skip
_FAR_32 = (
    -7.205288868614585e-07, 5.070851131319046e-06, 1.7648398060931059e-06, -8.16144217359789e-05,
    0.00020592211343323463, 0.0005105326412138978, -0.005992176108137846, 0.02731813210549099,
    -0.08762570746878981, 0.22387272103877198, -0.4796614434086206, 0.8856371020342886,
)  # fmt: skip

_BLOCK = 32768
_SMALL = 400  # up to here one call of the C library an element takes less time


def _polynomial(coefficients: tuple[float, ...], at: Any) -> Any:
    total = numpy.full(at.shape, coefficients[0], at.dtype)
    for c in coefficients[1:]:
        total *= at
        total += at.dtype.type(c)
    return total


def _near(x: Any, coefficients: tuple[float, ...]) -> Any:
    """``erf(x)`` for ``abs(x) <= 1``."""
    square = x * x
    square += square
    square -= 1
    total = _polynomial(coefficients, square)
    total *= x
    return total


def _far(x: Any, coefficients: tuple[float, ...]) -> Any:
    """``erfc(x)`` for ``x >= 1``."""
    shifted = x + 3
    u = x - 3
    u /= shifted
    u *= 4 / 3
    u -= 1 / 3
    total = _polynomial(coefficients, u)
    total /= shifted
    # The rounding of a large x² would be seen in exp(-x²), so x is split: high² is exact.
    high = x.astype(numpy.float32).astype(x.dtype) if x.dtype.itemsize == 8 else x
    low = x - high
    low *= x + high
    numpy.negative(low, out=low)
    total *= numpy.exp(low)
    high *= -high
    total *= numpy.exp(high)
    return total


def _erf_block(x: Any, near: tuple[float, ...], far: tuple[float, ...]) -> Any:
    size = numpy.absolute(x)
    if size.max(initial=0.0) <= 1:
        return _near(x, near)
    result = 1 - _far(numpy.clip(size, 1, 10), far)
    numpy.copysign(result, x, out=result)
    if not size.min() > 1:
        numpy.copyto(result, _near(numpy.clip(x, -1, 1), near), where=~(size > 1))
    return result


def _erfc_block(x: Any, near: tuple[float, ...], far: tuple[float, ...]) -> Any:
    size = numpy.absolute(x)
    result = _far(numpy.clip(size, 1, 28), far)
    numpy.subtract(2, result, out=result, where=x < 0)
    numpy.copyto(result, 1 - _near(numpy.clip(x, -1, 1), near), where=~(size > 1))
    return result


def _by_blocks(function: Any, one: Any, x: Any, dtype: Any) -> Any:
    """``function`` of the elements of ``x``, computed in ``dtype``; ``one`` does a single one."""
    if x.size <= _SMALL:
        values = numpy.fromiter(map(one, x.ravel().tolist()), numpy.float64, x.size)
        return values.astype(x.dtype, copy=False).reshape(x.shape)
    short = x.dtype.itemsize < 8
    near, far = (_NEAR_32, _FAR_32) if short else (_NEAR_64, _FAR_64)
    flat = x.reshape(-1)
    result = numpy.empty(flat.shape, x.dtype)
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK].astype(dtype, copy=False)
        result[start : start + _BLOCK] = function(block, near, far)
    return result.reshape(x.shape)


def erf(x: Any) -> Any:
    """The error function of a float16, float32 or float64 array, in its dtype.

    >>> erf(numpy.array([0.0, 1.0]))
    array([0.        , 0.84270079])
    """
    return _by_blocks(
        _erf_block, math.erf, x, numpy.float64 if x.dtype.itemsize == 8 else numpy.float32
    )


def erfc(x: Any) -> Any:
    """``1 - erf(x)``, with all digits where that is small.

    >>> erfc(numpy.array([0.0, 5.0]))
    array([1.00000000e+00, 1.53745979e-12])
    """
    return _by_blocks(_erfc_block, math.erfc, x, numpy.float64)


# Highest power first: what is left of the tail over t exp(-x²/2), where t = 1 / (1 + 0.37 x);
# fitted to a relative error of 2e-7.
_TAIL_32 = (
    -0.03215870714127702, 0.13835343209866527, -0.19939410765368795, 0.06875668362710262,
    0.01141406799291099, 0.09070965685542418, 0.12709042565126633, 0.14761994472116435,
    0.14760852421588821,
)  # fmt: skip


def normal_tail(size: Any, exponential: Any) -> Any:
    """The normal distribution's probability of more than ``size``, which is not negative.

    ``exponential`` is ``exp(-size**2 / 2)``, which whoever asks for the tail has use for too.

    >>> normal_tail(numpy.array([0.0, 1.0]), numpy.exp(numpy.array([0.0, -0.5])))
    array([0.5       , 0.15865525])
    """
    if size.dtype.itemsize == 8:
        return 0.5 * erfc(size * math.sqrt(0.5))
    t = numpy.reciprocal(1 + 0.37 * size)
    tail = t * _TAIL_32[0]
    for coefficient in _TAIL_32[1:-1]:
        tail += coefficient
        tail *= t
    tail += _TAIL_32[-1]
    tail *= t
    tail *= exponential
    return tail
