"""Philox4x32-10 by element index in NumPy: the numbers of ``kernels/random_fill.cu``, bit for bit.

Element ``i`` of a draw depends on the seed, the number of the draw (the *offset*) and ``i`` alone,
so a tensor is the same on every GPU, and here, where there is none. See the CUDA source for how the
bits are kept equal; the functions have the same names and the same order of operations in both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ._exact_math import Array

__all__ = ["fill", "philox4x32", "words"]

_WORD = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = 0x9E3779B9, 0xBB67AE85
_CHUNK = 8192  # blocks worked on at a time: they stay in the cache


def philox4x32(counter: tuple[Array, Array, Array, Array], key: tuple[int, int]) -> list[Array]:
    """Four words for each counter of four words; all are uint64 arrays of numbers below 2**32.

    Example:
        >>> zero = np.zeros(1, np.uint64)
        >>> [hex(int(word[0])) for word in philox4x32((zero, zero, zero, zero), (0, 0))]
        ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    for step in range(10):
        k0, k1 = ((k + step * weyl) & 0xFFFFFFFF for k, weyl in zip(key, _WEYL, strict=True))
        p0, p1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c2 = p1 >> _HALF, p0 >> _HALF
        c0 ^= c1
        c0 ^= np.uint64(k0)
        c2 ^= c3
        c2 ^= np.uint64(k1)
        p0 &= _WORD
        p1 &= _WORD
        c1, c3 = p1, p0
    return [c0, c1, c2, c3]


def words(seed: int, offset: int, first: int, count: int, turn: int = 0) -> Array:
    """The words of ``count`` blocks from number ``first`` on: uint32 of shape (count, 4).

    ``turn`` tells blocks apart where an element needs more than one, as in rejection sampling.
    """
    block = np.arange(first, first + count, dtype=np.uint64)
    c1 = block >> _HALF
    if turn:
        c1 |= np.uint64(turn << 16)
    c2 = np.full(count, offset & 0xFFFFFFFF, np.uint64)
    c3 = np.full(count, offset >> 32, np.uint64)
    out = np.empty((count, 4), np.uint32)
    found = philox4x32((block & _WORD, c1, c2, c3), (seed & 0xFFFFFFFF, seed >> 32))
    for column, word in enumerate(found):
        out[:, column] = word
    return out


