"""Poisson and binomial sampling as PyTorch does it: by rejection, one element after the other.

How many uniforms an element takes depends on their values, so there is nothing to vectorise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from operator import length_hint

import numpy as np

from ._exact_math import Array

_INT64_MIN = -(2**63)
_HALF_LOG_2_PI_LESS_HALF = 0.5 * math.log(2.0 * math.pi) - 0.5

# log(k!) less Stirling's approximation of it, for k = 0 ... 9
_STIRLING_ERROR = (
    0.0810614667953272,
    0.0413406959554092,
    0.0276779256849983,
    0.02079067210376509,
    0.0166446911898211,
    0.0138761288230707,
    0.0118967099458917,
    0.0104112652619720,
    0.00925546218271273,
    0.00833056343336287,
)


class UniformReader:
    """Hands out float64 uniforms one by one from ``draw(count)``, and counts them in ``used``.

    Example:
        >>> reader = UniformReader(lambda count: np.linspace(0.0, 0.9, count), block=10)
        >>> reader(), reader(), reader.used
        (0.0, 0.1, 2)
    """

    def __init__(self, draw: Callable[[int], Array], block: int) -> None:
        self._draw = draw
        self._block = block
        self._drawn = 0
        self._waiting: Iterator[float] = iter(())

    @property
    def used(self) -> int:
        return self._drawn - length_hint(self._waiting)

    def __call__(self) -> float:
        for value in self._waiting:
            return value
        self._waiting = iter(self._draw(self._block).tolist())
        self._drawn += self._block
        return next(self._waiting)


def sample_poisson(rate: float, uniform: Callable[[], float]) -> int:
    """A Poisson number: products of uniforms below rate 10, Hoermann's PTRS (1993) from there on.

    Example:
        >>> sample_poisson(1.0, iter([0.9, 0.8, 0.1]).__next__)
        2
    """
    if rate == 0.0:
        return 0
    if rate < 10.0:
        limit = math.exp(-rate)
        count = 0
        product = uniform()
        while product > limit:
            count += 1
            product *= uniform()
        return count
    log_rate = math.log(rate)
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2)
    while True:
        u = uniform() - 0.5
        v = uniform()
        us = 0.5 - abs(u)
        k = _to_int64((2 * a / us + b) * u + rate + 0.43) if us else _INT64_MIN
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        if _log(v) + math.log(inverse_alpha) - math.log(
            a / (us * us) + b
        ) <= -rate + k * log_rate - _log_gamma(k + 1.0):
            return k


def sample_binomial(count: float, prob: float, uniform: Callable[[], float], single: bool) -> float:
    """A binomial number of ``count`` trials with probability ``prob``.

    ``single`` says that the arguments are float32: the products that PyTorch forms of
    them are then rounded to float32.

    Example:
        >>> sample_binomial(2.0, 0.5, iter([0.9, 0.6, 0.3]).__next__, single=False)
        2.0
    """
    rounded = _to_single if single else _unchanged
    if count <= 0.0 or prob <= 0.0:
        return 0.0
    if prob >= 1.0:
        return count
    if math.isnan(prob) or math.isnan(count):
        return math.nan
    rarer = prob if prob <= 0.5 else rounded(1.0 - prob)
    sample = _by_btrs if rounded(count * rarer) >= 10.0 else _by_inversion
    successes = sample(count, rarer, uniform, rounded)
    return successes if prob <= 0.5 else count - successes


def _by_inversion(
    count: float, prob: float, uniform: Callable[[], float], rounded: Callable[[float], float]
) -> float:
    """Adds up geometric waiting times until they pass ``count``."""
    log_failure = rounded(math.log1p(-prob))
    successes = 0.0
    trials = 0.0
    while True:
        waiting = _log(uniform()) / log_failure
        trials += math.ceil(waiting) if waiting < 2.0**53 else waiting
        if trials > count:
            return successes
        successes += 1.0


def _by_btrs(
    count: float, prob: float, uniform: Callable[[], float], rounded: Callable[[float], float]
) -> float:
    """Hoermann's BTRS (1993), with the names of the paper."""
    mean = rounded(count * prob)
    spq = rounded(math.sqrt(rounded(mean * rounded(1.0 - prob))))
    b = 1.15 + 2.53 * spq
    a = -0.0873 + 0.0248 * b + 0.01 * prob
    c = mean + 0.5
    v_r = 0.92 - 4.2 / b
    r = rounded(prob / rounded(1.0 - prob))
    alpha = (2.83 + 5.1 / b) * spq
    m = float(math.floor(rounded(rounded(count + 1.0) * prob)))
    while True:
        u = uniform() - 0.5
        v = uniform()
        us = 0.5 - abs(u)
        if not us:
            continue
        k = rounded(float(math.floor((2 * a / us + b) * u + c)))
        if k < 0 or k > count:
            continue
        if us >= 0.07 and v <= v_r:
            return k
        failures = rounded(count - k)
        v = _log(v * alpha / (a / (us * us) + b))
        bound = (
            (m + 0.5) * math.log((m + 1) / (r * (count - m + 1)))
            + rounded(count + 1.0) * math.log((count - m + 1) / rounded(failures + 1.0))
            + (k + 0.5) * math.log(r * rounded(failures + 1.0) / rounded(k + 1.0))
            + _stirling_error(m)
            + _stirling_error(count - m)
            - _stirling_error(k)
            - _stirling_error(failures)
        )
        if v <= bound:
            return k


def _stirling_error(k: float) -> float:
    if k < len(_STIRLING_ERROR):
        return _STIRLING_ERROR[int(k)]
    square = (k + 1) * (k + 1)
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1)


def _log_gamma(x: float) -> float:
    """``lgamma`` in the form of the C library: at 1e12 its rounding decides over samples."""
    if x < 8.0:
        return math.lgamma(x)
    inverse = 1.0 / x
    square = inverse * inverse
    series = 1.0 / 12 - square * (1.0 / 360 - square * (1.0 / 1260 - square / 1680))
    return (x - 0.5) * (math.log(x) - 1.0) + (_HALF_LOG_2_PI_LESS_HALF + inverse * series)


def _log(x: float) -> float:
    return math.log(x) if x > 0.0 else -math.inf


def _to_int64(x: float) -> int:
    """Rounds down and converts as the processor does: out of range gives the smallest int64."""
    return math.floor(x) if abs(x) < 2.0**63 else _INT64_MIN


def _to_single(x: float) -> float:
    return float(np.float32(x))


def _unchanged(x: float) -> float:
    return x