def fill(name: str, out: Array, seed: int, offset: int, *parameters: Any) -> None:
    """Fill ``out``, contiguous and one-dimensional, from a distribution; see `DISTRIBUTIONS`.

    Example:
        >>> out = np.empty(2, np.float32)
        >>> fill("uniform", out, 0, 0, 0.0, 1.0, 1.0)
        >>> out
        array([0.39904642, 0.88052016], dtype=float32)
    """
    distribution = DISTRIBUTIONS[name]
    wide = out.itemsize == 8
    per_block = 2 if wide else 4
    with np.errstate(all="ignore"):
        for start in range(0, out.size, _CHUNK * per_block):
            part = out[start : start + _CHUNK * per_block]
            found = words(seed, offset, start // per_block, -(-part.size // per_block))
            part[...] = distribution(_bits(found, wide), *parameters)[: part.size]


def _bits(words: Array, wide: bool) -> Array:
    """The bits for each number: one word, or two for one of 64 bits."""
    flat = words.reshape(-1)
    if not wide:
        return flat
    bits = flat[0::2].astype(np.uint64)
    bits <<= _HALF
    bits |= flat[1::2]
    return bits


class _Real:
    """The constants of float32 or float64; those of ``struct Real`` in the CUDA source."""

    def __init__(self, kind: Any, **constants: Any) -> None:
        self.type = kind
        self.bits: Any = np.uint32 if kind is np.float32 else np.uint64
        self.integer: Any = np.int32 if kind is np.float32 else np.int64
        self.width = 8 * np.dtype(kind).itemsize
        self.log_terms: int = constants["log_terms"]
        self.sin_terms: int = constants["sin_terms"]
        self.exp_terms: int = constants["exp_terms"]
        self.mantissa: int = constants["mantissa"]
        self.bias: int = constants["bias"]
        self.ln2_high = kind(constants["ln2_high"])
        self.ln2_low = kind(constants["ln2_low"])
        self.sqrt_half = self.bits(constants["sqrt_half"])
        self.bound = kind(constants["bound"])
        # Steps of the uniform numbers in [0, 1), and what makes them lie in (0, 1].
        self.unit_shift, self.positive_shift = constants["shifts"]
        self.unit_step = kind(2.0 ** (self.unit_shift - self.width))
        self.positive_step = kind(2.0 ** (self.positive_shift - self.width))
        self.positive_first = kind(2.0 ** (self.positive_shift - self.width - 1))
        self.angle_step = kind(2.0 * math.pi * 2.0**-self.width)


_FLOAT32 = _Real(
    np.float32, mantissa=23, bias=127, log_terms=6, sin_terms=5, exp_terms=8, shifts=(8, 0),
    ln2_high=0.693359375, ln2_low=-2.12194440e-4, sqrt_half=0x3F3504F3, bound=120.0,
)  # fmt: skip
_FLOAT64 = _Real(
    np.float64, mantissa=52, bias=1023, log_terms=12, sin_terms=9, exp_terms=14, shifts=(11, 11),
    ln2_high=6.93147180369123816490e-01, ln2_low=1.90821492927058770002e-10,
    sqrt_half=0x3FE6A09E667F3BCD, bound=1000.0,
)  # fmt: skip


def _real(bits: Array) -> _Real:
    return _FLOAT32 if bits.dtype == np.uint32 else _FLOAT64


# --- uniform ----------------------------------------------------------------------------------


def _unit(bits: Array) -> Array:
    """[0, 1) in steps of 2**-24 and 2**-53."""
    real = _real(bits)
    return (bits >> real.bits(real.unit_shift)).astype(real.type) * real.unit_step


def _positive_unit(bits: Array) -> Array:
    """(0, 1], as a logarithm wants it."""
    real = _real(bits)
    whole = (bits >> real.bits(real.positive_shift)).astype(real.type)
    return whole * real.positive_step + real.positive_first


# --- functions --------------------------------------------------------------------------------


def _logarithm(x: Array) -> Array:
    real = _FLOAT32 if x.dtype == np.float32 else _FLOAT64
    number = real.type
    one = real.bits(real.bias << real.mantissa)
    bits: Array = x.view(real.bits) + (one - real.sqrt_half)
    e = ((bits >> real.bits(real.mantissa)).astype(np.int32) - np.int32(real.bias)).astype(number)
    bits &= real.bits((1 << real.mantissa) - 1)
    bits += real.sqrt_half
    f = bits.view(number) - number(1)
    s = f / (number(2) + f)
    z = s * s
    total = np.full_like(z, number(1) / number(2 * real.log_terms - 1))
    for k in range(real.log_terms - 2, 0, -1):
        total *= z
        total += number(1) / number(2 * k + 1)
    s2 = s + s
    return e * real.ln2_high + (s2 + (s2 * (z * total) + e * real.ln2_low))


def _on_circle(bits: Array) -> tuple[Array, Array]:
    """Sine and cosine of an angle that is uniform on the circle; neither is ever zero."""
    real = _real(bits)
    number, width = real.type, real.width
    turned: Array = bits + real.bits(1 << (width - 3))
    quarter = turned >> real.bits(width - 2)
    rest = (bits - (quarter << real.bits(width - 2))).view(real.integer)
    x = (rest.astype(number) + number(0.5)) * real.angle_step
    z = x * x
    s, c = np.zeros_like(z), np.zeros_like(z)
    for k in range(real.sin_terms, 0, -1):
        sign = number(-1 if k & 1 else 1)
        c += sign * (number(1) / number(math.factorial(2 * k)))
        c *= z
        if k < real.sin_terms:
            s += sign * (number(1) / number(math.factorial(2 * k + 1)))
            s *= z
    s = x + x * s
    c += number(1)
    odd = (quarter & real.bits(1)) != 0
    a, b = np.where(odd, c, s), np.where(odd, s, c)
    sine = np.where(quarter >= 2, -a, a)
    cosine = np.where((quarter == 1) | (quarter == 2), -b, b)
    return sine, cosine


def _exponential_function(x: Array) -> Array:
    real = _FLOAT32 if x.dtype == np.float32 else _FLOAT64
    number = real.type
    x = np.where(x < -real.bound, -real.bound, np.where(x > real.bound, real.bound, x))
    k = np.floor(x * number(1.4426950408889634) + number(0.5))
    r = (x - k * real.ln2_high) - k * real.ln2_low
    total = np.zeros_like(r)
    for i in range(real.exp_terms - 1, 0, -1):
        total += number(1) / number(math.factorial(i))
        total *= r
    total += number(1)
    whole = k.astype(real.integer)
    half = whole >> real.integer(1)
    for exponent in (half, whole - half):
        shifted = (exponent + real.integer(real.bias)) << real.integer(real.mantissa)
        total *= shifted.view(number)
    return total


# --- distributions ----------------------------------------------------------------------------


def _uniform(bits: Array, low: float, span: float, high: float) -> Array:
    number = _real(bits).type
    values = _unit(bits)
    if (low, span) != (0.0, 1.0):
        values = values * number(span) + number(low)
    values[values >= number(high)] = number(low)
    return values


def _normals(bits: Array) -> Array:
    """Standard normals in pairs, by Box and Muller (1958)."""
    out = np.empty(bits.size, _real(bits).type)
    radius = np.sqrt(out.dtype.type(-2) * _logarithm(_positive_unit(bits[0::2])))
    sine, cosine = _on_circle(bits[1::2])
    out[0::2] = radius * cosine
    out[1::2] = radius * sine
    return out


def _normal(bits: Array, mean: float, std: float) -> Array:
    number = _real(bits).type
    return _normals(bits) * number(std) + number(mean)


def _log_normal(bits: Array, mean: float, std: float) -> Array:
    return _exponential_function(_normal(bits, mean, std))


def _exponential(bits: Array, scale: float, least: float) -> Array:
    number = _real(bits).type
    values = -_logarithm(_positive_unit(bits))
    return np.where(values > number(least), values, number(least)) * number(scale)


def _cauchy(bits: Array, median: float, sigma: float) -> Array:
    number = _real(bits).type
    sine, cosine = _on_circle(bits)
    return (sine / cosine) * number(sigma) + number(median)


def _bernoulli(bits: Array, limit: int) -> Array:
    return bits < np.uint64(limit)


def _kept(bits: Array, probability: float, scale: float) -> Array:
    number = _real(bits).type
    noise: Array = np.where(_unit(bits) < number(probability), number(scale), number(0))
    return noise


def _integers(bits: Array, span: int, base: int) -> Array:
    if span and span & (span - 1) == 0:
        bits = bits & np.uint64(span - 1)
    elif span:
        bits -= bits // np.uint64(span) * np.uint64(span)  # NumPy has no fast remainder
    return (bits + np.uint64(base)).view(np.int64)


# What they do to the bits of a block of words, and their parameters: all are numbers of the
# result's type, those of the last two integers of 64 bits.
DISTRIBUTIONS: dict[str, Callable[..., Array]] = {
    "uniform": _uniform,  # low, high - low, high
    "normal": _normal,  # mean, standard deviation
    "log_normal": _log_normal,  # mean and standard deviation of the logarithm
    "exponential": _exponential,  # the inverse of the rate, and what stands for zero
    "cauchy": _cauchy,  # median, scale
    "bernoulli": _bernoulli,  # the probability times 2**32
    "kept": _kept,  # the probability of what is not zero, and that number
    "integers": _integers,  # how many there are (0 for 2**64), the first of them
}
